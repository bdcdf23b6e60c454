"""One conda package, as the entries that conda would have linked into the prefix."""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from envfreeze.errors import UntrustedError
from envfreeze.layers.conda.archive import take_apart
from envfreeze.layers.conda.changed import Changed
from envfreeze.layers.conda.contents import Member, check_link, read_members
from envfreeze.layers.conda.noarch import Python, read_commands
from envfreeze.layers.conda.paths import Listed, PathKind, read_paths
from envfreeze.layers.conda.prefix import replaced
from envfreeze.layers.conda.record import FOLDER, read_index, record, record_name
from envfreeze.layers.conda.scripts import scripts_among
from envfreeze.layers.naming import named
from envfreeze.layers.spill import spilled
from envfreeze.layers.wheel.scripts import script
from envfreeze.oci.entry import Entry, Kind, Plain, directory, file, parents, symlink

if TYPE_CHECKING:
    import mmap
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from envfreeze.layers.conda.archive import Outer
    from envfreeze.locking.model import CondaPackage

_INFO = "info/"
_READ = ("index.json", "paths.json", "link.json", "files", "has_prefix", "no_link")
_MOST_READ = 256 << 20
"""Bytes of a file of `info/` that is read: the paths.json of a million paths has as much."""

_SLACK = 64 << 20
"""Bytes that a tar may have beyond twice what its files are stated to have: headers, links, padding."""

_KINDS = {
    PathKind.FILE: {Kind.FILE, Kind.HARDLINK},
    PathKind.SYMLINK: {Kind.SYMLINK},
    PathKind.DIRECTORY: {Kind.DIRECTORY},
}


@dataclass(frozen=True, slots=True)
class CondaContent:
    """An opened package; contents of entries are valid as long as the `open_conda` that made it is open.

    Attributes:
        package: what the lock says of it.
        entries: what it puts into the image, in no particular order, without parent folders.

    """

    package: CondaPackage
    entries: list[Entry]


@contextlib.contextmanager
def open_conda(
    path: Path,
    package: CondaPackage,
    scratch: Path,
    *,
    prefix: str,
    python: str | None,
    checked: bool = False,
) -> Iterator[CondaContent]:
    """Open a conda package and say what it puts where.

    Its tars are inflated into unnamed files in `scratch` that are mapped into memory and vanish at the end,
    and so is what replacing the prefix changes: memory stays constant in the size of the package.

    Args:
        path: the package.
        package: what the lock says of it.
        scratch: a folder for inflated content.
        prefix: where it is installed, without the leading slash.
        python: `3.13`: the Python that conda provides; None where it provides none.
        checked: whether its sha256 is known to be the locked one, so that it need not be computed.

    Raises:
        UntrustedError: the package is not the locked one, is damaged, would write where it must not, or has
            link scripts that the lock does not allow. The message names the package and the path.
        MachineError: it cannot be read, or there is no room in `scratch`.

    """
    with contextlib.ExitStack() as stack:
        with named(package.filename):
            outer = stack.enter_context(
                take_apart(path, package.filename, None if checked else package.digest)
            )
            opened = _Opened(package, prefix, python, scratch, stack)
            entries = opened.entries(outer, path.stat().st_size)
        yield CondaContent(package, entries)


