"""The outer shape of a .deb: an `ar` archive of three members (deb(5)).

Nothing here knows what is in the members. Every violation is an `UntrustedError` that names the package.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.errors import UntrustedError

if TYPE_CHECKING:
    import mmap
    from collections.abc import Iterator

_MAGIC = b"!<arch>\n"
_HEADER = 60
_NAME_END = 16
_SIZE_START, _SIZE_END = 48, 58
_HEADER_END = b"`\n"
_VERSION = b"2."
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Member:
    """One member of the `ar` archive.

    Attributes:
        name: as the header has it, without padding and the trailing slash of GNU ar.
        offset: of its first byte in the file.
        size: bytes.

    """

    name: str
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Outer:
    """A .deb taken apart as far as its `ar` members.

    Attributes:
        raw: the whole file.
        control: the member `control.tar` and its suffix.
        data: the member `data.tar` and its suffix.

    """

    raw: mmap.mmap
    control: Member
    data: Member

    def chunks(self, member: Member) -> Iterator[bytes]:
        """Give a member's bytes in pieces of 64 KiB."""
        for start in range(member.offset, member.offset + member.size, _CHUNK):
            yield self.raw[start : min(start + _CHUNK, member.offset + member.size)]


def take_apart(raw: mmap.mmap, package: str) -> Outer:
    """Find the members of a .deb, in the order that deb(5) prescribes.

    Members whose name begins with `_` may stand between `debian-binary` and `control.tar` and are skipped;
    what follows `data.tar` is ignored, as dpkg does.

    Raises:
        UntrustedError: this is no .deb of format 2.

    """
    members = list(_members(raw, package))
    if not members or members[0].name != "debian-binary":
        raise _broken(package, "does not begin with debian-binary")
    version = raw[members[0].offset : members[0].offset + members[0].size]
    if not version.startswith(_VERSION) or b"\n" not in version:
        raise _broken(package, f"is of format {version[:16]!r}, and only 2.x is known")
    named = [member for member in members[1:] if not member.name.startswith("_")]
    expected = ("control.tar", "data.tar")
    if len(named) < len(expected):
        raise _broken(package, "lacks control.tar or data.tar")
    for member, stem in zip(named, expected, strict=False):
        if member.name != stem and not member.name.startswith(stem + "."):
            raise _broken(package, f"has {member.name!r} where {stem} is to stand")
    return Outer(raw, named[0], named[1])


def _members(raw: mmap.mmap, package: str) -> Iterator[Member]:
    if raw[: len(_MAGIC)] != _MAGIC:
        raise _broken(package, "is not an ar archive")
    offset = len(_MAGIC)
    end = len(raw)
    while offset < end:
        header = raw[offset : offset + _HEADER]
        if len(header) != _HEADER or not header.endswith(_HEADER_END):
            raise _broken(package, f"has a broken member header at byte {offset}")
        digits = header[_SIZE_START:_SIZE_END].rstrip(b" ")
        if not digits.isdigit():
            raise _broken(package, f"has a broken member size at byte {offset}")
        size = int(digits)
        offset += _HEADER
        if size > end - offset:
            raise _broken(package, f"ends {size - (end - offset)} bytes too early")
        name = header[:_NAME_END].rstrip(b" ").removesuffix(b"/").decode("ascii", "replace")
        yield Member(name, offset, size)
        offset += size + size % 2


def _broken(package: str, what: str) -> UntrustedError:
    return UntrustedError(
        f"the Debian package {package} {what}", hint="fetch it again: envfreeze cache verify"
    )
