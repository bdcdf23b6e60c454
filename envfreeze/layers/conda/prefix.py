"""The prefix that a package was built in, replaced by the one that it lies in.

Text: every occurrence. Binary: within each NUL-terminated string that holds the placeholder, and the
string is filled up with NULs to its old length, so that no offset in the file moves. Both in UTF-8, UTF-16
and UTF-32 of either byte order. A first line that begins with `#!` and is longer than the kernel reads
becomes `#!/usr/bin/env NAME`. conda and rattler do the same.

Everything is given out in pieces, so that memory does not depend on the size of the file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.errors import UntrustedError
from envfreeze.layers.conda.paths import FileMode

if TYPE_CHECKING:
    import mmap
    from collections.abc import Iterator, Sequence

LONGEST_SHEBANG = 127
"""Bytes of a first line that every Linux reads whole (execve(2): 127 before 5.1, `#!` among them)."""

_ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
_PIECE = 1 << 20
_SHEBANG = re.compile(rb"#! *(?P<path>/(?:\\ |[^ \n\r\t])*)(?P<options>.*)", re.DOTALL)
_LONGEST_LINE = 1 << 16
"""Bytes of a first line that is looked at as one: what is longer is no line that names a program."""


def replaced(
    view: mmap.mmap, start: int, end: int, placeholder: str, prefix: str, mode: FileMode
) -> Iterator[bytes]:
    """Give a file's content with the prefix in place of the placeholder.

    Args:
        view: what holds the file.
        start: where it begins.
        end: where it ends.
        placeholder: the prefix that it was built with.
        prefix: the one that it gets, with its leading slash.
        mode: how.

    Raises:
        UntrustedError: the file is binary and the prefix longer than its placeholder.

    """
    every = [
        _Encoded(placeholder.encode(encoding), prefix.encode(encoding), "\0".encode(encoding))
        for encoding in _ENCODINGS
    ]
    found = [one for one in every if view.find(one.old, start, end) >= 0]
    if mode is FileMode.TEXT:
        return _text(view, start, end, found)
    length = len(placeholder.encode())
    if len(prefix.encode()) > length:
        raise UntrustedError(
            f"its placeholder {placeholder!r} has {length} bytes, too few for the prefix {prefix}"
        )
    return _binary(view, start, end, found)


@dataclass(frozen=True, slots=True)
class _Encoded:
    """A placeholder, the prefix and a NUL in one encoding."""

    old: bytes
    new: bytes
    nul: bytes

    def end_of_string(self, view: mmap.mmap, start: int, end: int) -> int:
        """Where the string from `start` on ends: at a NUL that is a whole letter, or where the file does."""
        width = len(self.nul)
        found = view.find(self.nul, start, end)
        while found >= 0 and (found - start) % width:
            found = view.find(self.nul, found + 1, end)
        return end if found < 0 else found


class _Places:
    """Where the placeholder stands next, in whichever encoding; each part of the file is searched once."""

    def __init__(self, view: mmap.mmap, start: int, end: int, every: Sequence[_Encoded]) -> None:
        self._view = view
        self._end = end
        self._next = dict.fromkeys(every, start - 1)

    def after(self, start: int) -> tuple[int, _Encoded | None]:
        """The first occurrence from `start` on; the file's end and None where there is none."""
        for one, known in self._next.items():
            if known < start:
                found = self._view.find(one.old, start, self._end)
                self._next[one] = self._end if found < 0 else found
        first = min(self._next, key=self._next.__getitem__, default=None)
        if first is None or self._next[first] == self._end:
            return self._end, None
        return self._next[first], first


def _text(view: mmap.mmap, start: int, end: int, every: Sequence[_Encoded]) -> Iterator[bytes]:
    if view[start : min(start + 2, end)] == b"#!":
        stop = view.find(b"\n", start, min(end, start + _LONGEST_LINE))
        stop = min(end, start + _LONGEST_LINE) if stop < 0 else stop
        if stop - start < _LONGEST_LINE:
            line = view[start:stop]
            for one in every:
                line = line.replace(one.old, one.new)
            yield shebang(line)
            start = stop
    yield from _substituted(view, start, end, every)


def shebang(line: bytes) -> bytes:
    """A first line as the kernel can read it: one that is too long names its program alone."""
    if len(line) <= LONGEST_SHEBANG:
        return line
    match = _SHEBANG.fullmatch(line)
    if match is None:
        return line
    return b"#!/usr/bin/env " + match["path"].rpartition(b"/")[2] + match["options"]


def _binary(view: mmap.mmap, start: int, end: int, every: Sequence[_Encoded]) -> Iterator[bytes]:
    places = _Places(view, start, end, every)
    while True:
        found, one = places.after(start)
        yield from _pieces(view, start, found)
        if one is None:
            return
        start = one.end_of_string(view, found, end)
        written = 0
        for piece in _substituted(view, found, start, [one]):
            written += len(piece)
            yield piece
        yield from _zeros(start - found - written)


def _substituted(view: mmap.mmap, start: int, end: int, every: Sequence[_Encoded]) -> Iterator[bytes]:
    places = _Places(view, start, end, every)
    while True:
        found, one = places.after(start)
        yield from _pieces(view, start, found)
        if one is None:
            return
        yield one.new
        start = found + len(one.old)


def _pieces(view: mmap.mmap, start: int, end: int) -> Iterator[bytes]:
    for position in range(start, end, _PIECE):
        yield view[position : min(position + _PIECE, end)]


def _zeros(count: int) -> Iterator[bytes]:
    for start in range(0, count, _PIECE):
        yield bytes(min(_PIECE, count - start))
