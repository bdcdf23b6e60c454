"""What a disk refuses, said in words: a full, read-only or forbidden file system is a `MachineError`."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from envfreeze.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Iterator

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_REFUSED: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_BROKEN: Final = frozenset({errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOLCK})


def is_full(error: OSError) -> bool:
    """Whether the disk or the quota has no room, rather than anything else."""
    return error.errno in _FULL


def in_bytes(count: int) -> str:
    """A number of bytes for people, in decimal units: `1.5 GB`."""
    value = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1000:  # noqa: PLR2004 - decimal units
            return f"{count} bytes" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def explain(error: OSError, folder: Path) -> MachineError:
    """Turn the machine's refusal, met while working in the cache `folder`, into words."""
    path = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else folder
    if is_full(error):
        return MachineError(
            f"the disk is full: {_file_system(path)} ({path})",
            hint="make room (envfreeze cache prune) or use another disk: ENVFREEZE_CACHE=/path/with/space",
        )
    if error.errno in _REFUSED:
        why = "the file system is read-only" if error.errno == errno.EROFS else "permission is denied"
        return MachineError(
            f"the cache {folder} cannot be written: {why} ({path})",
            hint="use a folder that can be written: ENVFREEZE_CACHE=/path/to/folder",
        )
    return MachineError(
        f"the cache {folder} cannot be used: {error.strerror or error} ({path})",
        hint="use another folder: ENVFREEZE_CACHE=/path/to/folder",
    )


@contextmanager
def in_words(folder: Path) -> Iterator[None]:
    """Around work on the cache `folder` alone: every `OSError` becomes a `MachineError`."""
    try:
        yield
    except OSError as error:
        raise explain(error, folder) from error


@contextmanager
def refusals_in_words(folder: Path) -> Iterator[None]:
    """Around a caller's own work in `folder`: only what the machine refuses becomes a `MachineError`.

    Other `OSError`s, and those that name a file elsewhere, are the caller's to explain.
    """
    try:
        yield
    except OSError as error:
        named = error.filename
        ours = not isinstance(named, str) or Path(named).is_relative_to(folder)
        if ours and error.errno in _FULL | _REFUSED | _BROKEN:
            raise explain(error, folder) from error
        raise


def _file_system(path: Path) -> str:
    place = path.absolute()
    while not place.exists():
        place = place.parent
    usage = shutil.disk_usage(place)
    while not place.is_mount():
        place = place.parent
    return f"{place} has {in_bytes(usage.free)} of {in_bytes(usage.total)} free"
