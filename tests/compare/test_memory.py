"""Memory does not grow with the images: neither with the bytes in them nor with their number of files."""

from __future__ import annotations

import hashlib
import io
import tarfile
import tracemalloc
from dataclasses import dataclass

from envfreeze.compare.collected import MOST_OF_ONE_KIND
from envfreeze.compare.images import compare
from envfreeze.compare.model import Kind
from envfreeze.digest import Digest
from envfreeze.oci import media
from envfreeze.oci.image import ImageValue
from envfreeze.oci.manifest import manifest_json

CHUNK = 1 << 20


class Stream(io.RawIOBase):
    """A tar that is made while it is read."""

    def __init__(self, pieces):
        self._pieces = pieces
        self._left = b""

    def readable(self):
        return True

    def readinto(self, buffer):
        while not self._left:
            self._left = next(self._pieces, None)
            if self._left is None:
                self._left = b""
                return 0
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count


@dataclass(frozen=True)
class Made:
    """A layer that is nowhere: `pieces` makes its tar."""

    pieces: object
    diff_id: Digest
    size: int = 0
    media_type: str = media.LAYER

    @property
    def digest(self):
        return self.diff_id

    def open(self):
        return io.BufferedReader(Stream(self.pieces()), CHUNK)


def layer(pieces):
    hashed = hashlib.sha256()
    for piece in pieces():
        hashed.update(piece)
    return Made(pieces, Digest(hashed.hexdigest()))


def header(path, size):
    info = tarfile.TarInfo(path)
    info.size = size
    return info.tobuf()


def one_large_file(megabytes, last):
    def pieces():
        yield header("large.bin", (megabytes + 1) * CHUNK)
        for _ in range(megabytes):
            yield bytes(CHUNK)
        yield bytes(CHUNK - 1) + last
        yield bytes(1024)

    return layer(pieces)


def many_files(count, content):
    def pieces():
        for number in range(count):
            yield header(f"d{number % 100}/f{number}", 1) + content + bytes(511)
        yield bytes(1024)

    return layer(pieces)


def image(one):
    return ImageValue(manifest_json(b"{}", (one,)), b"{}", (one,))


def peak(old, new):
    tracemalloc.start()
    try:
        verdict = compare(image(old), image(new))
        return verdict, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_bytes():
    sizes = [peak(one_large_file(size, b"1"), one_large_file(size, b"2"))[1] for size in (8, 96)]
    assert sizes[1] < sizes[0] + (4 << 20)
    assert sizes[1] < 24 << 20


def test_memory_does_not_grow_with_the_number_of_equal_files():
    def pair(count):
        return many_files(count, b"1"), many_files(count + 1, b"1")

    (few, at_first), (verdict, in_the_end) = peak(*pair(100)), peak(*pair(800))
    assert few.counts == verdict.counts == {Kind.ADDED: 1}
    assert in_the_end < at_first + (1 << 20)


def test_all_differences_are_counted_and_some_are_listed(monkeypatch):
    assert MOST_OF_ONE_KIND > 1000
    monkeypatch.setattr("envfreeze.compare.collected.MOST_OF_ONE_KIND", 50)
    verdict = compare(image(many_files(300, b"1")), image(many_files(300, b"2")))
    assert verdict.counts == {Kind.CONTENT: 300}
    assert (len(verdict.findings), verdict.omitted) == (50, 250)


def test_times_are_listed_sparingly():
    def at(moment):
        def pieces():
            for number in range(300):
                info = tarfile.TarInfo(f"f{number}")
                info.mtime = moment
                yield info.tobuf()
            yield bytes(1024)

        return layer(pieces)

    verdict = compare(image(at(1)), image(at(2)))
    assert verdict.counts == {Kind.TIME: 300}
    assert len(verdict.findings) == 100
