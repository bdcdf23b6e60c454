"""Tar headers, writer version 1.

One header per entry in the ustar format (POSIX.1-2008, pax, "ustar Interchange Format"), preceded by a
pax extended header where ustar has no room for a path, a link target or a size. Everything that could
vary is fixed: the modification time is one constant, user and group names are empty, device numbers are
zero. The rules are written down in docs/formats/writer-1.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.oci.entry import Kind

if TYPE_CHECKING:
    from envfreeze.oci.entry import Entry

BLOCK = 512
"""Bytes of a tar block."""

MTIME = 315619200
"""1980-01-02T00:00:00Z: the oldest day that zip tools accept in every time zone."""

END = bytes(2 * BLOCK)
"""The end of an archive."""

_NAME = 100
_PREFIX = 155
_LARGEST_SIZE = 0o77777777777
_ZEROS = bytes(BLOCK)


def padding(size: int) -> bytes:
    """The zeros that fill the last block of `size` bytes of content."""
    return _ZEROS[: -size % BLOCK]


def header(entry: Entry) -> bytes:
    """The header blocks of an entry: one ustar header, after a pax header where that is needed.

    Raises:
        ValueError: a number does not fit.

    """
    path = entry.path.encode() + (b"/" if entry.kind is Kind.DIRECTORY else b"")
    link = entry.link.encode()
    size = entry.size
    records = b""
    split = _split(path)
    if split is None:
        records += _record(b"path", path)
        split = _shortened(path), b""
    if len(link) > _NAME or not link.isascii():
        records += _record(b"linkpath", link)
        link = _shortened(link)
    if size > _LARGEST_SIZE:
        records += _record(b"size", b"%d" % size)
        size = 0
    name, prefix = split
    flag = entry.kind.value
    block = _block(name, prefix, entry.mode, entry.uid, entry.gid, size, flag, link)
    if not records:
        return block
    extended = _block(b"././@PaxHeader", b"", 0o644, 0, 0, len(records), b"x", b"")
    return extended + records + padding(len(records)) + block


def _block(
    name: bytes, prefix: bytes, mode: int, uid: int, gid: int, size: int, flag: bytes, link: bytes
) -> bytes:
    block = b"".join(
        (
            name.ljust(100, b"\0"),
            b"%07o\0%07o\0%07o\0%011o\0%011o\0" % (mode, uid, gid, size, MTIME),
            b"        ",
            flag,
            link.ljust(100, b"\0"),
            b"ustar\x0000",
            bytes(64),
            b"0000000\x000000000\x00",
            prefix.ljust(155, b"\0"),
            bytes(12),
        )
    )
    if len(block) != BLOCK:
        msg = f"mode {mode:o}, owner {uid}:{gid} or size {size} of {name!r} does not fit a tar header"
        raise ValueError(msg)
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def _split(path: bytes) -> tuple[bytes, bytes] | None:
    """Split a path into ustar's name and prefix; None where it does not fit or is not ASCII.

    The split is at the first slash that leaves a name of at most 100 bytes.
    """
    if not path.isascii():
        return None
    if len(path) <= _NAME:
        return path, b""
    slash = path.find(b"/", len(path) - _NAME - 1)
    if slash <= 0 or slash > _PREFIX or slash == len(path) - 1:
        return None
    return path[slash + 1 :], path[:slash]


def _shortened(text: bytes) -> bytes:
    """What stands in the ustar field when the pax header has the real value: ASCII, at most 100 bytes."""
    return text[:_NAME].decode("ascii", "replace").encode("ascii", "replace")


def _record(key: bytes, value: bytes) -> bytes:
    """A pax record: its own length in decimal, key and value (POSIX.1-2008, pax, "pax Extended Header")."""
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest) + 1
    while len(rest) + len(b"%d" % length) != length:
        length = len(rest) + len(b"%d" % length)
    return b"%d" % length + rest
