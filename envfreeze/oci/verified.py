"""Reading blobs so that bytes with a wrong digest are never taken for right ones."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import stat
from typing import TYPE_CHECKING, BinaryIO

from envfreeze.errors import MachineError, UntrustedError

if TYPE_CHECKING:
    from pathlib import Path

    from _typeshed import WriteableBuffer

    from envfreeze.digest import Digest

_BUFFER = 1 << 18


def open_file(path: Path, digest: Digest, size: int | None) -> io.FileIO:
    """Open the file that a blob is in, without looking at its content.

    Args:
        path: the file.
        digest: of the blob, for errors.
        size: bytes that the file must have; None: any.

    Raises:
        UntrustedError: the file is missing, no regular file, or has another size.
        MachineError: it cannot be opened.

    """
    try:
        # A pipe planted in place of a blob must not block.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO}:
            raise UntrustedError(f"blob {digest} is missing: there is no {path}") from error
        raise MachineError(f"cannot read {path}: {error.strerror}") from error
    file = io.FileIO(fd, "r")
    status = os.fstat(fd)
    problem = None
    if not stat.S_ISREG(status.st_mode):
        problem = "is no regular file"
    elif size is not None and status.st_size != size:
        problem = f"has {status.st_size} bytes, not {size}"
    if problem is not None:
        file.close()
        raise UntrustedError(f"blob {digest} {problem}: {path}")
    return file


def open_blob(path: Path, digest: Digest, size: int, *, offset: int | None = None) -> BinaryIO:
    """Open a blob for reading from start to end.

    The digest is compared when the last byte is read, before that byte is handed out.

    Args:
        path: the file that holds it.
        digest: of the blob.
        size: bytes of the blob.
        offset: where the blob begins in the file; None: the file is the blob, and of that size.

    Raises:
        UntrustedError: the blob is missing, no regular file, or has another size; while reading: it ends
            early, or has another digest.
        MachineError: the file cannot be opened.

    """
    file = open_file(path, digest, size if offset is None else None)
    file.seek(offset or 0)
    return io.BufferedReader(_VerifiedReader(file, digest, size), _BUFFER)


def read_blob(path: Path, digest: Digest, size: int, *, offset: int | None = None) -> bytes:
    """Read a small blob whole.

    Raises:
        UntrustedError: as for `open_blob`.
        MachineError: as for `open_blob`.

    """
    with open_blob(path, digest, size, offset=offset) as file:
        return file.read()


class _VerifiedReader(io.RawIOBase):
    def __init__(self, file: io.FileIO, digest: Digest, size: int) -> None:
        self._file = file
        self._digest = digest
        self._size = size
        self._left = size
        self._hash = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)[: self._left]
        count = self._file.readinto(view) if self._left else 0
        if self._left and not count:
            raise UntrustedError(
                f"blob {self._digest} ends after {self._size - self._left} of {self._size} bytes"
            )
        self._hash.update(view[:count])
        self._left -= count
        if not self._left and self._hash.hexdigest() != self._digest.hex:
            raise UntrustedError(
                f"blob {self._digest} is damaged: its bytes have the digest sha256:{self._hash.hexdigest()}",
                hint="`envfreeze cache verify` removes what is damaged in the cache; then build again",
            )
        return count

    def close(self) -> None:
        self._file.close()
        super().close()
