"""Decompress a package's content in constant memory, and stop where it grows out of all proportion.

The compressions are those of deb(5), conda's among them: none, gzip, xz, zstd, bzip2 and lzma. A stream that
ends early is an error; several streams behind each other are one, as the tools of each format have it.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from typing import TYPE_CHECKING, Protocol

from envfreeze.errors import UntrustedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

FLOOR = 4 << 30
"""Bytes that any member may grow to, whatever its compressed size."""

RATIO = 200
"""How many times its compressed size a member may grow to beyond `FLOOR`."""

_PIECE = 1 << 20
_XZ_MEMORY = 1 << 28
_ZSTD_WINDOW = 1 << 27
# What one call may be fed: zlib grows a byte to 1032 at most, a zstd block of 4 bytes to 128 KiB.
_ZLIB_STEP = 1 << 14
_ZSTD_STEP = 1 << 10


class _Inflater(Protocol):
    """The common part of zlib's, bz2's, lzma's and zstandard's decompression objects."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...


def inflate(
    chunks: Iterable[bytes],
    suffix: str,
    *,
    package: str,
    member: str,
    compressed: int,
    most: int | None = None,
) -> Iterator[bytes]:
    """Decompress a member.

    Args:
        chunks: its bytes.
        suffix: of its name: ``, `.gz`, `.xz`, `.zst`, `.bz2` or `.lzma`.
        package: for messages: `the Debian package bash`.
        member: for messages.
        compressed: its size in bytes, for the limit.
        most: bytes that it may grow to, where that is known; None: `FLOOR`, or `RATIO` times its size.

    Raises:
        UntrustedError: the compression is unknown, the data is corrupt or ends early, or it grows beyond
            the limit.

    """
    limit = max(FLOOR, RATIO * compressed) if most is None else most
    grown = 0
    try:
        for piece in _stream(chunks, suffix):
            grown += len(piece)
            if grown > limit:
                raise UntrustedError(
                    f"{package}: {member} grows beyond {limit} bytes from {compressed}",
                    hint="it looks like a decompression bomb; do not install it",
                )
            yield piece
    except (EOFError, OSError, ValueError, zlib.error, lzma.LZMAError) as problem:
        raise UntrustedError(
            f"{package}: {member} cannot be decompressed: {problem}",
            hint="fetch it again: envfreeze cache verify",
        ) from problem


def _stream(chunks: Iterable[bytes], suffix: str) -> Iterator[bytes]:
    if suffix == "":
        yield from chunks
        return
    makers: dict[str, Callable[[Iterable[bytes]], Iterator[bytes]]] = {
        ".gz": _gzip,
        ".xz": _xz,
        ".lzma": _lzma,
        ".bz2": _bzip2,
        ".zst": _zstd,
    }
    if suffix not in makers:
        msg = f"unknown compression {suffix!r}"
        raise ValueError(msg)
    yield from makers[suffix](chunks)


def _gzip(chunks: Iterable[bytes]) -> Iterator[bytes]:
    return _unbounded(chunks, lambda: zlib.decompressobj(31), _ZLIB_STEP)


def _zstd(chunks: Iterable[bytes]) -> Iterator[bytes]:
    import zstandard  # noqa: PLC0415 - heavy

    context = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    try:
        yield from _unbounded(chunks, context.decompressobj, _ZSTD_STEP)
    except zstandard.ZstdError as problem:
        raise ValueError(str(problem)) from problem


def _xz(chunks: Iterable[bytes]) -> Iterator[bytes]:
    return _bounded(chunks, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY))


def _lzma(chunks: Iterable[bytes]) -> Iterator[bytes]:
    return _bounded(chunks, lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_XZ_MEMORY))


def _bzip2(chunks: Iterable[bytes]) -> Iterator[bytes]:
    return _bounded(chunks, bz2.BZ2Decompressor)


class _Unbounded(_Inflater, Protocol):
    def decompress(self, data: bytes, /) -> bytes: ...


class _Bounded(_Inflater, Protocol):
    @property
    def needs_input(self) -> bool: ...

    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


def _unbounded(chunks: Iterable[bytes], make: Callable[[], _Unbounded], step: int) -> Iterator[bytes]:
    """Run decompressors that cannot bound a call's output, on small pieces of input."""
    inflater = make()
    for chunk in chunks:
        for start in range(0, len(chunk), step):
            data = chunk[start : start + step]
            while data:
                if inflater.eof:
                    inflater = make()
                yield inflater.decompress(data)
                data = inflater.unused_data if inflater.eof else b""
    if not inflater.eof:
        raise EOFError("it ends too early")


def _bounded(chunks: Iterable[bytes], make: Callable[[], _Bounded]) -> Iterator[bytes]:
    """Run decompressors that can bound a call's output."""
    inflater = make()
    for chunk in chunks:
        data = chunk
        while data:
            if inflater.eof:
                inflater = make()
            yield inflater.decompress(data, _PIECE)
            while not inflater.eof and not inflater.needs_input:
                yield inflater.decompress(b"", _PIECE)
            data = inflater.unused_data if inflater.eof else b""
    if not inflater.eof:
        raise EOFError("it ends too early")
