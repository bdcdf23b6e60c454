"""The zip file that a wheel is, read without trust.

`zipfile` parses the central directory; what it says is then held against the local headers (APPNOTE.TXT
4.3.7, 4.3.12), and against what a wheel may hold at all. The members' data stays where it is: what is
handed out are views into the mapped file.
"""

from __future__ import annotations

import hashlib
import mmap
import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.errors import UntrustedError
from envfreeze.oci.entry import Deflated, Stored
from envfreeze.oci.paths import path_problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from envfreeze.digest import Digest

_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_LOCAL_SIGNATURE = b"PK\x03\x04"
_ENCRYPTED = 0x1
_DESCRIPTOR = 0x8
_UTF8 = 0x800
_SPACE = 0x20
_ZIP64 = 0xFFFFFFFF
_ZIP64_EXTRA = 0x0001
_EXTRA = struct.Struct("<HH")
_ZIP64_SIZES = struct.Struct("<QQ")
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}

_PIECE = 1 << 20
_MOST_READ = 64 << 20
"""Bytes of a file of metadata: the RECORD of a hundred thousand files has a tenth of it."""

_BOMB_FLOOR = 1 << 30
_BOMB_RATIO = 200


@dataclass(frozen=True, slots=True)
class Member:
    """A file in a wheel.

    Attributes:
        name: its path in the archive.
        content: where its bytes are.
        executable: whether the archive gives anyone the right to execute it.

    """

    name: str
    content: Deflated | Stored
    executable: bool

    def pieces(self) -> Iterator[bytes]:
        """Inflate the content piece by piece, unchecked: the layer writer checks all of it.

        Raises:
            UntrustedError: the compressed data is damaged.

        """
        if isinstance(self.content, Stored):
            view = self.content.data
            yield from (bytes(view[start : start + _PIECE]) for start in range(0, len(view), _PIECE))
            return
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        fed: bytes | memoryview = self.content.data[:_PIECE]
        position = len(fed)
        try:
            while fed and not inflater.eof:
                yield inflater.decompress(fed, _PIECE)
                fed = inflater.unconsumed_tail
                if not fed:
                    fed = self.content.data[position : position + _PIECE]
                    position += len(fed)
        except zlib.error as error:
            raise UntrustedError(f"{self.name}: its compressed data is damaged ({error})") from error

    def start(self, size: int) -> bytes:
        """The first `size` bytes of the content, at most a piece.

        Raises:
            UntrustedError: as `pieces`.

        """
        return next(self.pieces(), b"")[:size]

    def read(self) -> bytes:
        """The content of a file of metadata or of a script.

        Raises:
            UntrustedError: it is larger than such a file may be, or not what the archive states.

        """
        if self.content.size > _MOST_READ:
            raise UntrustedError(f"{self.name}: has {self.content.size} bytes; at most {_MOST_READ} are read")
        data = b""
        for piece in self.pieces():
            data += piece
            if len(data) > self.content.size:
                break
        if len(data) != self.content.size or zlib.crc32(data) != self.content.crc:
            raise UntrustedError(f"{self.name}: its size or CRC-32 is not what the archive states")
        return data


def read_archive(path: Path, digest: Digest, *, checked: bool = False) -> list[Member]:
    """Read the files of a wheel whose sha256 is `digest`, in the archive's order.

    The views in the members keep the mapped file open for as long as they live.

    Args:
        path: the file.
        digest: of the file.
        checked: whether the digest is known to be right, so that it need not be computed.

    Raises:
        UntrustedError: the file is not the one that was locked, or no archive that can be trusted.

    """
    if path.stat().st_size == 0:
        raise UntrustedError("the file is empty")
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if not checked and (got := hashlib.sha256(mapped).hexdigest()) != digest.hex:
            raise UntrustedError(
                f"its sha256 is {got}, the lock has {digest.hex}",
                hint="remove it from the cache with: envfreeze cache verify",
            )
        try:
            with zipfile.ZipFile(file) as archive:
                infos = archive.infolist()
                directory = archive.start_dir
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError, struct.error) as error:
            raise UntrustedError(f"it is no zip archive that can be read: {error}") from error
    if sum(info.file_size for info in infos) > max(_BOMB_FLOOR, _BOMB_RATIO * len(mapped)):
        raise UntrustedError(f"it would unpack to more than {_BOMB_RATIO} times its size")
    return list(_members(memoryview(mapped), infos, directory))


