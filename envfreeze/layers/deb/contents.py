"""A package's `data.tar` -> entries at their merged-usr places.

The tar is parsed by the standard library and judged here; contents are slices of the buffer, so nothing is
copied. What dpkg itself would not unpack, or what a layer must not hold, is refused by name.
"""

from __future__ import annotations

import tarfile
from typing import BinaryIO

from envfreeze.errors import UntrustedError
from envfreeze.layers.deb import merged
from envfreeze.layers.tarred import headers
from envfreeze.oci.entry import Entry, Kind, Plain
from envfreeze.oci.paths import path_problem

_KINDS = {
    tarfile.REGTYPE: Kind.FILE,
    tarfile.AREGTYPE: Kind.FILE,
    tarfile.LNKTYPE: Kind.HARDLINK,
    tarfile.SYMTYPE: Kind.SYMLINK,
    tarfile.DIRTYPE: Kind.DIRECTORY,
}
_REFUSED = {
    tarfile.CHRTYPE: "a character device",
    tarfile.BLKTYPE: "a block device",
    tarfile.FIFOTYPE: "a fifo",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
}
_MODES = 0o7777
_OWNERS = 1 << 32


def unpack(buffer: memoryview, file: BinaryIO, package: str) -> tuple[list[Entry], list[str]]:
    """Read a whole data.tar.

    Args:
        buffer: the tar's bytes, which the entries' contents will be slices of.
        file: the same bytes, to read headers from.
        package: for messages.

    Returns:
        The entries in archive order with merged-usr paths, directories once each; and every name of the
        archive as dpkg lists it (`/.`, `/usr`, `/usr/bin/x`), unmerged, in archive order but symbolic links
        last, since dpkg makes them last.

    Raises:
        UntrustedError: a name leaves the root or cannot stand in a layer, a member is a device, a fifo or
            sparse, a hard link points to no earlier file of the package, a path stands twice, or the tar is
            corrupt.

    """
    entries: dict[str, Entry] = {}
    names: dict[bool, list[str]] = {False: [], True: []}
    for info in headers(file, len(buffer), f"the Debian package {package}"):
        name = _normal(info.name)
        names[info.issym()].append(f"/{name}" if name else "/.")
        if not name:
            _check_root(info, package)
            continue
        entry = _entry(info, name, buffer, package)
        if entry is None:
            continue
        earlier = entries.get(entry.path)
        if earlier is not None:
            if not earlier.kind is entry.kind is Kind.DIRECTORY:
                raise _refusal(package, info.name, "stands twice in the package")
            if name != entry.path:
                continue
        if entry.kind is Kind.HARDLINK and not _is_file(entries, entry.link):
            raise _refusal(package, info.name, f"is a hard link to {info.linkname!r}, no earlier file of it")
        entries[entry.path] = entry
    _check_parents(entries, package)
    return list(entries.values()), list(dict.fromkeys([*names[False], *names[True]]))


def _entry(info: tarfile.TarInfo, name: str, buffer: memoryview, package: str) -> Entry | None:
    problem = path_problem(name)
    if problem:
        raise _refusal(package, info.name, problem)
    kind = _KINDS.get(info.type)
    if kind is None:
        raise _refusal(package, info.name, f"is {_REFUSED.get(info.type, 'of an unknown kind')}")
    if not (0 <= info.uid < _OWNERS and 0 <= info.gid < _OWNERS):
        raise _refusal(package, info.name, "has an owner that is no user id")
    path = merged.real(name)
    mode = info.mode & _MODES
    if kind is Kind.SYMLINK:
        target = _link(info, name, package)
        if name in merged.ALIASED:
            if target.removeprefix("/").rstrip("/") != path:
                raise _refusal(package, info.name, f"links to {target!r}, where merged-usr has {path!r}")
            return None  # the system layer makes it
        return Entry(path, kind, 0o777, info.uid, info.gid, link=merged.moved_link(name, target))
    if kind is Kind.HARDLINK:
        link = _normal(info.linkname)
        problem = path_problem(link)
        if problem:
            raise _refusal(package, info.name, f"is a hard link to {info.linkname!r}, which {problem}")
        return Entry(path, kind, mode, info.uid, info.gid, link=merged.real(link))
    if kind is Kind.DIRECTORY:
        return Entry(path, kind, mode, info.uid, info.gid)
    data = buffer[info.offset_data : info.offset_data + info.size]
    return Entry(path, kind, mode, info.uid, info.gid, content=Plain(data) if info.size else None)


def _link(info: tarfile.TarInfo, name: str, package: str) -> str:
    target = info.linkname
    if not target or "\0" in target:
        raise _refusal(package, info.name, "is a symbolic link to nothing")
    try:
        target.encode()
    except UnicodeEncodeError:
        raise _refusal(package, info.name, "is a symbolic link to a name that is not UTF-8") from None
    if merged.leaves_root(name, target):
        raise _refusal(package, info.name, f"is a symbolic link to {target!r}, which leaves the root")
    return target


def _normal(name: str) -> str:
    """`./usr/bin/` and `usr/bin` are one name; `.` and `./` are the root, given as an empty name."""
    while name.startswith("./"):
        name = name[2:]
    name = name.rstrip("/") if name != "/" else name
    return "" if name == "." else name


def _is_file(entries: dict[str, Entry], path: str) -> bool:
    entry = entries.get(path)
    return entry is not None and entry.kind in {Kind.FILE, Kind.HARDLINK}


def _check_root(info: tarfile.TarInfo, package: str) -> None:
    if not info.isdir():
        raise _refusal(package, info.name, "is the root, and not a directory")


def _check_parents(entries: dict[str, Entry], package: str) -> None:
    """Refuse paths that would be written through something that is not a directory of the same package."""
    for path in entries:
        parent = path.rpartition("/")[0]
        above = entries.get(parent)
        if above is not None and above.kind is not Kind.DIRECTORY:
            raise _refusal(package, path, f"lies below {parent!r}, which is no directory in it")


def _refusal(package: str, member: str, what: str) -> UntrustedError:
    shown = member.encode("utf-8", "backslashreplace").decode()
    return UntrustedError(
        f"the Debian package {package} has a member {shown!r} that {what}",
        hint="leave the package out, or report it to the archive that it comes from",
    )
