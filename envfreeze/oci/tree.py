"""The rules that the names in one layer keep (image-spec, layer.md).

A layer is unpacked in its order by programs that trust it: parents come before what is in them, nothing
stands twice, nothing leads out of the root, hard links point to what is already there, and names that
begin with `.wh.` are whiteouts and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from envfreeze.errors import UntrustedError
from envfreeze.oci.members import Type

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envfreeze.oci.members import Member

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_MOST_NAMES = 5_000_000
_MOST_PROBLEMS = 50


@dataclass(slots=True)
class Tree:
    """The names of a layer so far, and what is wrong with them."""

    _types: dict[str, Type] = field(default_factory=dict)
    _implied: set[str] = field(default_factory=set)
    _awaited: dict[str, str] = field(default_factory=dict)
    _checked: str = ""
    _found: list[str] = field(default_factory=list)
    _more: int = 0

    def add(self, member: Member) -> None:
        """Take the next member.

        Raises:
            UntrustedError: the layer has more names than any real one.

        """
        for problem in self._problems(member):
            if len(self._found) < _MOST_PROBLEMS:
                self._found.append(f"{member.written!r} {problem}")
            else:
                self._more += 1
        if member.path not in self._types:
            self._types[member.path] = member.type
        if len(self._types) > _MOST_NAMES:
            raise UntrustedError(f"it holds more than {_MOST_NAMES} names")

    def problems(self) -> list[str]:
        """What is wrong, now that all members have been taken."""
        missing = [
            f"{link!r} links to {target!r}, which is not there" for target, link in self._awaited.items()
        ]
        more = [f"{self._more} more of its names break the rules"] if self._more else []
        return [*self._found, *missing[:_MOST_PROBLEMS], *more]

    def _problems(self, member: Member) -> Iterator[str]:
        path = member.path
        if not path:
            if member.type is not Type.DIRECTORY:
                yield "has no name"
            return
        yield from _name(member)
        yield from self._order(member)
        yield from self._above(path)
        yield from self._link(member)
        if _WHITEOUT in path:
            yield from _whiteout(member)

    def _order(self, member: Member) -> Iterator[str]:
        path = member.path
        if path in self._types:
            yield "stands twice in the layer"
        if path in self._implied and member.type is not Type.DIRECTORY:
            yield f"is a {member.type.value}, and something is inside it"
        elif path in self._implied:
            yield "comes after what is inside it"
            self._implied.discard(path)
        if path in self._awaited:
            yield f"comes after {self._awaited.pop(path)!r}, a hard link to it"

    def _above(self, path: str) -> Iterator[str]:
        parent = path.rpartition("/")[0]
        if parent == self._checked:
            return
        self._checked = parent
        while parent:
            kind = self._types.get(parent)
            if kind is None:
                self._implied.add(parent)
            elif kind is not Type.DIRECTORY:
                yield f"is inside {parent!r}, which is a {kind.value}"
            parent = parent.rpartition("/")[0]

    def _link(self, member: Member) -> Iterator[str]:
        if member.type is Type.SYMLINK and not member.link:
            yield "is a symbolic link to nothing"
        if member.type is not Type.HARDLINK:
            return
        if ".." in member.link.split("/"):
            yield f"is a hard link out of the root, to {member.link!r}"
            return
        kind = self._types.get(member.link)
        if kind is None:
            self._awaited.setdefault(member.link, member.path)
        elif kind is Type.DIRECTORY:
            yield f"is a hard link to {member.link!r}, which is a directory"


def _name(member: Member) -> Iterator[str]:
    if member.written.startswith("/"):
        yield "is an absolute path"
    if ".." in member.path.split("/"):
        yield "leads out of the root"
    if not _is_utf8(member.path):
        yield "is not UTF-8"
    if member.uid < 0 or member.gid < 0:
        yield f"has the owner {member.uid}:{member.gid}"


def _whiteout(member: Member) -> Iterator[str]:
    *above, name = member.path.split("/")
    if any(part.startswith(_WHITEOUT) for part in above):
        yield "is inside a whiteout"
    if not name.startswith(_WHITEOUT):
        return
    hidden = name.removeprefix(_WHITEOUT)
    if name != _OPAQUE and (hidden in {"", ".", ".."} or hidden.startswith(_WHITEOUT)):
        yield "is not a valid whiteout"
    elif member.type is not Type.FILE or member.size:
        yield "is a whiteout that is not an empty file"


def _is_utf8(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
