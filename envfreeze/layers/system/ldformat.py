"""The bytes of `ld.so.cache`, and the order of its entries (glibc: sysdeps/generic/dl-cache.h)."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FLAGS = {"amd64": 0x0303, "arm64": 0x0A03}
"""Architecture -> FLAG_ELF_LIBC6 with FLAG_X8664_LIB64 or FLAG_AARCH64_LIB64."""

_MAGIC = b"glibc-ld.so.cache1.1"
# magic, entries, bytes of strings, flags (2: little-endian), 3 unused, offset of the extensions, 12 unused
_HEADER = struct.Struct("<20sIIB3xI12x")
# flags, offsets of key and value, OS version, hwcap
_ENTRY = struct.Struct("<iIIIQ")
_LITTLE_ENDIAN = 2
_EXTENSIONS = struct.Struct("<II")
_EXTENSIONS_MAGIC = 0xEAA42174
# tag, flags, offset, size
_SECTION = struct.Struct("<IIII")
_GLIBC_HWCAPS = 1
_OF_GLIBC_HWCAPS = 1 << 62
_OFFSET = struct.Struct("<I")
_PARTS = re.compile(rb"[0-9]+|[^0-9]")


@dataclass(frozen=True, slots=True)
class Library:
    """An entry of the cache.

    Attributes:
        key: what the loader asks for.
        path: where it is.
        hwcaps: the folder of `glibc-hwcaps` that it is in; empty: none, it is for all processors.

    """

    key: bytes
    path: bytes
    hwcaps: bytes = b""


def natural(name: bytes) -> tuple[tuple[int, int], ...]:
    """Give what orders names as glibc's `_dl_cache_libcmp` does: runs of digits as numbers, behind the rest.

    The numbers are C's: of 32 bits, with a sign.
    """
    return tuple(
        (1, _signed(int(part[-_DIGITS:]))) if part[:1].isdigit() else (0, part[0])
        for part in _PARTS.findall(name)
    )


_DIGITS = 32
"""Digits of a number that are looked at; what is above them is a multiple of 2 to the 32nd."""


def _signed(number: int) -> int:
    return (number + 2**31) % 2**32 - 2**31


def in_order(libraries: Iterable[Library]) -> list[Library]:
    """Sort entries as ldconfig does; of equal keys those of `glibc-hwcaps` first, else as given."""
    by_place = sorted(libraries, key=lambda library: (library.hwcaps == b"", library.hwcaps))
    return sorted(by_place, key=lambda library: natural(library.key), reverse=True)


def parse(data: bytes, flags: int) -> list[Library] | None:
    """Read a cache; None where it is not of this form, or of more than one kind of library.

    Args:
        data: the file.
        flags: what each of its entries has to be, of `FLAGS`.

    """
    try:
        return _parse(data, flags)
    except (struct.error, IndexError, ValueError):
        return None


def _parse(data: bytes, flags: int) -> list[Library] | None:
    magic, count, _, _, extensions = _HEADER.unpack_from(data)
    if magic != _MAGIC:
        return None
    folders: list[bytes] = []
    if extensions:
        mark, sections = _EXTENSIONS.unpack_from(data, extensions)
        if mark != _EXTENSIONS_MAGIC:
            return None
        for number in range(sections):
            at = extensions + _EXTENSIONS.size + number * _SECTION.size
            tag, _, offset, size = _SECTION.unpack_from(data, at)
            if tag == _GLIBC_HWCAPS:
                offsets = _OFFSET.iter_unpack(data[offset : offset + size])
                folders = [_text(data, place) for (place,) in offsets]
    found = []
    for number in range(count):
        kind, key, value, _, hwcap = _ENTRY.unpack_from(data, _HEADER.size + number * _ENTRY.size)
        if kind != flags or (hwcap and not hwcap & _OF_GLIBC_HWCAPS):
            return None
        hwcaps = folders[hwcap & 0xFFFFFFFF] if hwcap else b""
        found.append(Library(_text(data, key), _text(data, value), hwcaps))
    return found


def _text(data: bytes, place: int) -> bytes:
    return data[place : data.index(b"\0", place)]


def render(libraries: Sequence[Library], flags: int) -> bytes:
    """Write the cache.

    Args:
        libraries: its entries, in their order.
        flags: what each of them is, of `FLAGS`.

    """
    folders = sorted({library.hwcaps for library in libraries} - {b""})
    place = _HEADER.size + _ENTRY.size * len(libraries)
    strings = bytearray()
    offsets: dict[bytes, int] = {}
    texts = (text for library in libraries for text in (library.key, library.path))
    for text in (*texts, *folders):
        if text not in offsets:
            offsets[text] = place + len(strings)
            strings += text + b"\0"
    extensions = b""
    start = 0
    if folders:
        used = len(strings)
        padding = -(place + used) % 4
        start = place + used + padding
        listed = b"".join(_OFFSET.pack(offsets[folder]) for folder in folders)
        at = start + _EXTENSIONS.size + _SECTION.size
        extensions = (
            bytes(padding)
            + _EXTENSIONS.pack(_EXTENSIONS_MAGIC, 1)
            + _SECTION.pack(_GLIBC_HWCAPS, 0, at, len(listed))
            + listed
        )
    head = _HEADER.pack(_MAGIC, len(libraries), len(strings), _LITTLE_ENDIAN, start)
    entries = b"".join(
        _ENTRY.pack(
            flags,
            offsets[library.key],
            offsets[library.path],
            0,
            _OF_GLIBC_HWCAPS | folders.index(library.hwcaps) if library.hwcaps else 0,
        )
        for library in libraries
    )
    return head + entries + bytes(strings) + extensions
