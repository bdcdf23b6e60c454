"""The members of a tar from a package, parsed by the standard library and judged here.

What a member may be is for the formats to say; that the tar is whole is said here.
"""

from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING, BinaryIO

from envfreeze.errors import UntrustedError

if TYPE_CHECKING:
    from collections.abc import Iterator


def headers(file: BinaryIO, size: int, package: str) -> Iterator[tarfile.TarInfo]:
    """Give a tar's members, and refuse a tar that does not end in zeros where its members end.

    Args:
        file: the tar, uncompressed.
        size: its bytes.
        package: for messages: `the Debian package bash`.

    Raises:
        UntrustedError: the tar is corrupt or cut short.

    """
    try:
        with tarfile.open(fileobj=file, mode="r:", encoding="utf-8", errors="surrogateescape") as tar:
            for info in tar:
                if info.size < 0 or info.offset_data + (info.size if info.isreg() else 0) > size:
                    raise _longer(package, info.name)
                yield info
            end = tar.offset
    except (tarfile.TarError, ValueError, EOFError, OverflowError) as problem:
        raise UntrustedError(
            f"{package} holds a corrupt tar: {problem}", hint="fetch it again: envfreeze cache verify"
        ) from problem
    # The library takes a broken header behind a good member for the end; the end is zeros and nothing else.
    file.seek(end)
    remaining = size - end
    if remaining < tarfile.BLOCKSIZE:
        raise UntrustedError(f"{package} holds a tar without an end")
    while piece := file.read(1 << 16):
        if piece.count(0) != len(piece):
            raise UntrustedError(f"{package} holds a tar with a broken header at {end}")


def _longer(package: str, member: str) -> UntrustedError:
    shown = member.encode("utf-8", "backslashreplace").decode()
    return UntrustedError(
        f"{package} has a member {shown!r} that is longer than the archive",
        hint="leave the package out, or report it to the archive that it comes from",
    )
