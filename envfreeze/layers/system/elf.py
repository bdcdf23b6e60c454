"""What a shared object says of itself: as little of ELF as the loader's cache needs, read strictly.

The structures are those of the System V ABI (gABI, chapters 4 and 5): 64-bit, little-endian.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MACHINES = {"amd64": 62, "arm64": 183}
"""Architecture -> `e_machine` (EM_X86_64, EM_AARCH64)."""

_CLASS64_LITTLE = b"\x7fELF\x02\x01"
_HEADER = struct.Struct("<16sHHIQQQIHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_DYNAMIC = struct.Struct("<qQ")
_ET_DYN = 3
_PT_LOAD, _PT_DYNAMIC = 1, 2
_DT_NULL, _DT_STRTAB, _DT_SONAME = 0, 5, 14
_LONGEST_NAME = 255


class _BrokenError(Exception):
    pass


@dataclass(frozen=True, slots=True)
class SharedObject:
    """A shared object.

    Attributes:
        soname: its DT_SONAME; None: it has none.

    """

    soname: bytes | None


@dataclass(frozen=True, slots=True)
class _Segment:
    kind: int
    offset: int
    address: int
    size: int


def shared_object(data: bytes | memoryview, machine: int) -> SharedObject | None:
    """Read a shared object for a machine; None where this is not one, or a broken one.

    Args:
        data: the file's content.
        machine: its `e_machine`.

    """
    if bytes(data[: len(_CLASS64_LITTLE)]) != _CLASS64_LITTLE:
        return None
    try:
        return _read(memoryview(data), machine)
    except _BrokenError:
        return None


def _read(data: memoryview, machine: int) -> SharedObject | None:
    _, kind, made_for, _, _, at, _, _, _, size, count = _HEADER.unpack(_piece(data, 0, _HEADER.size))
    if kind != _ET_DYN or made_for != machine or size != _SEGMENT.size:
        return None
    segments = [_segment(_piece(data, at + index * size, size)) for index in range(count)]
    dynamic = next((segment for segment in segments if segment.kind == _PT_DYNAMIC), None)
    if dynamic is None:
        return None
    values: dict[int, int] = {}
    for tag, value in _tags(_piece(data, dynamic.offset, dynamic.size)):
        values.setdefault(tag, value)
    if _DT_STRTAB not in values:
        return None
    if _DT_SONAME not in values:
        return SharedObject(None)
    place = _offset(segments, values[_DT_STRTAB]) + values[_DT_SONAME]
    found = bytes(data[place : place + _LONGEST_NAME + 1])
    name, end, _ = found.partition(b"\0")
    if not end:
        raise _BrokenError
    return SharedObject(name)


def _segment(raw: memoryview) -> _Segment:
    kind, _, offset, address, _, size, _, _ = _SEGMENT.unpack(raw)
    return _Segment(kind, offset, address, size)


def _tags(raw: memoryview) -> Iterator[tuple[int, int]]:
    for at in range(0, len(raw) - _DYNAMIC.size + 1, _DYNAMIC.size):
        tag, value = _DYNAMIC.unpack_from(raw, at)
        if tag == _DT_NULL:
            return
        yield tag, value


def _offset(segments: list[_Segment], address: int) -> int:
    """Give the place in the file of what is loaded to an address."""
    for segment in segments:
        if segment.kind == _PT_LOAD and 0 <= address - segment.address < segment.size:
            return segment.offset + address - segment.address
    raise _BrokenError


def _piece(data: memoryview, at: int, size: int) -> memoryview:
    piece = data[at : at + size]
    if len(piece) != size:
        raise _BrokenError
    return piece
