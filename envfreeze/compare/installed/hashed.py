"""Entries that were to become layers, as rows of the table: what is there, and the sha256 of its content."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, NamedTuple

from envfreeze.oci.entry import Deflated, Entry, FromFile, Kind, Plain, Stored
from envfreeze.oci.layer import inflated
from envfreeze.oci.members import Member, Type
from envfreeze.oci.paths import WHITEOUT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_PIECE: Final = 1 << 20
_LARGEST_SCRIPT: Final = 1 << 16
_TYPES: Final = {Kind.FILE: Type.FILE, Kind.DIRECTORY: Type.DIRECTORY, Kind.SYMLINK: Type.SYMLINK}


class Hashed(NamedTuple):
    """An expected path, free of the artifact that it came from.

    Attributes:
        member: as it would stand in a layer; of what hides a path that path.
        digest: sha256 of a file's content; empty for all else.
        hides: it takes the path away of what lies below.

    """

    member: Member
    digest: bytes
    hides: bool = False


def hashed(entries: Iterable[Entry]) -> Iterator[Hashed]:
    """Hash entries; a hard link counts as the file that it names.

    Raises:
        UntrustedError: content is not what its archive states.
        OSError: a file of the project cannot be read.

    """
    listed = list(entries)
    named = {one.path: one for one in listed}
    known: dict[str, bytes] = {}
    for one in listed:
        if one.hides:
            folder, slash, name = one.path.rpartition("/")
            hidden = f"{folder}{slash}{name.removeprefix(WHITEOUT)}"
            yield Hashed(_member(hidden, one), b"", hides=True)
            continue
        source = _source(one, named)
        if source.kind is Kind.FILE:
            if source.path not in known:
                known[source.path] = _digest(source)
            yield Hashed(_member(one.path, source), known[source.path])
        else:
            yield Hashed(_member(one.path, source), b"")


def _source(one: Entry, named: Mapping[str, Entry]) -> Entry:
    """What a hard link names, through other links if need be; who read the package saw that it is there."""
    for _ in named:
        if one.kind is not Kind.HARDLINK:
            break
        one = named[one.link]
    return one


def _member(path: str, one: Entry) -> Member:
    link = one.link if one.kind is Kind.SYMLINK else ""
    return Member(
        path=path,
        written=path,
        type=_TYPES.get(one.kind, Type.FILE),
        mode=one.mode,
        uid=one.uid,
        gid=one.gid,
        size=one.size,
        mtime=0,
        link=link,
        device=(0, 0),
        xattrs=(),
        offset=0,
    )


def _digest(one: Entry) -> bytes:
    digest = hashlib.sha256()
    match one.content:
        case None:
            pass
        case Deflated() as content:
            for _, output in inflated(one.path, content):
                digest.update(output)
        case FromFile(file, _):
            with file.open("rb") as opened:
                while chunk := opened.read(_PIECE):
                    digest.update(chunk)
        case Plain(data) | Stored(data, _):
            digest.update(data)
    return digest.digest()


def script_of(one: Entry) -> bytes | None:
    """The text of a small executable file that begins with `#!`; None: it is none."""
    if not one.mode & 0o111 or not 0 < one.size <= _LARGEST_SCRIPT:
        return None
    text = bytes_of(one)
    return text if text is not None and text.startswith(b"#!") else None


def bytes_of(one: Entry) -> bytes | None:
    """The whole content of a package's file; None: it is no file with content of its own."""
    match one.content:
        case Deflated() as content:
            return b"".join(output for _, output in inflated(one.path, content))
        case Plain(data) | Stored(data, _):
            return bytes(data)
        case _:
            return None
