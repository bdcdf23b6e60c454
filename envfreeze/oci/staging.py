"""Writing a file or a folder beside its target and putting it in place at once.

A kill at any moment leaves the target as it was or as it was to be. What a killed process left beside it
is known by its name and by nobody holding its lock, and goes with the next write to the same target.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import hashlib
import os
import secrets
import shutil
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO

from envfreeze.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_FULL = (errno.ENOSPC, errno.EDQUOT)
_TRIES = 20


@contextmanager
def folder(target: Path) -> Iterator[Path]:
    """Fill a new folder that takes the target's place when the block ends without an error.

    Args:
        target: a folder, which is replaced, or nothing yet; missing folders above it are made.

    Yields:
        The empty folder to fill.

    Raises:
        MachineError: the disk is full or the place may not be written.

    """
    with _failures(target), _above(target):
        _sweep(target)
        with _locked(target, _new_folder) as (staged, _):
            yield staged
            _put(staged, target)


@contextmanager
def file(target: Path) -> Iterator[BinaryIO]:
    """Write a new file that takes the target's place when the block ends without an error.

    Args:
        target: a file, which is replaced, or nothing yet; missing folders above it are made.

    Yields:
        The file to write.

    Raises:
        MachineError: the disk is full or the place may not be written.

    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with _failures(target), _above(target):
        _sweep(target)
        with _locked(target, lambda path: os.open(path, flags, 0o666)) as (staged, descriptor):
            with open(descriptor, "wb", closefd=False) as output:
                yield output
            staged.replace(target)


def _new_folder(path: Path) -> int:
    path.mkdir()
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


@contextmanager
def _failures(target: Path) -> Iterator[None]:
    """Turn what the operating system says into a sentence."""
    try:
        yield
    except OSError as error:
        if error.errno is None:  # Not the operating system's: a library's own.
            raise
        hint = "free some space or choose another place" if error.errno in _FULL else "choose another place"
        raise MachineError(f"cannot write {target}: {error.strerror}", hint=hint) from error


@contextmanager
def _above(target: Path) -> Iterator[None]:
    """Make the folders above the target; on failure take away those that were made."""
    missing = [path for path in target.parents if not path.exists()]
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        for path in missing:
            with suppress(OSError):
                path.rmdir()
        raise


@contextmanager
def _locked(target: Path, make: Callable[[Path], int]) -> Iterator[tuple[Path, int]]:
    """Make a staged file or folder and hold its lock; whatever has that name at the end is removed."""
    for _ in range(_TRIES):
        staged = target.with_name(f"{_prefix(target)}{secrets.token_hex(8)}")
        try:
            descriptor = make(staged)
        except FileNotFoundError:
            if not target.parent.exists():
                raise
            continue
        try:
            # Between the making and the locking a sweep may have taken it for a leftover.
            if _lock(descriptor) and _is_same(staged, descriptor):
                yield staged, descriptor
                return
        finally:
            _remove(staged)
            os.close(descriptor)
    raise MachineError(f"cannot write {target}: others keep removing what is written beside it")


def _prefix(target: Path) -> str:
    """What staged names of this target begin with; short, since the target's own may be of full length."""
    return f".envfreeze-{hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]}-"


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        # A file system without locks: nobody can sweep there either (see `_sweep`).
        return True
    return True


def _is_same(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _sweep(target: Path) -> None:
    """Remove what killed processes left."""
    for leftover in target.parent.glob(f"{_prefix(target)}*"):
        try:
            descriptor = os.open(leftover, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue
        else:
            _remove(leftover)
        finally:
            os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def _put(staged: Path, target: Path) -> None:
    """Put a folder in the target's place; what was there is left under the staged name."""
    for _ in range(_TRIES):
        try:
            staged.rename(target)
        except OSError as error:
            if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
                raise
        else:
            return
        try:
            _exchange(staged, target)
        except FileNotFoundError:
            continue
        return
    raise MachineError(f"cannot write {target}: others keep writing to it")


def _exchange(staged: Path, target: Path) -> None:
    """Swap two paths in one step (renameat2(2)); in two where the file system cannot.

    In two steps a kill between them leaves the old folder under a staged name and no target.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    names = os.fsencode(staged), os.fsencode(target)
    if libc.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0:
        return
    number = ctypes.get_errno()
    if number not in {errno.EINVAL, errno.ENOSYS, errno.EXDEV}:
        raise OSError(number, os.strerror(number), str(target))
    aside = staged.with_name(f"{staged.name}-old")
    target.rename(aside)
    try:
        staged.rename(target)
    except BaseException:
        aside.rename(target)
        raise
    aside.rename(staged)
