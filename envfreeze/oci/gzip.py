"""Gzip members (RFC 1952), writer version 1.

A gzip file is a sequence of members, and what they hold is read as one stream. So a layer can be put
together from members whose DEFLATE streams come from elsewhere: the CRC-32 and the length that a member
ends with are stated by the archive that the stream comes from. Nothing here chooses a compressor by what
the host has: either stored blocks, or libdeflate in the one version that `check_compressor` accepts.
"""

from __future__ import annotations

import functools
import hashlib
import struct
import zlib

import deflate

from envfreeze.errors import MachineError

HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
"""Ten bytes without a name and a time; the operating system is 255, unknown."""

CHUNK = 1 << 20
"""Bytes of content in one compressed member."""

HEADERS = 1 << 20
"""Bytes of headers from which on they are written without waiting for content. It shapes bytes."""

LEVEL = 6
"""libdeflate's level."""

_STORED_BLOCK = 0xFFFF
_GOLDEN_SIZE = 200_000
_GOLDEN = "6660ecd5369770a8074d1f0939ae7247dd3b7de5790099b45a9cea157d5f492a"


def crc32(data: bytes | memoryview, start: int = 0) -> int:
    """CRC-32 of `data`, going on from `start`.

    libdeflate's, not isal's: that one leaves the upper halves of the vector registers in use, and SHA-256 by
    the processor's own instructions is then a quarter slower (`tests/bench/run.py crc`).
    """
    return deflate.crc32(data, start)


def trailer(crc: int, size: int) -> bytes:
    """The end of a member: CRC-32 and length modulo 2**32 of what it holds."""
    return struct.pack("<II", crc, size & 0xFFFFFFFF)


def stored(data: bytes | memoryview, crc: int | None = None) -> list[bytes | memoryview]:
    """One member that holds `data` in stored blocks of at most 65,535 bytes, as pieces in order.

    Args:
        data: what the member holds, not empty.
        crc: its CRC-32 where it is known.

    """
    view = memoryview(data)
    pieces: list[bytes | memoryview] = [HEADER]
    for start in range(0, len(view), _STORED_BLOCK):
        block = view[start : start + _STORED_BLOCK]
        last = start + _STORED_BLOCK >= len(view)
        pieces.append(struct.pack("<BHH", last, len(block), len(block) ^ 0xFFFF))
        pieces.append(block)
    pieces.append(trailer(crc32(view) if crc is None else crc, len(view)))
    return pieces


def compressed(data: bytes | memoryview) -> bytes:
    """One member that holds `data`, at most `CHUNK` bytes, compressed by libdeflate at `LEVEL`."""
    check_compressor()
    stream = deflate.deflate_compress(data, LEVEL)
    return b"".join((HEADER, stream, trailer(crc32(data), len(data))))


def golden_input() -> bytes:
    """The text whose compressed form tells one compressor from another: numbers that repeat and vary."""
    text = b"".join(b"%d:%d;" % (number, zlib.crc32(b"%d" % number)) for number in range(20_000))
    return text[:_GOLDEN_SIZE]


@functools.cache
def check_compressor() -> None:
    """Compress the golden input and compare with what writer version 1 is bound to.

    Raises:
        MachineError: the installed libdeflate gives other bytes, so digests would differ.

    """
    got = hashlib.sha256(deflate.deflate_compress(golden_input(), LEVEL)).hexdigest()
    if got != _GOLDEN:
        raise MachineError(
            "the deflate library on this machine does not give the bytes that images are defined by",
            hint="install the pinned version: pip install deflate==0.9.0",
            details=(f"golden vector: expected {_GOLDEN}, got {got}",),
        )
