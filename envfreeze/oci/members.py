"""The members of any tar, one after the other, in constant memory and whatever its maker intended.

The standard library parses; this module bounds what a hostile archive can make it do: never go back,
never read a large header into memory, never take a damaged header for the end.
"""

from __future__ import annotations

import enum
import hashlib
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from envfreeze.digest import Digest
from envfreeze.errors import UntrustedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_CHUNK = 1 << 18
_LARGEST_READ = 1 << 20
"""Bytes that the parser may ask for at once: a pax header of a megabyte is more than any tool writes."""

_MALFORMED = (
    tarfile.TarError,
    ValueError,
    OverflowError,
    LookupError,
    RecursionError,
    TypeError,
)
_XATTR = "SCHILY.xattr."


class Type(enum.Enum):
    """What a member is."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symbolic link"
    HARDLINK = "hard link"
    CHARACTER = "character device"
    BLOCK = "block device"
    FIFO = "pipe"


_TYPES = {
    tarfile.REGTYPE: Type.FILE,
    tarfile.AREGTYPE: Type.FILE,
    tarfile.CONTTYPE: Type.FILE,
    tarfile.DIRTYPE: Type.DIRECTORY,
    tarfile.SYMTYPE: Type.SYMLINK,
    tarfile.LNKTYPE: Type.HARDLINK,
    tarfile.CHRTYPE: Type.CHARACTER,
    tarfile.BLKTYPE: Type.BLOCK,
    tarfile.FIFOTYPE: Type.FIFO,
}


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a tar.

    Attributes:
        path: its name without a `./` before and slashes behind; empty for the root itself.
        written: its name as the archive has it.
        type: what it is.
        mode: permission bits, set-id and sticky bits included.
        uid: numeric owner.
        gid: numeric group.
        size: bytes of content.
        mtime: seconds since 1970.
        link: a symbolic link's target as written; a hard link's target in the form of `path`.
        device: major and minor number of a device.
        xattrs: extended attributes, sorted.
        offset: where its content begins in the tar, in bytes.
        names: user and group name.

    """

    path: str
    written: str
    type: Type
    mode: int
    uid: int
    gid: int
    size: int
    mtime: float
    link: str
    device: tuple[int, int]
    xattrs: tuple[tuple[str, str], ...]
    offset: int
    names: tuple[str, str] = ("", "")


@dataclass(slots=True)
class Content:
    """The content of the member that was handed out last."""

    _tar: tarfile.TarFile
    _info: tarfile.TarInfo

    def chunks(self) -> Iterator[bytes]:
        """Read the content in pieces, once.

        Raises:
            UntrustedError: the archive ends within it.

        """
        if not self._info.isreg() or not self._info.size:
            return
        stream = self._tar.extractfile(self._info)
        try:
            while stream is not None and (chunk := stream.read(_CHUNK)):
                yield chunk
        except tarfile.TarError as error:
            raise UntrustedError(f"the tar ends within {self._info.name!r}") from error

    def digest(self) -> Digest:
        """Digest the content."""
        hashed = hashlib.sha256()
        for chunk in self.chunks():
            hashed.update(chunk)
        return Digest(hashed.hexdigest())

    def read(self, limit: int) -> bytes | None:
        """Read the content whole; None where it has more than `limit` bytes."""
        return None if self._info.size > limit else b"".join(self.chunks())


