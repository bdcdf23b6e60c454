"""The loader's cache, as `ldconfig` of libc-bin's trigger would leave it.

The loader has Debian's folders built in and finds their libraries without it; but it finds those of
`/etc/ld.so.conf.d` through it alone, and programs ask `ldconfig -p` what there is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from envfreeze.layers.system.elf import MACHINES, shared_object
from envfreeze.layers.system.ldformat import FLAGS, Library, in_order, natural, parse, render
from envfreeze.locking.image import inventory
from envfreeze.oci import links
from envfreeze.oci.entry import Entry, Kind, file, symlink
from envfreeze.oci.paths import path_problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from envfreeze.layers.system.tree import Tree

_CACHE = "etc/ld.so.cache"
_CONFIGURATION = "etc/ld.so.conf.d"
_HWCAPS = "glibc-hwcaps"
_BLANKS = " \t\n\v\f\r"


def entries(tree: Tree, top: Mapping[str, Entry]) -> Iterator[Entry]:
    """Make the cache, and the links to sonames that ldconfig adds, where libc-bin is among the packages.

    Args:
        tree: the packages.
        top: the entries of the other rules by path, which lie over the packages'.

    """
    architecture = tree.target.platform.architecture
    below: list[Library] | None = []
    if tree.beneath is not None:
        below = parse(tree.text_beneath(_CACHE) or b"", FLAGS[architecture])
    elif tree.package("libc-bin") is None:
        return
    if below is None:
        return  # a cache of an older form, or none: the loader finds what is in its own folders
    root = _Root(tree, top)
    found: list[Library] = []
    folders = list(_folders(root, tree.target.platform.multiarch))
    for folder in folders:
        chosen = _chosen(root, folder, MACHINES[architecture])
        for soname in sorted(chosen, key=str.encode):
            name = chosen[soname].name if folder.hwcaps else soname
            found.append(Library(soname.encode(), f"{folder.path}/{name}".encode(), folder.hwcaps.encode()))
            place = f"{folder.real}/{soname}"
            if not folder.hwcaps and root.find(place) is None:
                yield symlink(place, chosen[soname].name)
    yield file(_CACHE, render(in_order(_together(below, found, folders)), FLAGS[architecture]))


def _together(below: list[Library], found: list[Library], folders: list[_Folder]) -> list[Library]:
    """The base's libraries and those that were added, in the order of their folders."""
    if not below:
        return found
    order = {folder.path.encode(): number for number, folder in enumerate(folders)}
    both = {library.path: library for library in (*below, *found)}
    return sorted(both.values(), key=lambda library: order.get(library.path.rpartition(b"/")[0], len(order)))


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder of libraries: as it is named, what that resolves to, and its processors."""

    path: str
    real: str
    hwcaps: str = ""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A file of a folder that stands for a soname."""

    name: str
    is_link: bool

    @property
    def rank(self) -> tuple[bool, tuple[tuple[int, int], ...], bytes]:
        """A file comes before a link, the higher version before the lower one."""
        return not self.is_link, natural(self.name.encode()), self.name.encode()


