"""Putting a file of the cache somewhere else without a second copy of its bytes, where that is safe.

As a reflink where the file system has them, else as a hard link to a file that nobody may write to.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from envfreeze.oci.verified import open_file

if TYPE_CHECKING:
    from pathlib import Path

    from envfreeze.digest import Digest

_FICLONE = 0x40049409
_WRITABLE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH
_NO_LINK = frozenset({errno.EXDEV, errno.EMLINK, errno.EPERM, errno.ENOTSUP, errno.EACCES})


def share(source: Path, target: Path, digest: Digest, size: int | None) -> bool:
    """Give a file a second place; False where its bytes have to be copied.

    Args:
        source: the file.
        target: a path where nothing is.
        digest: of the file, for errors.
        size: bytes that it must have; None: any.

    Raises:
        UntrustedError: the file is missing or has another size.
        MachineError: it cannot be opened.

    """
    source = source.resolve()
    with open_file(source, digest, size) as checked:
        if _reflinked(checked.fileno(), target):
            return True
        # A file that somebody may write to would change the copy when it changes.
        if os.fstat(checked.fileno()).st_mode & _WRITABLE:
            return False
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno in _NO_LINK:
            return False
        raise
    return True


def place(source: Path, target: Path, digest: Digest, size: int | None) -> None:
    """As `share`, and copied where it has to be."""
    if not share(source, target, digest, size):
        shutil.copyfile(source, target)


def _reflinked(source: int, target: Path) -> bool:
    with target.open("xb") as output:
        try:
            fcntl.ioctl(output.fileno(), _FICLONE, source)
        except OSError:
            pass
        else:
            return True
    with suppress(FileNotFoundError):
        target.unlink()
    return False