def members(
    file: BinaryIO, *, observe: Callable[[bytes], object] | None = None, seek: bool = False
) -> Iterator[tuple[Member, Content]]:
    """Go through a tar.

    A member's content can be read until the next member is asked for.

    Args:
        file: the tar; read to the end marker, not further (`rest`).
        observe: told all bytes in their order, as hashes want them.
        seek: skip content by seeking in `file`, where nobody observes.

    Raises:
        UntrustedError: the tar is damaged, ends early, or is made to exhaust its reader.

    """
    source = _Source(file, observe, seek=seek)
    try:
        # `r:` and not `r|`: the latter reads headers of any size into memory.
        with tarfile.open(
            fileobj=cast("BinaryIO", source), mode="r:", encoding="utf-8", errors="surrogateescape"
        ) as archive:
            while (info := archive.next()) is not None:
                # It would keep every header it has read.
                cast("Any", archive).members.clear()
                yield _member(info), Content(archive, info)
    except _MALFORMED as error:
        raise UntrustedError(f"the tar is damaged near byte {source.position} ({error})") from error
    if not source.at_end():
        raise UntrustedError(f"the tar is damaged near byte {source.position}: no header is there")


def rest(file: BinaryIO, *, observe: Callable[[bytes], object] | None = None) -> bool:
    """Read what follows the end of a tar, and say whether it is only zeros, as it should be."""
    clean = True
    while chunk := file.read(_CHUNK):
        clean = clean and not chunk.strip(b"\0")
        if observe is not None:
            observe(chunk)
    return clean


def _member(info: tarfile.TarInfo) -> Member:
    kind = _TYPES.get(info.type)
    if info.issparse():
        # A few bytes could stand for any number of zeros (layer.md: "Sparse files SHOULD NOT be used").
        raise UntrustedError(f"{info.name!r} is a sparse file")
    if kind is None:
        raise UntrustedError(f"{info.name!r} has the unknown type {info.type!r}")
    xattrs = {
        key.removeprefix(_XATTR): value for key, value in info.pax_headers.items() if key.startswith(_XATTR)
    }
    return Member(
        path=normal(info.name),
        written=info.name,
        type=kind,
        mode=info.mode & 0o7777,
        uid=info.uid,
        gid=info.gid,
        size=info.size if kind is Type.FILE else 0,
        mtime=info.mtime,
        link=normal(info.linkname)
        if kind is Type.HARDLINK
        else info.linkname
        if kind is Type.SYMLINK
        else "",
        device=(info.devmajor, info.devminor) if kind in {Type.CHARACTER, Type.BLOCK} else (0, 0),
        xattrs=tuple(sorted(xattrs.items())),
        offset=info.offset_data,
        names=(info.uname, info.gname),
    )


def normal(name: str) -> str:
    """A member's name without `./` before, slashes behind, and empty or `.` parts; `..` is left in."""
    plain = name.isascii() and "//" not in name and "./" not in name and not name.endswith("/.")
    if plain and name[:1] not in {"/", "."}:
        return name.rstrip("/")
    return "/".join(part for part in name.split("/") if part not in {"", "."})


class _Source:
    """What `tarfile` reads from: forward only, and never much at once."""

    def __init__(self, file: BinaryIO, observe: Callable[[bytes], object] | None, *, seek: bool) -> None:
        self._file = file
        self._observe = observe
        self._seek = seek
        self._last: bytes | None = None
        self.position = 0

    def tell(self) -> int:
        return self.position

    def read(self, size: int) -> bytes:
        if not 0 <= size <= _LARGEST_READ:
            raise UntrustedError(f"the tar has a header of {size} bytes near byte {self.position}")
        data = self._file.read(size)
        while len(data) < size and (more := self._file.read(size - len(data))):
            data += more
        self.position += len(data)
        if self._observe is not None:
            self._observe(data)
        self._last = data
        return data

    def seek(self, position: int) -> None:
        if position < self.position:
            raise UntrustedError(f"the tar points back from byte {self.position} to {position}")
        if self._seek:
            self._file.seek(position)
            self.position = position
            return
        while self.position < position:
            if not self.read(min(position - self.position, _CHUNK)):
                return

    def at_end(self) -> bool:
        """Whether the last header read was the end marker, or the file was over."""
        return (
            self._last is not None
            and not self._last.strip(b"\0")
            and len(self._last) in {0, tarfile.BLOCKSIZE}
        )
