"""What a lock file leaves out, looked up on the indexes: by name where it names files, else by hash."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from envfreeze.errors import ResolutionError
from envfreeze.locking import indexes
from envfreeze.locking.imports import offered
from envfreeze.locking.imports.offered import Offer, Question
from envfreeze.locking.imports.picks import REMAKE, Pick, check_fitting, completed, count
from envfreeze.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from envfreeze.locking.imports.model import ImportedLock
    from envfreeze.locking.imports.picks import Place
    from envfreeze.locking.indexes import Indexes
    from envfreeze.locking.pip import PipTarget
    from envfreeze.locking.sources.builder import Builder

_Answer = TypeVar("_Answer")


class Where:
    """Which index a package is asked for on.

    Args:
        imported: the lock, whose packages may name indexes.
        project: the project's indexes.

    """

    def __init__(self, imported: ImportedLock, project: Indexes) -> None:
        self._project = project
        self.own: Indexes | None = None
        named = Counter(package.index for package in imported.packages if package.index is not None)
        self._main = named.most_common(1)[0][0] if named else None
        configured = (project.default, *project.extra)
        self._configured = {_plain(url): url for url in configured if url is not None}
        if self._main is not None and _plain(self._main) not in self._configured:
            self.own = replace(project, default=self._main)
        # Where the project and the machine say nothing, the lock's own index is the one. What they say may be
        # a mirror of it, or another index altogether: then the lock's own is asked after it.
        self.usual = self.own if project.default is None and self.own is not None else project

    def is_usual(self, index: str | None) -> bool:
        """Whether it is found on the project's indexes, or a mirror that they are of the lock's index."""
        return index is None or index == self._main or _plain(index) in self._configured

    def ask(self, question: Question, answer: Callable[[Question], _Answer]) -> _Answer:
        """Ask a question, of the lock's own index too where the project's do not have what is asked for."""
        try:
            return answer(question)
        except ResolutionError:
            if self.own is None or question.where != self.usual or self.own == self.usual:
                raise
            return answer(replace(question, where=self.own))

    def of(self, index: str | None) -> Indexes:
        """Give where to ask for a package of an index."""
        if index is None or self.is_usual(index):
            return self.usual
        return replace(self._project, default=index, extra=())


def look_up(
    imported: ImportedLock,
    picks: Sequence[Pick],
    where: Where,
    target: PipTarget,
    place: Place,
    builder: Builder | None,
) -> list[Pick]:
    """Complete what lacks a URL or a hash.

    Raises:
        ResolutionError: an index has not what is locked, or nothing of it fits.
        UntrustedError: an index has another file under a locked name.
        NetworkError: an index did not answer.

    """
    asked: dict[Indexes, list[Pick]] = {}
    for one in picks:
        if not one.is_complete:
            asked.setdefault(where.of(one.package.index), []).append(one)
    if not asked:
        return list(picks)
    found: dict[str, tuple[Offer, ...]] = {}
    for index, several in asked.items():
        place.progress.note(f"looking up {count(several)} of {imported.file} on the index")
        question = Question(tuple(map(_pin, several)), index)
        try:
            found |= where.ask(
                question, partial(offered.offers, target=target, folder=place.root, offline=place.offline)
            )
        except ResolutionError as error:
            raise not_as_locked(imported, error) from error
    done = [
        one if one.is_complete else completed(imported, one, found.get(one.package.name, ()), target, builder)
        for one in picks
    ]
    check_fitting(imported, done, target)
    return done


def not_as_locked(imported: ImportedLock, error: ResolutionError) -> ResolutionError:
    """Tell of what uv found wrong with packages that are given as they are."""
    return ResolutionError(
        f"{imported.file}: what it locks is not on the index as it is locked: "
        f"{error.message.rpartition(': ')[2]}",
        details=error.details,
        hint=f"name the index that has it in [pip] index-url, or {REMAKE}",
    )


def _pin(one: Pick) -> str:
    package, file = one.package, one.file
    if package.direct and file is not None:
        return f"{package.name} @ {file.url}"
    return f"{package.name}=={package.version}"


def _plain(url: str) -> str:
    return indexes.without_credentials(url).rstrip("/")