def _members(view: memoryview, infos: list[zipfile.ZipInfo], directory: int) -> Iterator[Member]:
    seen: set[str] = set()
    end = 0
    spans: list[tuple[int, int, str]] = []
    for info in infos:
        name = info.orig_filename
        _check_name(info)
        if name in seen:
            raise UntrustedError(f"{name!r} stands in the archive twice")
        seen.add(name)
        start = _data_start(view, info, directory)
        spans.append((info.header_offset, start + info.compress_size, name))
    for begin, stop, name in sorted(spans):
        if begin < end or stop > directory:
            raise UntrustedError(f"{name!r} overlaps another member of the archive")
        end = stop
    for info, (_, stop, name) in zip(infos, spans, strict=True):
        if name.endswith("/"):
            continue
        data = view[stop - info.compress_size : stop]
        content: Deflated | Stored
        if info.compress_type == zipfile.ZIP_DEFLATED:
            content = Deflated(data, info.file_size, info.CRC)
        else:
            content = Stored(data, info.CRC)
            if info.compress_size != info.file_size:
                raise UntrustedError(f"{name!r} is stored, but its two sizes differ")
        yield Member(name, content, executable=bool(info.external_attr >> 16 & 0o111))


def _check_name(info: zipfile.ZipInfo) -> None:
    name = info.orig_filename
    problem = path_problem(name.removesuffix("/"))
    if problem is None and not name.isprintable() and any(ord(letter) < _SPACE for letter in name):
        problem = "holds a control character"
    if problem is None and not name.isascii() and not info.flag_bits & _UTF8:
        problem = "is neither ASCII nor marked as UTF-8"
    if problem is not None:
        raise UntrustedError(f"the name of member {name!r} {problem}")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind == stat.S_IFLNK:
        raise UntrustedError(f"{name!r} is a symbolic link, which wheels cannot hold")
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        raise UntrustedError(f"{name!r} is neither a file nor a folder")


def _data_start(view: memoryview, info: zipfile.ZipInfo, directory: int) -> int:
    name = info.orig_filename
    offset = info.header_offset
    if offset < 0 or offset + _LOCAL.size > directory:
        raise UntrustedError(f"the local header of {name!r} lies outside the archive")
    signature, _, flags, method, _, _, crc, compressed, size, name_length, extra_length = _LOCAL.unpack_from(
        view, offset
    )
    local_name = bytes(view[offset + _LOCAL.size : offset + _LOCAL.size + name_length])
    if info.flag_bits & _ENCRYPTED or flags & _ENCRYPTED:
        raise UntrustedError(f"{name!r} is encrypted")
    if info.compress_type not in _METHODS:
        raise UntrustedError(f"{name!r} is compressed by method {info.compress_type}, not by DEFLATE")
    if _ZIP64 in {compressed, size}:
        extra = bytes(view[offset + _LOCAL.size + name_length :][:extra_length])
        size, compressed = _zip64_sizes(extra, size, compressed)
    local = crc, compressed, size
    stated = info.CRC, info.compress_size, info.file_size
    agree = local == stated
    if not agree and flags & _DESCRIPTOR:
        # With a data descriptor the local header may leave the three numbers to what follows the data.
        agree = all(here in {0, there} for here, there in zip(local, stated, strict=True))
    same_name = local_name == name.encode("utf-8" if info.flag_bits & _UTF8 else "cp437")
    if signature != _LOCAL_SIGNATURE or not same_name or method != info.compress_type or not agree:
        raise UntrustedError(f"the local header of {name!r} disagrees with the central directory")
    return offset + _LOCAL.size + int(name_length) + int(extra_length)


def _zip64_sizes(extra: bytes, size: int, compressed: int) -> tuple[int, int]:
    """The two sizes in a local header's zip64 field (APPNOTE.TXT 4.5.3), where it has them."""
    while len(extra) >= _EXTRA.size:
        kind, length = _EXTRA.unpack_from(extra)
        if kind == _ZIP64_EXTRA and length >= _ZIP64_SIZES.size:
            size, compressed = _ZIP64_SIZES.unpack_from(extra, _EXTRA.size)
            break
        extra = extra[_EXTRA.size + length :]
    return size, compressed