@dataclass(frozen=True, slots=True)
class _Root:
    """The file system that the layers make together."""

    tree: Tree
    top: Mapping[str, Entry]
    _children: dict[str, set[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for paths in (self.tree.owners, self.top):
            for path in paths:
                folder, _, name = path.rpartition("/")
                while name and name not in self._children.setdefault(folder, set()):
                    self._children[folder].add(name)
                    folder, _, name = folder.rpartition("/")

    def find(self, path: str) -> Entry | None:
        """Give what stands at a path whose folders are no links."""
        return self.top.get(path) or self.tree.find(path) or self._beneath(path)

    def _beneath(self, path: str) -> Entry | None:
        """Give what the base has; of a file not its content."""
        item = None if self.tree.beneath is None else self.tree.beneath.find(path)
        if item is None or item.kind == inventory.OTHER:
            return None
        kind = Kind.SYMLINK if item.kind == inventory.SYMLINK else Kind[item.kind]
        return Entry(path, kind, item.mode, item.uid, item.gid, link=item.link)

    def names(self, folder: str) -> list[str]:
        """Give the names in a folder that is no link, in the order of their bytes."""
        return sorted(self._children.get(folder, ()), key=str.encode)

    def _link(self, path: str) -> str | None:
        entry = self.find(path)
        return entry.link if entry is not None and entry.kind is Kind.SYMLINK else None

    def resolve(self, path: str) -> str | None:
        """Follow every link of a path; None where it leads to nothing."""
        real = links.follow(path, self._link)
        if real is None:
            return None
        return real if real in self._children or self.find(real) is not None else None

    def content(self, path: str) -> bytes | memoryview | None:
        """Give the content of the file that a path leads to; None where that is no file."""
        real = self.resolve(path)
        entry = None if real is None else self.find(real)
        if entry is not None and entry.kind is Kind.HARDLINK:
            entry = self.tree.find(entry.link)
        if real is not None and self.tree.find(real) is None and real not in self.top:
            return None  # the base's own, which its cache has already
        if entry is None or entry.kind is not Kind.FILE:
            return None
        return b"" if entry.content is None else entry.content.data


def _folders(root: _Root, triplet: str) -> Iterator[_Folder]:
    """Give every folder that is there once, under the name that it has first."""
    seen: set[str] = set()
    builtin = (f"/lib/{triplet}", f"/usr/lib/{triplet}", "/lib", "/usr/lib")
    for path in (*_configured(root), *builtin):
        real = root.resolve(path)
        if not real or real in seen:
            continue
        seen.add(real)
        yield _Folder(path, real)
        above = root.resolve(f"{real}/{_HWCAPS}")
        for name in () if above is None else root.names(above):
            below = root.resolve(f"{above}/{name}")
            if not name.startswith(".") and ":" not in name and below is not None and below not in seen:
                seen.add(below)
                yield _Folder(f"{path}/{_HWCAPS}/{name}", below, name)


def _configured(root: _Root) -> Iterator[str]:
    """Give the folders that `*.conf` name, by file name and then by line."""
    names = set(root.names(_CONFIGURATION))
    if root.tree.beneath is not None:
        names.update(root.tree.beneath.names(_CONFIGURATION))
    for name in sorted(names, key=str.encode):
        path = f"{_CONFIGURATION}/{name}"
        content = root.content(path) if root.tree.find(path) else root.tree.text_beneath(path)
        if content is None or not name.endswith(".conf") or name.startswith("."):
            continue
        for line in bytes(content).decode("utf-8", "replace").split("\n"):
            path = line.partition("#")[0].partition("=")[0].strip(_BLANKS).rstrip("/")
            if path.startswith("/"):
                yield path


def _chosen(root: _Root, folder: _Folder, machine: int) -> dict[str, _Candidate]:
    """Give what stands for each soname in a folder, by soname."""
    chosen: dict[str, _Candidate] = {}
    for name in root.names(folder.real):
        if not name.startswith(("lib", "ld-")) or ".so" not in name:
            continue
        content = root.content(f"{folder.real}/{name}")
        library = None if content is None else shared_object(content, machine)
        if library is None:
            continue
        soname = name if library.soname is None else library.soname.decode("utf-8", "surrogateescape")
        if "/" in soname or path_problem(soname) is not None:
            continue
        is_link = _stays(root.find(f"{folder.real}/{name}"), name, soname)
        soname = name if is_link else soname
        candidate = _Candidate(name, is_link)
        if soname not in chosen or chosen[soname].rank < candidate.rank:
            chosen[soname] = candidate
    return chosen


def _stays(entry: Entry | None, name: str, soname: str) -> bool:
    """Say whether a link is listed under its own name: it is the soname's, or a compiler's (`libx.so`)."""
    if entry is None or entry.kind is not Kind.SYMLINK:
        return False
    return name == soname or (name.endswith(".so") and soname.startswith(name))
