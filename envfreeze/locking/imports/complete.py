"""From what a lock file says of the chosen packages to wheels: one file each, with URL, hash and size.

What a file leaves out is looked up on the index: by name where the lock names files, by hash where it holds
only hashes. What it does say is held against what the index says, and what the packages' own metadata need
against what is locked.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from packaging.utils import parse_wheel_filename

from envfreeze.digest import Digest
from envfreeze.errors import NetworkError, ResolutionError, UntrustedError
from envfreeze.locking import indexes
from envfreeze.locking.imports import offered
from envfreeze.locking.imports.model import ImportedFile
from envfreeze.locking.imports.offered import Offer, Question
from envfreeze.locking.model import Wheel
from envfreeze.locking.wheels import best
from envfreeze.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from packaging.tags import Tag

    from envfreeze.locking.imports.model import ImportedLock, ImportedPackage
    from envfreeze.locking.imports.selection import Selected
    from envfreeze.locking.indexes import Indexes
    from envfreeze.locking.pip import PipTarget
    from envfreeze.progress import Progress
    from envfreeze.project.model import Project

_Answer = TypeVar("_Answer")

_REMAKE = "write it anew with its own tool"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a lock file belongs, and how it is completed.

    Attributes:
        root: the project's folder, that relative places of its indexes start from, absolute.
        folder: that relative paths in the lock file start from, absolute.
        offline: look nothing up but in uv's cache.
        progress: told what happens.

    """

    root: Path
    folder: Path
    offline: bool = False
    progress: Progress = SILENT


def complete(
    imported: ImportedLock,
    selected: Selected,
    project: Project,
    target: PipTarget,
    place: Place,
    *,
    provided: Iterable[str] = (),
) -> tuple[Wheel, ...]:
    """Give the wheel of every chosen package.

    Args:
        imported: the lock.
        selected: what the target takes of it.
        project: whose indexes are asked.
        target: whose tags the wheels have to fit.
        place: where the lock file belongs.
        provided: normalised names of what conda packages bring.

    Returns:
        The wheels, sorted by name, none of them marked as requested.

    Raises:
        ResolutionError: a package cannot be taken or has no wheel for the target, an index does not have it,
            or a package that another one needs is not locked.
        UntrustedError: an index has another file under a locked name.
        NetworkError: an index that is needed did not answer.
        MachineError: uv is missing.

    """
    _refuse(imported, selected)
    accepted = target.tags
    picks = [_pick(imported, package, accepted, place) for package in selected.packages]
    _check_fitting(imported, picks, target)
    where = _Where(imported, indexes.of_project(project))
    picks = _look_up(imported, picks, where, target, place)
    omitted = (imported.omitted | frozenset(provided)) - {pick.package.name for pick in picks}
    picks = _checked(imported, picks, where, target, place, sorted(omitted))
    wheels = tuple(_wheel(pick) for pick in picks)
    return tuple(sorted(wheels, key=lambda wheel: wheel.name))


@dataclass(frozen=True, slots=True)
class _Pick:
    """A package and what is known so far of the file to take.

    Attributes:
        package: the package.
        why_none: why nothing fits; None: something does, or it is not known yet.
        file: the file; None: not known yet.

    """

    package: ImportedPackage
    why_none: str | None = None
    file: ImportedFile | None = None

    @property
    def is_complete(self) -> bool:
        return self.file is not None and self.file.url is not None and self.file.sha256 is not None


def _refuse(imported: ImportedLock, selected: Selected) -> None:
    refused = [f"{one}: {one.refused}" for one in selected.packages if one.refused is not None]
    if refused:
        raise ResolutionError(
            f"{_count(refused)} of {imported.file} cannot be taken: only wheels can",
            details=tuple(refused),
            hint="build wheels of them, put those on an index or into the project, and lock again",
        )


def _pick(
    imported: ImportedLock, package: ImportedPackage, accepted: Mapping[Tag, int], place: Place
) -> _Pick:
    named = {file.filename: file for file in package.files if file.filename is not None}
    if package.direct:
        (file,) = package.files[:1] or (None,)
        if file is None or best([file.filename or ""], accepted) is None:
            name = "nothing" if file is None else file.filename
            return _Pick(package, f"{imported.file} names {name}, which is not a wheel for the target")
        return _Pick(package, file=_located(file, place))
    if not named:
        return _Pick(package)
    filename = best(named, accepted)
    if filename is None:
        only_sdist = not any(name.endswith(".whl") for name in named)
        why = "no wheel for the target, only an sdist" if only_sdist else "no wheel for the target"
        return _Pick(package, why)
    return _Pick(package, file=_located(named[filename], place))


