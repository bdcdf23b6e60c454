"""The cache's upkeep: what is in it, making it smaller, and finding what is damaged."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.digest import Digest
from envfreeze.errors import MachineError
from envfreeze.store import facts, locks, recency, session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from envfreeze.progress import Progress, Task
    from envfreeze.store.layout import Layout

_DAY = 86400
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class CacheInfo:
    """What is in a cache. Sizes are in bytes.

    Attributes:
        root: its folder.
        blobs: how many blobs.
        blob_bytes: their size.
        facts: how many facts.
        fact_bytes: their size.
        partial: how many unfinished downloads.
        partial_bytes: their size.
        repodata_bytes: what conda channels said of their packages.
        temporary_bytes: what open caches, and dead ones not swept yet, are writing.
        free_bytes: what is free on the file system.

    """

    root: Path
    blobs: int
    blob_bytes: int
    facts: int
    fact_bytes: int
    partial: int
    partial_bytes: int
    repodata_bytes: int
    temporary_bytes: int
    free_bytes: int


@dataclass(frozen=True, slots=True)
class Pruned:
    """What a prune removed.

    Attributes:
        removed: how many blobs, facts and unfinished downloads.
        removed_bytes: their size.
        kept_bytes: the size of what is left.

    """

    removed: int
    removed_bytes: int
    kept_bytes: int


@dataclass(frozen=True, slots=True)
class Damaged:
    """Something in the cache that was not what its name says, and has been removed.

    Attributes:
        path: where it was.
        reason: what was wrong with it, for people.
        digest: which blob it should have been; None for what is no blob.

    """

    path: Path
    reason: str
    digest: Digest | None = None


@dataclass(frozen=True, slots=True)
class _Item:
    path: Path
    status: os.stat_result
    is_fact: bool = False


def info(layout: Layout) -> CacheInfo:
    """Count what is in the cache.

    Raises:
        OSError: the folder cannot be read.

    """
    blobs = [item.status.st_size for item in _files(layout.blobs)]
    known = [item.status.st_size for item in _files(layout.facts)]
    partial = [item for item in _files(layout.partial) if item.path.suffix != ".json"]
    return CacheInfo(
        root=layout.root,
        blobs=len(blobs),
        blob_bytes=sum(blobs),
        facts=len(known),
        fact_bytes=sum(known),
        partial=len(partial),
        partial_bytes=sum(item.status.st_size for item in partial),
        repodata_bytes=sum(item.status.st_size for item in _files(layout.repodata)),
        temporary_bytes=sum(item.status.st_size for item in _files(layout.tmp)),
        free_bytes=shutil.disk_usage(layout.root).free,
    )


def prune(layout: Layout, share: int, *, older_than_days: float | None, max_bytes: int | None) -> Pruned:
    """Make the cache smaller: `Cache.prune`.

    Args:
        layout: the cache.
        share: the caller's own shared lock on `Layout.in_use`.
        older_than_days: as there.
        max_bytes: as there.

    Raises:
        MachineError: somebody else has the cache open.
        OSError: the folder cannot be read or written.

    """
    if not locks.upgrade(share):
        raise MachineError(
            f"the cache {layout.root} is in use by another envfreeze, which may need what would be removed",
            hint="wait until it has finished, then run it again: envfreeze cache prune",
        )
    try:
        return _prune(layout, older_than_days=older_than_days, max_bytes=max_bytes)
    finally:
        locks.downgrade(share)


def verify(layout: Layout, progress: Progress) -> tuple[Damaged, ...]:
    """Read all content again and remove what is not what its name says.

    Raises:
        OSError: the folder cannot be read or written.

    """
    blobs = list(_files(layout.blobs))
    known = list(_files(layout.facts))
    task = progress.task("verifying the cache", sum(item.status.st_size for item in blobs + known))
    stopping = False
    try:
        with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:

            def check(item: _Item) -> Damaged | None:
                return None if stopping else _check(layout, item, task, lambda: stopping)

            try:
                found = [damage for damage in pool.map(check, blobs + known) if damage is not None]
            except BaseException:
                stopping = True
                raise
    finally:
        task.finish()
    return tuple(sorted(found, key=lambda damage: damage.path))


def _prune(layout: Layout, *, older_than_days: float | None, max_bytes: int | None) -> Pruned:
    with locks.exclusive(layout.housekeeping):
        # Nobody else is there, so every session but living ones of this process is a leftover.
        session.sweep(layout.tmp)
    _remove_orphans(layout)
    blobs = list(_files(layout.blobs))
    partial = [*_files(layout.partial), *_files(layout.uploads)]
    known = [_Item(item.path, item.status, is_fact=True) for item in _files(layout.facts)]
    items = blobs + partial + list(_files(layout.repodata)) + known
    if older_than_days is None and max_bytes is None:
        doomed = partial
    else:
        # Facts are small and dear: where it is about room they go last.
        items.sort(key=lambda item: (item.is_fact, recency.last_used(item.status)))
        doomed = list(_too_old_or_too_much(items, older_than_days=older_than_days, max_bytes=max_bytes))
    for item in doomed:
        item.path.unlink(missing_ok=True)
    _remove_orphans(layout)
    _remove_empty(layout.blobs)
    _remove_empty(layout.facts)
    _remove_empty(layout.repodata)
    removed = sum(item.status.st_size for item in doomed)
    return Pruned(
        # A sidecar is no thing of its own.
        removed=sum(item.is_fact or item.path.suffix != ".json" for item in doomed),
        removed_bytes=removed,
        kept_bytes=sum(item.status.st_size for item in items) - removed,
    )


def _too_old_or_too_much(
    items: list[_Item], *, older_than_days: float | None, max_bytes: int | None
) -> Iterator[_Item]:
    oldest = time.time() - older_than_days * _DAY if older_than_days is not None else 0.0
    excess = sum(item.status.st_size for item in items) - max_bytes if max_bytes is not None else 0
    for item in items:
        if excess > 0 or recency.last_used(item.status) < oldest:
            excess -= item.status.st_size
            yield item


def _remove_orphans(layout: Layout) -> None:
    """Sidecars without their download, and lock files that nobody holds."""
    for sidecar in layout.partial.glob("*.json"):
        if not sidecar.with_suffix("").exists():
            sidecar.unlink(missing_ok=True)
    for path in layout.in_use.parent.iterdir():
        if path not in {layout.in_use, layout.housekeeping}:
            with locks.attempt(path):  # leaving it removes it
                pass


def _remove_empty(folder: Path) -> None:
    for path, _, _ in os.walk(folder, topdown=False):
        if path != str(folder):
            with suppress(OSError):  # not empty
                os.rmdir(path)  # noqa: PTH106 - os.walk gives text


def _check(layout: Layout, item: _Item, task: Task, stopped: Callable[[], bool]) -> Damaged | None:
    digest: Digest | None = None
    if item.path.is_relative_to(layout.blobs):
        try:
            digest = Digest(item.path.name)
        except ValueError:
            reason: str | None = "its name is not a digest"
        else:
            reason = _blob_damage(layout, item.path, digest, task, stopped)
    else:
        reason = _fact_damage(layout, item.path)
        task.advance(item.status.st_size)
    if reason is None:
        return None
    item.path.unlink(missing_ok=True)
    return Damaged(item.path, reason, digest)


def _blob_damage(
    layout: Layout, path: Path, digest: Digest, task: Task, stopped: Callable[[], bool]
) -> str | None:
    if path != layout.blob(digest):
        return "it is not where its digest belongs"
    state = hashlib.sha256()
    try:
        with open(path, "rb", buffering=0, opener=_without_a_trace) as file:
            while chunk := file.read(_CHUNK):
                if stopped():
                    return None
                state.update(chunk)
                task.advance(len(chunk))
    except FileNotFoundError:  # removed meanwhile, by another verify
        return None
    got = state.hexdigest()
    return None if got == digest.hex else f"its content has the digest sha256:{got}"


def _fact_damage(layout: Layout, path: Path) -> str | None:
    try:
        found = facts.read(path.read_bytes())
    except FileNotFoundError:
        return None
    if found is None:
        return "the fact cannot be read"
    return None if facts.place(layout.facts, found[0], found[1]) == path else "it is a fact about another key"


def _without_a_trace(path: str, flags: int) -> int:
    """Open without touching the access time, which pruning goes by; only a file's owner may."""
    try:
        return os.open(path, flags | os.O_NOATIME)
    except PermissionError:
        return os.open(path, flags)


def _files(folder: Path) -> Iterator[_Item]:
    """Every file below; what disappears meanwhile was not there."""
    for path in sorted(folder.rglob("*")):
        try:
            status = path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        if not stat.S_ISDIR(status.st_mode):
            yield _Item(path, status)