class _Opened:
    def __init__(
        self,
        package: CondaPackage,
        prefix: str,
        python: str | None,
        scratch: Path,
        stack: contextlib.ExitStack,
    ) -> None:
        self._package = package
        self._prefix = prefix
        self._python = None if python is None else Python(python)
        self._scratch = scratch
        self._stack = stack
        self._rows: dict[str, dict[str, Any]] = {}

    def entries(self, outer: Outer, size: int) -> list[Entry]:
        package = self._package
        tar, inflated = self._spilled(outer.info.pieces())
        members = read_members(inflated, len(tar), package.filename)
        info = _info(tar, members)
        index = read_index(info.get("index.json"), package)
        self._check_python(index)
        listed = read_paths(info)
        self._check_scripts(listed)
        if outer.content is not None:
            self._check_parts(members)
            tar, inflated = self._spilled(outer.content.pieces(_most(listed)))
            members = read_members(inflated, len(tar), package.filename)
        content = {path: member for path, member in members.items() if not path.startswith(_INFO)}
        if outer.content is not None and len(content) != len(members):
            raise UntrustedError("its pkg-* holds files of info/")
        entries = self._installed(listed, content, tar, index)
        if index.get("noarch") == "python":
            entries.extend(self._commands(info.get("link.json")))
        self._check_places()
        rows = [self._rows[path] for path in sorted(self._rows, key=str.encode)]
        written = record(package, index, size, rows)
        entries.append(file(f"{self._prefix}/{FOLDER}/{record_name(package)}", written))
        return entries

    def _spilled(self, pieces: Iterator[bytes]) -> tuple[mmap.mmap, BinaryIO]:
        return self._stack.enter_context(spilled(pieces, self._scratch, self._package.filename))

    def _check_python(self, index: Mapping[str, Any]) -> None:
        if index.get("noarch") == "python" and self._python is None:
            raise UntrustedError("it is a noarch Python package, and no conda package provides python")
        modules = index.get("python_site_packages_path")
        if self._package.name != "python" or self._python is None or modules is None:
            return
        if modules != self._python.site_packages:
            raise UntrustedError(
                f"its modules lie in {modules}, and only {self._python.site_packages} is supported",
                hint="lock a build of python without free threading",
            )

    def _check_scripts(self, listed: list[Listed]) -> None:
        found = scripts_among(row.path for row in listed)
        if found and not self._package.allowed_scripts:
            raise UntrustedError(
                f"it has link scripts, which are never run: {', '.join(found)}",
                hint="allow it by name if it works without them, and lock again",
            )

    @staticmethod
    def _check_parts(members: Mapping[str, Member]) -> None:
        for path, member in members.items():
            if member.kind is not Kind.DIRECTORY and not path.startswith(_INFO):
                raise UntrustedError(f"its info-* holds {path!r}, which is not below info/")

    def _installed(
        self, listed: list[Listed], members: Mapping[str, Member], tar: mmap.mmap, index: Mapping[str, Any]
    ) -> list[Entry]:
        rows = {row.path: row for row in listed}
        unlisted = sorted(
            path for path, member in members.items() if path not in rows and member.kind is not Kind.DIRECTORY
        )
        if unlisted:
            raise UntrustedError(f"it holds {unlisted[0]!r}, which its list of paths does not name")
        python = self._python if index.get("noarch") == "python" else None
        places = {path: path if python is None else python.place(path) for path in rows}
        changed = self._stack.enter_context(Changed(self._scratch, self._package.filename))
        entries = []
        for row in listed:
            member = members.get(row.path)
            if member is None and row.kind is PathKind.DIRECTORY:
                member = Member(row.path, Kind.DIRECTORY, executable=True)
            if member is None:
                raise UntrustedError(f"it lacks {row.path!r}, which its list of paths names")
            if row.kind is not None and member.kind not in _KINDS[row.kind]:
                kind = member.kind.name.lower()
                raise UntrustedError(f"{row.path!r} is a {kind}, its list of paths says {row.kind.value}")
            if member.kind is Kind.HARDLINK and member.link not in rows:
                raise UntrustedError(
                    f"{row.path!r} is a hard link to {member.link!r}, which is not installed"
                )
            place = self._own(places[row.path], row, member)
            entries.append(self._entry(row, member, place, rows, places, tar, changed))
        return changed.finish(entries)

    def _entry(
        self,
        row: Listed,
        member: Member,
        place: str,
        rows: Mapping[str, Listed],
        places: Mapping[str, str],
        tar: mmap.mmap,
        changed: Changed,
    ) -> Entry:
        path = f"{self._prefix}/{place}"
        mode = 0o755 if member.executable else 0o644
        if member.kind is Kind.DIRECTORY:
            return directory(path)
        if member.kind is Kind.SYMLINK:
            check_link(place, member.link)
            return symlink(path, member.link)
        content = memoryview(tar)[member.start : member.start + member.size]
        self._check_content(row, content, place)
        if row.placeholder is not None and row.mode is not None:
            try:
                pieces = replaced(
                    tar,
                    member.start,
                    member.start + member.size,
                    row.placeholder,
                    f"/{self._prefix}",
                    row.mode,
                )
            except UntrustedError as error:
                raise UntrustedError(f"{row.path!r}: {error.message}") from error
            self._rows[place]["sha256_in_prefix"] = changed.add(path, pieces)
            return Entry(path, Kind.FILE, mode)
        if member.kind is Kind.HARDLINK and rows[member.link].placeholder is None:
            return Entry(path, Kind.HARDLINK, mode, link=f"{self._prefix}/{places[member.link]}")
        return Entry(path, Kind.FILE, mode, content=Plain(content) if member.size else None)

    def _check_content(self, row: Listed, content: memoryview, place: str) -> None:
        if row.size is not None and row.size != len(content):
            raise UntrustedError(f"{row.path!r} has {len(content)} bytes, its list of paths says {row.size}")
        got = hashlib.sha256(content).hexdigest()
        if row.sha256 is not None and row.sha256 != got:
            raise UntrustedError(f"{row.path!r} has the sha256 {got}, its list of paths says {row.sha256}")
        self._rows[place] |= {"sha256": got, "size_in_bytes": len(content)}

    def _own(self, place: str, row: Listed, member: Member) -> str:
        kinds = {Kind.DIRECTORY: PathKind.DIRECTORY, Kind.SYMLINK: PathKind.SYMLINK}
        self._take(place, {"path_type": kinds.get(member.kind, PathKind.FILE).value})
        if row.placeholder is not None and row.mode is not None:
            self._rows[place] |= {"file_mode": row.mode.value, "prefix_placeholder": row.placeholder}
        if row.no_link:
            self._rows[place]["no_link"] = True
        return place

    def _commands(self, link: bytes | None) -> Iterator[Entry]:
        if self._python is None:
            return
        for command in read_commands(link):
            place = f"bin/{command.name}"
            text = script(command, self._python.interpreter(self._prefix))
            self._take(
                place,
                {
                    "path_type": "unix_python_entry_point",
                    "sha256": hashlib.sha256(text).hexdigest(),
                    "size_in_bytes": len(text),
                },
            )
            yield file(f"{self._prefix}/{place}", text, mode=0o755)

    def _take(self, place: str, row: Mapping[str, Any]) -> None:
        folder, _, name = place.rpartition("/")
        if folder == FOLDER and (name == "history" or name.endswith(".json")):
            raise UntrustedError(f"it would install {place!r}, which is conda's own record")
        if place in self._rows:
            raise UntrustedError(f"two of its files would become /{self._prefix}/{place}")
        self._rows[place] = {"_path": place, **row}

    def _check_places(self) -> None:
        for place in self._rows:
            for parent in parents(place):
                if parent in self._rows and self._rows[parent]["path_type"] != PathKind.DIRECTORY.value:
                    raise UntrustedError(f"{place!r} lies below {parent!r}, which is no folder in it")


def _info(tar: mmap.mmap, members: Mapping[str, Member]) -> dict[str, bytes]:
    found = {}
    for name in _READ:
        member = members.get(f"{_INFO}{name}")
        if member is None:
            continue
        if member.kind is not Kind.FILE or member.size > _MOST_READ:
            raise UntrustedError(f"its info/{name} is no file that can be read")
        found[name] = tar[member.start : member.start + member.size]
    return found


def _most(listed: list[Listed]) -> int | None:
    """The bytes that a tar of these paths may have, where all sizes are stated."""
    sizes = [row.size for row in listed if row.kind is PathKind.FILE]
    if any(row.kind is None for row in listed) or None in sizes:
        return None
    return 2 * sum(size or 0 for size in sizes) + _SLACK