def _located(file: ImportedFile, place: Place) -> ImportedFile:
    if file.url is not None or file.path is None:
        return file
    path = place.folder / file.path
    size = path.stat().st_size if file.size is None and path.is_file() else file.size
    return replace(file, url=path.as_uri(), size=size)


def _check_fitting(imported: ImportedLock, picks: Iterable[_Pick], target: PipTarget) -> None:
    missing = [f"{pick.package}: {pick.why_none}" for pick in picks if pick.why_none is not None]
    if missing:
        raise ResolutionError(
            f"{imported.file}: {_count(missing)} without a wheel for {target} ({target.manylinux})",
            details=tuple(sorted(missing)),
            hint=f"lock versions that have wheels: change them in {imported.file} with its own tool",
        )


class _Where:
    """Which index a package is asked for on."""

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


def _plain(url: str) -> str:
    return indexes.without_credentials(url).rstrip("/")


def _look_up(
    imported: ImportedLock, picks: Sequence[_Pick], where: _Where, target: PipTarget, place: Place
) -> list[_Pick]:
    """Complete what lacks a URL or a hash."""
    asked: dict[Indexes, list[_Pick]] = {}
    for pick in picks:
        if not pick.is_complete:
            asked.setdefault(where.of(pick.package.index), []).append(pick)
    if not asked:
        return list(picks)
    found: dict[str, tuple[Offer, ...]] = {}
    for index, several in asked.items():
        place.progress.note(f"looking up {_count(several)} of {imported.file} on the index")
        question = Question(tuple(_pin(pick) for pick in several), index)
        try:
            found |= where.ask(
                question, partial(offered.offers, target=target, folder=place.root, offline=place.offline)
            )
        except ResolutionError as error:
            raise _not_as_locked(imported, error) from error
    done, missing = [], []
    for pick in picks:
        if pick.is_complete:
            done.append(pick)
            continue
        completed = _completed(imported, pick, found.get(pick.package.name, ()), target)
        done.append(completed)
        missing += [completed] if completed.why_none is not None else []
    _check_fitting(imported, missing, target)
    return done


def _not_as_locked(imported: ImportedLock, error: ResolutionError) -> ResolutionError:
    """Tell of what uv found wrong with packages that are given as they are."""
    return ResolutionError(
        f"{imported.file}: what it locks is not on the index as it is locked: "
        f"{error.message.rpartition(': ')[2]}",
        details=error.details,
        hint=f"name the index that has it in [pip] index-url, or {_REMAKE}",
    )


def _pin(pick: _Pick) -> str:
    package, file = pick.package, pick.file
    if package.direct and file is not None:
        return f"{package.name} @ {file.url}"
    return f"{package.name}=={package.version}"


def _completed(imported: ImportedLock, pick: _Pick, offers: Sequence[Offer], target: PipTarget) -> _Pick:
    """Find the file of a package among those that an index has."""
    by_name = {offer.filename: offer for offer in offers}
    locked = pick.file
    if locked is not None and locked.filename in by_name:
        offer = by_name[locked.filename]
        _check_same(imported, pick.package, offer, frozenset({locked.sha256} - {None}))
    elif locked is not None:
        raise ResolutionError(
            f"{imported.file}: {pick.package}: the index does not have {locked.filename} (any more)",
            hint=f"name the index that has it in [pip] index-url, or {_REMAKE}",
        )
    else:
        hashes = frozenset(file.sha256 for file in pick.package.files if file.sha256 is not None)
        known = {name: offer for name, offer in by_name.items() if not hashes or offer.sha256 in hashes}
        chosen = best(known, target.tags)
        if chosen is None:
            fitting = best(by_name, target.tags)
            if fitting is None:
                return replace(pick, why_none="no wheel for the target")
            _check_same(imported, pick.package, by_name[fitting], hashes)
        offer = known[chosen or ""]
    if offer.sha256 is None:
        raise ResolutionError(
            f"{imported.file}: {pick.package}: neither it nor the index states a sha256 of {offer.filename}",
            hint="use an index that states sha256 hashes",
        )
    size = offer.size if locked is None or locked.size is None else locked.size
    path = locked.path if locked is not None else None
    url = offer.url if locked is None or locked.url is None else locked.url
    file = ImportedFile(offer.filename, url, path, offer.sha256, size)
    return replace(pick, file=file)


