"""What stands in a layer: entries of a tar, and where their content's bytes come from.

Paths are relative POSIX paths without a leading or trailing slash: `usr/bin/env`. The layer writer
refuses a path that `paths.path_problem` has something to say about, and checks order and parents.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.oci.paths import WHITEOUT

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class Kind(enum.Enum):
    """The kinds of entry that a layer may hold; the value is the tar type flag (POSIX.1-2008, ustar)."""

    FILE = b"0"
    HARDLINK = b"1"
    SYMLINK = b"2"
    DIRECTORY = b"5"


@dataclass(frozen=True, slots=True)
class Plain:
    """Content that is compressed by the writer's own rule.

    Attributes:
        data: the content.

    """

    data: bytes | memoryview

    @property
    def size(self) -> int:
        """Bytes of content."""
        return len(self.data)


@dataclass(frozen=True, slots=True)
class FromFile:
    """Content of a file of the project, read while it is written and compressed as `Plain` is.

    Attributes:
        file: the file.
        size: bytes it had when it was looked at; another size by then is an error.

    """

    file: Path
    size: int

    @property
    def data(self) -> bytes:
        """The whole content at once, for who must look at it; the writer does not."""
        return self.file.read_bytes()


@dataclass(frozen=True, slots=True)
class Stored:
    """Content that lies uncompressed in an archive and is carried in stored blocks.

    Attributes:
        data: the content.
        crc: its CRC-32 as the archive states it; checked while it is written.

    """

    data: memoryview
    crc: int

    @property
    def size(self) -> int:
        """Bytes of content."""
        return len(self.data)


@dataclass(frozen=True, slots=True)
class Deflated:
    """Content that lies in an archive as a raw DEFLATE stream (RFC 1951) and is spliced as it is.

    Attributes:
        data: the DEFLATE stream.
        size: bytes of content, as the archive states it; checked while it is written.
        crc: CRC-32 of the content, likewise.

    """

    data: memoryview
    size: int
    crc: int


Content = Plain | FromFile | Stored | Deflated


@dataclass(frozen=True, slots=True)
class Entry:
    """One path in a layer.

    Attributes:
        path: relative POSIX path, no leading or trailing slash.
        kind: file, directory, symbolic or hard link.
        mode: permission bits, set-id and sticky bits included.
        uid: numeric owner.
        gid: numeric group.
        link: a symbolic link's target as written; a hard link's path in the same layer.
        content: of a file; None: an empty one.
        hides: it is a whiteout, an empty file whose name says what is taken away of the layers below.

    """

    path: str
    kind: Kind
    mode: int
    uid: int = 0
    gid: int = 0
    link: str = ""
    content: Content | None = None
    hides: bool = False

    @property
    def size(self) -> int:
        """Bytes of the file's content; 0 for all that is not a file."""
        return 0 if self.content is None else self.content.size


def whiteout(path: str) -> Entry:
    """What takes a path of the layers below away."""
    folder, slash, name = path.rpartition("/")
    return Entry(f"{folder}{slash}{WHITEOUT}{name}", Kind.FILE, 0o644, hides=True)


def file(path: str, data: bytes, *, mode: int = 0o644, uid: int = 0, gid: int = 0) -> Entry:
    """A file with the given content."""
    return Entry(path, Kind.FILE, mode, uid, gid, content=Plain(data))


def directory(path: str, *, mode: int = 0o755, uid: int = 0, gid: int = 0) -> Entry:
    """A directory."""
    return Entry(path, Kind.DIRECTORY, mode, uid, gid)


def symlink(path: str, target: str) -> Entry:
    """A symbolic link."""
    return Entry(path, Kind.SYMLINK, 0o777, link=target)


def parents(path: str) -> list[str]:
    """Every folder above a path, the outermost first."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[: index + 1]) for index in range(len(parts))]


def in_order(entries: Iterable[Entry]) -> list[Entry]:
    """Sort entries by the bytes of their paths and add the directories that are missing above them.

    Bytewise order puts every parent before its children. Added directories are 0755, owned by root.
    Hard links come after every file they may point to is written, so they are left where their name puts
    them only when their target sorts before them; the target is what moves: the entry that sorts first
    carries the content and the other names link to it.
    """
    found = {entry.path: entry for entry in entries}
    for path in list(found):
        parent = path.rpartition("/")[0]
        while parent and parent not in found:
            found[parent] = directory(parent)
            parent = parent.rpartition("/")[0]
    for links in _hardlink_groups(found).values():
        first, *others = sorted(links, key=str.encode)
        source = next(found[path] for path in links if found[path].kind is Kind.FILE)
        found[first] = Entry(first, Kind.FILE, source.mode, source.uid, source.gid, content=source.content)
        for other in others:
            found[other] = Entry(other, Kind.HARDLINK, source.mode, source.uid, source.gid, link=first)
    return [found[path] for path in sorted(found, key=str.encode)]


def _hardlink_groups(found: dict[str, Entry]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for entry in found.values():
        if entry.kind is not Kind.HARDLINK:
            continue
        target = entry
        seen = {entry.path}
        while target.kind is Kind.HARDLINK:
            following = found.get(target.link)
            if (
                following is None
                or following.path in seen
                or following.kind not in {Kind.FILE, Kind.HARDLINK}
            ):
                msg = f"hard link {entry.path} to {entry.link}, which is no file of the same layer"
                raise ValueError(msg)
            seen.add(following.path)
            target = following
        groups.setdefault(target.path, [target.path]).append(entry.path)
    return groups
