"""An open cache's own folder for what is not finished, gone with its owner however that ends.

The folder holds a file `alive` that is locked as long as its owner lives. A session whose file is not
locked belongs to nobody; the next session to begin sweeps it. Sessions begin and sweep under one lock, so
that none is swept between its folder's making and its lock.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from envfreeze.store import locks

if TYPE_CHECKING:
    from envfreeze.store.layout import Layout

_ALIVE = "alive"


class Session:
    """The open cache's stake: its folder, and its share of the lock that keeps pruning away.

    Attributes:
        folder: for temporary files and folders of any name.
        share: descriptor of the shared lock on `Layout.in_use`.

    Raises:
        OSError: the cache's folder cannot be written.

    """

    __slots__ = ("__weakref__", "_end", "folder", "share")

    def __init__(self, layout: Layout) -> None:
        self.share = locks.wait(layout.in_use, shared=True)
        try:
            with locks.exclusive(layout.housekeeping):
                sweep(layout.tmp)
                self.folder = Path(tempfile.mkdtemp(dir=layout.tmp, prefix="session-"))
                alive = locks.wait(self.folder / _ALIVE)
        except BaseException:
            locks.release(self.share)
            raise
        self._end = weakref.finalize(self, _end, os.getpid(), self.folder, (alive, self.share))

    def end(self) -> None:
        """Remove the folder and free the locks; a second time does nothing."""
        self._end()


def sweep(tmp: Path) -> int:
    """Remove what belongs to no living session; how many there were. Call it under `housekeeping`."""
    swept = 0
    for place in tmp.iterdir():
        alive = place / _ALIVE
        try:
            descriptor = locks.acquire(alive) if alive.exists() else None
            held_by_others = descriptor is None and alive.exists()
        except FileNotFoundError:  # its owner ends it at this moment
            continue
        if held_by_others:
            continue
        try:
            remove(place)
        finally:
            if descriptor is not None:
                locks.release(descriptor)
        swept += 1
    return swept


def remove(path: Path) -> None:
    """Remove a file or a tree, also one with folders that may not be written; it may be gone already."""
    if not path.is_dir() or path.is_symlink():
        path.unlink(missing_ok=True)
        return
    shutil.rmtree(path, ignore_errors=True)
    if path.exists():
        for folder, _, _ in os.walk(path):
            with suppress(OSError):
                Path(folder).chmod(0o700)
        shutil.rmtree(path, ignore_errors=True)


def _end(owner: int, folder: Path, descriptors: tuple[int, ...]) -> None:
    if os.getpid() != owner:  # a forked child: the folder and the locks are its parent's
        return
    remove(folder)
    for descriptor in descriptors:
        with suppress(OSError):
            locks.release(descriptor)
