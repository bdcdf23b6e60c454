"""The members of a package's tar: what each path holds, before anyone says where it goes."""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from envfreeze.errors import UntrustedError
from envfreeze.layers.tarred import headers
from envfreeze.oci.entry import Kind
from envfreeze.oci.paths import path_problem

if TYPE_CHECKING:
    from collections.abc import Mapping

_KINDS = {
    tarfile.REGTYPE: Kind.FILE,
    tarfile.AREGTYPE: Kind.FILE,
    tarfile.CONTTYPE: Kind.FILE,
    tarfile.LNKTYPE: Kind.HARDLINK,
    tarfile.SYMTYPE: Kind.SYMLINK,
    tarfile.DIRTYPE: Kind.DIRECTORY,
}


@dataclass(frozen=True, slots=True)
class Member:
    """A path in a tar.

    Attributes:
        path: as conda names it, without a leading `./`.
        kind: file, directory, symbolic or hard link.
        executable: whether anyone may execute it.
        start: where its content begins in the tar.
        size: bytes of content; of a hard link those of its file.
        link: target of a symbolic link; of a hard link the path of its file, never another link.

    """

    path: str
    kind: Kind
    executable: bool
    start: int = 0
    size: int = 0
    link: str = ""


def read_members(file: BinaryIO, size: int, filename: str) -> dict[str, Member]:
    """Read a tar's members, directories left to what they hold.

    Args:
        file: the tar.
        size: its bytes.
        filename: the package's, for messages.

    Raises:
        UntrustedError: the tar is damaged, a name would leave the prefix or stands twice, a member is of a
            kind that no package has, or a hard link names no earlier file.

    """
    found: dict[str, Member] = {}
    for info in headers(file, size, filename):
        path = info.name
        while path.startswith("./"):
            path = path[2:]
        path = path.rstrip("/") if info.isdir() else path
        if info.isdir() and path in {"", "."}:
            continue
        member = _member(info, path, found)
        earlier = found.get(path)
        if earlier is not None and not earlier.kind is member.kind is Kind.DIRECTORY:
            raise UntrustedError(f"{path!r} stands in the archive twice")
        found[path] = member
    return found


def _member(info: tarfile.TarInfo, path: str, found: Mapping[str, Member]) -> Member:
    problem = path_problem(path)
    if problem is not None:
        raise UntrustedError(f"the name of member {_shown(info.name)} {problem}")
    kind = _KINDS.get(info.type)
    if kind is None:
        raise UntrustedError(f"{path!r} is neither a file, a folder nor a link")
    executable = bool(info.mode & 0o111)
    if kind is Kind.FILE:
        return Member(path, kind, executable, info.offset_data, info.size)
    if kind is Kind.DIRECTORY:
        return Member(path, kind, executable=True)
    if kind is Kind.SYMLINK:
        return Member(path, kind, executable=True, link=info.linkname)
    target = found.get(info.linkname.removeprefix("./"))
    if target is None or target.kind not in {Kind.FILE, Kind.HARDLINK}:
        raise UntrustedError(f"{path!r} is a hard link to {_shown(info.linkname)}, no earlier file of it")
    file = target.link if target.kind is Kind.HARDLINK else target.path
    return Member(path, kind, target.executable, target.start, target.size, file)


def check_link(path: str, target: str) -> None:
    """Refuse a symbolic link that leads out of the prefix.

    Args:
        path: where the link is installed, relative to the prefix.
        target: as written.

    Raises:
        UntrustedError: the target is absolute, climbs out of the prefix on its way, or is no text.

    """
    problem = None
    if not target or "\0" in target:
        problem = "to nothing"
    elif target.startswith("/"):
        problem = f"to {target!r}, out of the prefix"
    else:
        depth = path.count("/")
        for part in target.split("/"):
            depth += -1 if part == ".." else part not in {"", "."}
            if depth < 0:
                problem = f"to {target!r}, out of the prefix"
                break
    try:
        target.encode()
    except UnicodeEncodeError:
        problem = "to a name that is not UTF-8"
    if problem is not None:
        raise UntrustedError(f"{path!r} is a symbolic link {problem}")


def _shown(name: str) -> str:
    return repr(name.encode("utf-8", "backslashreplace").decode())