def _check_same(
    imported: ImportedLock, package: ImportedPackage, offer: Offer, hashes: frozenset[str | None]
) -> None:
    if not hashes or offer.sha256 is None or offer.sha256 in hashes:
        return
    locked = ", ".join(f"sha256:{value}" for value in sorted(filter(None, hashes)))
    raise UntrustedError(
        f"{imported.file}: {package}: {offer.filename} is another file on the index than was locked",
        details=(f"locked as {locked}", f"the index has sha256:{offer.sha256} ({offer.url})"),
        hint=f"find out which is right; if {imported.file} is wrong or lacks the hashes of this platform's "
        f"files, {_REMAKE}",
    )


def _wheel(pick: _Pick) -> Wheel:
    file = pick.file
    assert file is not None and file.filename and file.url and file.sha256  # noqa: S101, PT018 - `_look_up`'s result
    name, version, _, _ = parse_wheel_filename(file.filename)
    return Wheel(
        name=name,
        version=str(version),
        filename=file.filename,
        digest=Digest.parse(f"sha256:{file.sha256}"),
        size=file.size,
        url=file.url,
        direct=pick.package.direct,
    )


def _checked(
    imported: ImportedLock,
    picks: Sequence[_Pick],
    where: _Where,
    target: PipTarget,
    place: Place,
    omitted: Sequence[str],
) -> list[_Pick]:
    """Hold hashes against the index and dependencies against the packages' metadata; fill in sizes."""
    if not picks:
        return []
    names = {pick.package.name for pick in picks}
    pins = tuple(
        f"{pick.package.name}=={pick.package.version}"
        if where.is_usual(pick.package.index) and not pick.package.direct and not _is_local(pick)
        else f"{pick.package.name} @ {pick.file.url if pick.file else ''}"
        for pick in picks
    )
    question = Question(pins, where.usual)
    place.progress.note(f"checking {_count(picks)} of {imported.file} against their metadata")
    try:
        found = where.ask(
            question,
            partial(
                offered.closure, target=target, folder=place.root, omitted=omitted, offline=place.offline
            ),
        )
    except ResolutionError as error:
        raise _not_as_locked(imported, error) from error
    except NetworkError as error:
        # Nothing was missing: what is locked can be used, and its files are checked when they are fetched.
        place.progress.warn(
            f"{imported.file} is taken as it is: whether it holds all that its packages need was not "
            f"checked, since {error.message}"
        )
        return list(picks)
    checked = []
    for pick in picks:
        file = pick.file
        for offer in found.get(pick.package.name, ()):
            if file is not None and offer.filename == file.filename:
                _check_same(imported, pick.package, offer, frozenset({file.sha256}))
                file = replace(file, size=offer.size if file.size is None else file.size)
        checked.append(replace(pick, file=file))
    missing = sorted(found.keys() - names)
    if missing:
        _raise_incomplete(imported, question, missing, where, target, place, omitted)
    return checked


def _is_local(pick: _Pick) -> bool:
    return pick.file is not None and (pick.file.url or "").startswith("file:")


def _raise_incomplete(
    imported: ImportedLock,
    question: Question,
    missing: Sequence[str],
    where: _Where,
    target: PipTarget,
    place: Place,
    omitted: Sequence[str],
) -> None:
    users = where.ask(
        question,
        partial(offered.needed_by, target=target, folder=place.root, omitted=omitted, offline=place.offline),
    )
    raise ResolutionError(
        f"{imported.file} is not whole for {target}: it lacks {', '.join(missing)}",
        details=tuple(f"{', '.join(users.get(name, ())) or 'a package'} needs {name}" for name in missing),
        hint=f"add what is missing and {_REMAKE}",
    )


def _count(items: Sequence[object]) -> str:
    return f"{len(items)} package{'' if len(items) == 1 else 's'}"
