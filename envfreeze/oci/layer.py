"""The layer writer: entries in, one gzip of a tar out, with both digests.

Every header goes into a member of stored blocks together with the padding before it, every file's content
into members of its own (docs/formats/writer-1.md). Spliced content is inflated once to compute the
diffID, and with that checked: the stream ends where the archive says and gives the length and CRC-32 that
the archive states. Memory does not depend on the size of the layer.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from isal import igzip_lib

from envfreeze.digest import Digest
from envfreeze.errors import MachineError, UntrustedError
from envfreeze.oci import gzip, tar
from envfreeze.oci.entry import Deflated, Entry, FromFile, Kind, Plain, Stored
from envfreeze.oci.paths import path_problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

_BATCH = 1 << 20
_DIRECT = 1 << 17
_TOGETHER = 1 << 17
_INFLATE_IN = 1 << 18
_INFLATE_OUT = 1 << 20
_WINDOW = 1 << 24


class ContentError(UntrustedError):
    """Spliced content is not what its archive states.

    Attributes:
        path: of the entry.

    """

    def __init__(self, path: str, what: str) -> None:
        super().__init__(f"{path}: {what}")
        self.path = path


@dataclass(frozen=True, slots=True)
class WrittenLayer:
    """What a layer turned out to be.

    Attributes:
        digest: of the blob.
        diff_id: of the tar inside.
        size: bytes of the blob.

    """

    digest: Digest
    diff_id: Digest
    size: int


def write_layer(
    entries: Iterable[Entry], fd: int, *, advance: Callable[[int], None] = lambda _: None
) -> WrittenLayer:
    """Write a layer to an open file.

    Args:
        entries: sorted by the bytes of their paths, every parent present (`entry.in_order`).
        fd: a file descriptor open for writing.
        advance: told how many bytes of the artifact have been taken up.

    Raises:
        ContentError: spliced content is not what its archive states.
        MachineError: a file of the project changed meanwhile.
        ValueError: the entries are not in order, a parent is missing, or a path is not fit for a layer.
        OSError: the file cannot be written.

    """
    writer = _Writer(fd, advance)
    for entry in _checked(entries):
        writer.header(tar.header(entry))
        if entry.content is not None:
            writer.content(entry)
    return writer.end()


def _checked(entries: Iterable[Entry]) -> Iterable[Entry]:
    previous = b""
    directories = set()
    for entry in entries:
        path = entry.path.encode()
        if path <= previous:
            msg = f"{entry.path} is out of order"
            raise ValueError(msg)
        previous = path
        problem = None if entry.hides else path_problem(entry.path)
        if problem:
            msg = f"the path {entry.path!r} {problem}"
            raise ValueError(msg)
        parent = entry.path.rpartition("/")[0]
        if parent and parent not in directories:
            msg = f"the folder of {entry.path} is missing"
            raise ValueError(msg)
        if entry.kind is Kind.DIRECTORY:
            directories.add(entry.path)
        yield entry


def inflated(path: str, content: Deflated) -> Iterator[tuple[memoryview | bytes, bytes]]:
    """Inflate a stream slice by slice: each slice (or nothing) with what came out of it.

    Raises:
        ContentError: the stream is damaged, or ends before or after where its archive says.

    """
    inflater = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_DEFLATE)
    stream, size = content.data, content.size
    total = position = 0
    while not inflater.eof:
        fed: bytes | memoryview = b""
        if inflater.needs_input:
            if position >= len(stream):
                break
            fed = stream[position : position + _INFLATE_IN]
            position += len(fed)
        try:
            # One byte more than stated shows a stream that is longer than its archive says.
            output = inflater.decompress(fed, min(_INFLATE_OUT, size - total + 1))
        except igzip_lib.IsalError as error:  # type: ignore[misc] # the stub calls it an instance
            raise ContentError(path, f"its compressed data is damaged ({error})") from error
        total += len(output)
        if total > size:
            raise ContentError(path, f"holds more than the {size} bytes that its archive states")
        yield fed, output
    if not inflater.eof or total < size:
        raise ContentError(path, "its compressed data ends early")
    if inflater.unused_data or position < len(stream):
        raise ContentError(path, "data follows after the end of its compressed data")


class _Hashed:
    """A sha256 that takes small pieces together: each call gives up the interpreter's lock, at a price."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._pieces: list[bytes | memoryview] = []
        self._held = 0

    def update(self, piece: bytes | memoryview) -> None:
        self._pieces.append(piece)
        self._held += len(piece)
        if self._held >= _TOGETHER:
            self._take()

    def hexdigest(self) -> str:
        self._take()
        return self._digest.hexdigest()

    def _take(self) -> None:
        pieces = self._pieces
        self._digest.update(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        self._pieces = []
        self._held = 0


class _Writer:
    def __init__(self, fd: int, advance: Callable[[int], None]) -> None:
        self._fd = fd
        self._advance = advance
        self._tar = _Hashed()
        self._blob = hashlib.sha256()
        self._size = 0
        self._given_back = 0
        self._pending = bytearray()
        self._batch: list[bytes | memoryview] = []
        self._batched = 0

    def header(self, block: bytes) -> None:
        self._pending += block
        if len(self._pending) >= gzip.HEADERS:
            self._flush_headers()

    def content(self, entry: Entry) -> None:
        content = entry.content
        if entry.size:
            self._flush_headers()
        match content:
            case Deflated():
                self._splice(entry.path, content)
            case Stored(data, crc):
                self._check(entry.path, gzip.crc32(data), crc)
                self._advance(len(data))
                if data:
                    self._tar.update(data)
                    self._emit(gzip.stored(data, crc))
            case Plain(data):
                view = memoryview(data)
                for start in range(0, len(view), gzip.CHUNK):
                    self._compressed(view[start : start + gzip.CHUNK])
            case FromFile(file, size):
                self._from_file(entry.path, file, size)
            case None:
                pass
        self._pending += tar.padding(entry.size)

    def _compressed(self, chunk: bytes | memoryview) -> None:
        self._tar.update(chunk)
        self._emit([gzip.compressed(chunk)])
        self._advance(len(chunk))

    def _from_file(self, path: str, file: Path, size: int) -> None:
        left = size
        with file.open("rb") as opened:
            while left and (chunk := opened.read(min(left, gzip.CHUNK))):
                left -= len(chunk)
                self._compressed(chunk)
            if left or opened.read(1):
                raise MachineError(f"{path} changed while it was read", hint="build again")

    def end(self) -> WrittenLayer:
        self._pending += tar.END
        self._flush_headers()
        self._flush()
        return WrittenLayer(Digest(self._blob.hexdigest()), Digest(self._tar.hexdigest()), self._size)

    def _flush_headers(self) -> None:
        pending = bytes(self._pending)
        self._pending.clear()
        if pending:
            self._tar.update(pending)
            self._emit(gzip.stored(pending))

    def _splice(self, path: str, content: Deflated) -> None:
        """Write a finished DEFLATE stream as a member, inflating it on the way.

        Each slice is inflated, hashed and written while the processor still has it at hand; what it turns
        out to be is known at the end, and a layer that fails there is dropped by whoever writes it.
        """
        crc = 0
        pieces: list[bytes | memoryview] = [gzip.HEADER] if content.size else []
        for fed, output in inflated(path, content):
            crc = gzip.crc32(output, crc)
            if output:
                self._tar.update(output)
            if fed:
                self._advance(len(fed))
                if content.size:
                    pieces.append(fed)
            if len(fed) == _INFLATE_IN:
                self._emit(pieces)
                pieces = []
        self._check(path, crc, content.crc)
        if content.size:
            pieces.append(gzip.trailer(crc, content.size))
            self._emit(pieces)

    @staticmethod
    def _check(path: str, crc: int, stated: int) -> None:
        if crc != stated:
            raise ContentError(path, f"its CRC-32 is {crc:08x}, its archive states {stated:08x}")

    def _emit(self, pieces: list[bytes | memoryview]) -> None:
        for piece in pieces:
            if len(piece) < _DIRECT:
                self._batch.append(piece)
                self._batched += len(piece)
            else:
                self._flush()
                for start in range(0, len(piece), _BATCH):
                    self._out(piece[start : start + _BATCH])
        if self._batched >= _BATCH:
            self._flush()

    def _flush(self) -> None:
        if self._batch:
            self._out(b"".join(self._batch))
            self._batch.clear()
            self._batched = 0

    def _out(self, data: bytes | memoryview) -> None:
        self._blob.update(data)
        self._size += len(data)
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]
        if self._size - self._given_back >= 2 * _WINDOW:
            self._give_back()

    def _give_back(self) -> None:
        """Let the disk begin with what was written, and give back the memory of what it has.

        Else gigabytes of layers push out of the page cache what others need, and on a virtual machine, where
        fresh memory comes from the host, writing them takes twice the time (posix_fadvise(2), Linux:
        DONTNEED starts the writing and drops what is clean, and waits for nothing).
        """
        with suppress(OSError):
            os.posix_fadvise(self._fd, self._given_back, 2 * _WINDOW, os.POSIX_FADV_DONTNEED)
        self._given_back += _WINDOW
