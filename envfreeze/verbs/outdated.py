"""`lock --outdated`: which locked packages could move."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.locking import changes, cutoffs, files
from envfreeze.progress import SILENT
from envfreeze.store.cache import Cache
from envfreeze.verbs.resolve import digests, resolve
from envfreeze.verbs.wish import Wish

if TYPE_CHECKING:
    from envfreeze.progress import Progress
    from envfreeze.project.model import Project


@dataclass(frozen=True, slots=True)
class Outdated:
    """A locked package that the indexes have a newer version of, which the project would accept."""

    side: str
    platform: str
    name: str
    locked: str
    newest: str


def outdated(
    project: Project, *, cache: Cache | None = None, progress: Progress = SILENT
) -> tuple[Outdated, ...]:
    """Say which locked packages could move to a newer version. Writes nothing.

    Raises:
        UsageError: there is no lock.
        NetworkError: an index cannot be had.

    """
    locked = files.read(project.root)
    wish = Wish(cache or Cache.open(), progress, upgrade=True, review=False)
    project = cutoffs.fixed(project, locked.exclude_newer, moving=True)
    newest = resolve(project, digests(project), locked, wish)
    return tuple(
        Outdated(change.side, change.platform, change.name, change.before, change.after)
        for change in changes.between(locked, newest)
        if change.kind == "moved" and change.before is not None and change.after is not None
    )
