"""Locks between processes and threads, which end with whoever holds them.

`flock` belongs to an open file: two threads that each open the file exclude each other just as two
processes do, and the kernel frees the lock of a process that was killed. Nothing has to be cleaned up
and no process id has to be trusted.

A lock file is removed by its last holder, so that the folder does not grow. Whoever opened it before that
moment then holds a lock on a file that has no name any more, notices and begins again.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_FIRST_PAUSE = 0.002
_LONGEST_PAUSE = 0.1


def acquire(path: Path, *, shared: bool = False) -> int | None:
    """Try once to lock `path`: the open file's descriptor, or None where others hold it.

    Raises:
        OSError: the file cannot be made, or its file system has no locks.

    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            if _has_name(descriptor, path):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def wait(path: Path, *, shared: bool = False, pause: Callable[[float], object] = time.sleep) -> int:
    """Lock `path` as soon as it is free.

    Args:
        path: the lock file.
        shared: together with other shared holders.
        pause: waits for some seconds; may raise, to give up.

    Raises:
        OSError: as `acquire`.

    """
    seconds = _FIRST_PAUSE
    while (descriptor := acquire(path, shared=shared)) is None:
        pause(seconds)
        seconds = min(2 * seconds, _LONGEST_PAUSE)
    return descriptor


def upgrade(descriptor: int) -> bool:
    """Make a shared lock exclusive, if nobody else holds it.

    Where it fails, the shared lock is taken again before this returns: the kernel drops it on the way.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        downgrade(descriptor)
        return False
    return True


def downgrade(descriptor: int) -> None:
    """Make an exclusive lock shared."""
    fcntl.flock(descriptor, fcntl.LOCK_SH)


def release(descriptor: int) -> None:
    """Free a lock. Said aloud and not left to `close`, as a child process may hold a copy."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


@contextmanager
def exclusive(path: Path, *, pause: Callable[[float], object] = time.sleep) -> Iterator[None]:
    """A section that one thread of one process is in at a time. It cannot be nested in itself."""
    descriptor = wait(path, pause=pause)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        release(descriptor)


@contextmanager
def attempt(path: Path) -> Iterator[bool]:
    """As `exclusive`, but where somebody else is inside it says False at once instead of waiting."""
    descriptor = acquire(path)
    try:
        yield descriptor is not None
    finally:
        if descriptor is not None:
            path.unlink(missing_ok=True)
            release(descriptor)


def _has_name(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
