"""`log` and `records find`: what was built, from which commit, newest first."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from envfreeze.errors import UsageError
from envfreeze.progress import SILENT
from envfreeze.project import moments
from envfreeze.records.model import moment
from envfreeze.records.selection import Selection
from envfreeze.replacing import replace
from envfreeze.verbs import recording

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from envfreeze.digest import Digest
    from envfreeze.locking.named import Named
    from envfreeze.progress import Progress
    from envfreeze.records.git import Repository
    from envfreeze.records.listing import Entry
    from envfreeze.records.model import Record
    from envfreeze.records.store import RecordStore

_ABBREVIATED = re.compile(r"[0-9a-f]{4,64}")
"""What may be the id of a commit that is recorded and not here, as in a shallow clone."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A build that was chosen.

    Attributes:
        entry: the build in short.
        level: what its newest verification found; None: it was never verified.
        packages: of the package asked for, what its lock names; empty where none was.

    """

    entry: Entry
    level: str | None
    packages: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Log:
    """Builds, newest first.

    Attributes:
        builds: those that were chosen.
        records: the same, whole, where that was asked for.

    """

    builds: tuple[Listed, ...]
    records: tuple[Record, ...] = ()


def log(
    root: Path,
    selection: Selection | None = None,
    *,
    commit: str | None = None,
    package: str | None = None,
    limit: int | None = None,
    whole: bool = False,
    progress: Progress = SILENT,
) -> Log:
    """List the builds that are recorded.

    Args:
        root: a folder of the repository, or the project's folder where there is no repository.
        selection: only these; its commits are `commit`'s matter. None: all.
        commit: only builds of this commit or these: a revision of the repository, a range of them
            (`v1..main`), or the beginning of an id.
        package: only builds whose lock names it: `name` or `name==version`.
        limit: at most so many.
        whole: read the records whole as well.
        progress: is warned of records that are damaged.

    Raises:
        UsageError: there is no such commit, or no such name of a package.
        NetworkError: records are kept in a registry alone, and it does not answer.
        MachineError: git is missing or refuses the repository.

    """
    with recording.opened_to_list(root, progress=progress) as store:
        wanted = _with_commits(selection or Selection(), commit, store.repository)
        listing = store.listing()
        chosen = [one for one in listing.entries if wanted.holds(one, listing.levels.get(one.digest))]
        named = itertools.islice(_naming(chosen, package, store, root), limit)
        found = [Listed(entry, listing.levels.get(entry.digest), packages) for entry, packages in named]
        return Log(tuple(found), store.read([one.entry for one in found]) if whole else ())


def since(text: str, now: datetime | None = None) -> str:
    """Read a moment of the command line: a day (from its start, UTC), a moment, or how long ago, `2 weeks`.

    Raises:
        UsageError: it is none of them.

    """
    span = moments.span(text)
    try:
        if span is not None:
            return moment((now or datetime.now(UTC)) - span)
        return moment(moments.moment(text) - (timedelta(days=1) if _is_day(text) else timedelta()))
    except (ValueError, OverflowError) as error:
        raise _no_moment(text) from error


def until(text: str, now: datetime | None = None) -> str:
    """Read a moment as `since` does, of a day its end."""
    try:
        return moment(moments.moment(text)) if _is_day(text) else since(text, now)
    except (ValueError, OverflowError) as error:
        raise _no_moment(text) from error


def _is_day(text: str) -> bool:
    return len(text) == len("2026-09-12")


def _no_moment(text: str) -> UsageError:
    return UsageError(
        f"{text!r} is no moment", hint="as in 2026-09-12, 2026-09-12T07:55:41Z or '2 weeks' (ago)"
    )


def _with_commits(selection: Selection, commit: str | None, repository: Repository | None) -> Selection:
    if commit is None:
        return selection
    if commit.startswith("-"):
        raise UsageError(f"{commit!r} is no commit")
    if repository is None:
        return replace(selection, commit=commit)
    if ".." in commit:
        return replace(selection, commits=frozenset(_between(commit, repository)))
    known = repository.resolve(f"{commit}^{{commit}}")
    if known is None and not _ABBREVIATED.fullmatch(commit):
        raise UsageError(f"{commit!r} is no commit of this repository")
    return replace(selection, commit=known or commit)


def _between(commits: str, repository: Repository) -> list[str]:
    ends = [end for end in commits.replace("...", "..").split("..") if end]
    for end in ends:
        if repository.resolve(f"{end}^{{commit}}") is None:
            raise UsageError(f"{end!r} of {commits!r} is no commit of this repository")
    return repository.git.run("rev-list", commits, "--").decode().split()


def _naming(
    entries: Iterable[Entry], package: str | None, store: RecordStore, root: Path
) -> Iterator[tuple[Entry, tuple[Named, ...]]]:
    """The builds whose lock names a package, and what it names; all where none is asked for."""
    if package is None:
        yield from ((entry, ()) for entry in entries)
        return
    from envfreeze.locking import lockfile  # noqa: PLC0415 - heavy
    from envfreeze.locking.named import Name  # noqa: PLC0415 - heavy
    from envfreeze.records import locks  # noqa: PLC0415 - only where packages are asked for

    text, _, version = package.partition("==")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]*", text) or ("==" in package and not version):
        raise UsageError(f"{package!r} names no package", hint="as in numpy or numpy==2.3.1")
    name = Name(text)
    entries = list(entries)
    contents = locks.contents(entries, store.repository, root)
    answers: dict[Digest, tuple[Named, ...]] = {}
    missing = 0
    for entry in entries:
        if any(file.digest not in contents for file in entry.lock.values()):
            missing += 1
            continue
        bound = entry.lock.get(lockfile.NAME)
        if bound is None:
            continue
        if bound.digest not in answers:
            answers[bound.digest] = name.named_in(
                {part: contents[file.digest] for part, file in entry.lock.items()}
            )
        named = tuple(one for one in answers[bound.digest] if version in {"", one.version})
        if named:
            yield entry, named
    if missing:
        store.progress.warn(
            f"{missing} builds were not looked into, their lock is not here (envfreeze records fetch)"
        )
