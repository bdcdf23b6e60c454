"""`Entry`: one path of one layer, and its form as a row of the ledger."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from envfreeze.oci.members import Type

if TYPE_CHECKING:
    from envfreeze.oci.members import Member

REFERENCE: Final = 0
REBUILT: Final = 1
BOTH: Final = 2
"""The side of what layers hold that both images have."""

ENTRY: Final = 0
WHITEOUT: Final = 1
OPAQUE: Final = 2

_TYPES: Final = tuple(Type)
NUMBERS: Final = {kind: number for number, kind in enumerate(_TYPES)}
"""How a row tells what a path is."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One path of one layer.

    Attributes:
        side: `REFERENCE`, `REBUILT` or `BOTH`.
        layer: position of its layer in the image; of `BOTH`, in the rebuilt one.
        place: its number among the layer's members.
        path: without a leading slash; of a whiteout what it hides, of an opaque mark the directory.
        type: what it is; a hard link is what it links to.
        mode: permission bits.
        uid: numeric owner.
        gid: numeric group.
        size: bytes of content.
        mtime: seconds since 1970.
        link: target of a symbolic link; of a hard link to something that its layer does not hold, that.
        device: major and minor number.
        xattrs: extended attributes, sorted.
        names: user and group name.
        content: sha256 of the content; empty where it is no file.
        peers: the first of the names of the same file, where there are several; else empty.

    """

    side: int
    layer: int
    place: int
    path: str
    type: Type
    mode: int
    uid: int
    gid: int
    size: int
    mtime: float
    link: str
    device: tuple[int, int]
    xattrs: tuple[tuple[str, str], ...]
    names: tuple[str, str]
    content: bytes
    peers: str

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory."""
        return self.type is Type.DIRECTORY


@dataclass(frozen=True, slots=True)
class Owner:
    """A package that lists a path.

    Attributes:
        package: its name.
        source: `conda`, `pip` or `dpkg`.
        hash: what its list says of the content: `sha256:<hex>` or `md5:<hex>`; empty: nothing.

    """

    package: str
    source: str
    hash: str


@dataclass(frozen=True, slots=True)
class Package:
    """A package as a layer lists it.

    Attributes:
        source: `conda`, `pip` or `dpkg`.
        root: the folder that it is installed in; empty for the whole system.
        name: its name, normalised where its kind has a normal form.
        version: its version, with a conda package's build.

    """

    source: str
    root: str
    name: str
    version: str


def encoded(path: str) -> bytes:
    """The bytes of a name, also of one that is not UTF-8."""
    return path.encode("utf-8", "surrogateescape")


def decoded(path: bytes) -> str:
    """The name of bytes."""
    return path.decode("utf-8", "surrogateescape")


def row(slot: int, side: int, layer: int, place: int, member: Member, content: bytes) -> tuple[Any, ...]:
    """A member as a row."""
    is_link = member.type is Type.HARDLINK
    return (
        slot,
        side,
        layer,
        ENTRY,
        encoded(member.path),
        place,
        NUMBERS[member.type],
        member.mode,
        member.uid,
        member.gid,
        member.size,
        member.mtime,
        encoded(member.link),
        "{}:{}".format(*member.device),
        json.dumps(member.xattrs) if member.xattrs else "",
        json.dumps(member.names),
        content,
        encoded(member.link if is_link else member.path),
        b"",
        member.path == member.written.rstrip("/"),
    )


def mark_row(slot: int, side: int, layer: int, place: int, path: str, mark: int) -> tuple[Any, ...]:
    """A deletion as a row: of a path, or of all that is in a directory."""
    nothing = (0, 0, 0, 0, 0, 0, b"", "0:0", "", "", b"", b"", b"", True)
    return (slot, side, layer, mark, encoded(path), place, *nothing)


def entry(found: tuple[Any, ...]) -> Entry:
    """A row as an entry."""
    (
        side,
        layer,
        place,
        path,
        kind,
        mode,
        uid,
        gid,
        size,
        mtime,
        link,
        device,
        xattrs,
        names,
        content,
        peers,
    ) = found
    major, _, minor = device.partition(":")
    return Entry(
        side=side,
        layer=layer,
        place=place,
        path=decoded(path),
        type=_TYPES[kind],
        mode=mode,
        uid=uid,
        gid=gid,
        size=size,
        mtime=mtime,
        link=decoded(link),
        device=(int(major), int(minor)),
        xattrs=tuple((key, value) for key, value in json.loads(xattrs)) if xattrs else (),
        names=tuple(json.loads(names)) if names else ("", ""),
        content=content,
        peers=decoded(peers),
    )


def inside(path: bytes) -> tuple[bytes, bytes]:
    """The range of names inside a directory: `0` follows `/`. The root holds all."""
    return (path + b"/", path + b"0") if path else (b"", b"\xff" * 4)
