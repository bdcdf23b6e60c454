"""What an image holds: the paths of all its layers as one file system, and the content of a few files.

Pure: layers come as rows (`reading` makes them of blobs). Whiteouts are those of image-spec, layer.md: a
layer first takes away what it names, then adds what it has.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from envfreeze.oci import links

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

FILE, DIRECTORY, SYMLINK, HARDLINK, OTHER = "FILE", "DIRECTORY", "SYMLINK", "HARDLINK", "OTHER"

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"


class Item(NamedTuple):
    """A path of an image.

    Attributes:
        kind: `FILE`, `DIRECTORY`, `SYMLINK`, `HARDLINK` or `OTHER` (a device or a pipe).
        mode: permission bits, set-id and sticky bits included.
        uid: numeric owner.
        gid: numeric group.
        link: of a symbolic link its target as written, of a hard link the path of its file.
        content: CRC-32 in hex and size of a file's content, `0a1b2c3d-512`; empty for all else.

    """

    kind: str
    mode: int
    uid: int
    gid: int
    link: str = ""
    content: str = ""


@dataclass(frozen=True, slots=True)
class LayerContents:
    """One layer.

    Attributes:
        items: path and what is there, in the layer's order; whiteouts as they stand in it.
        texts: the contents of the files that matter, by path.

    """

    items: tuple[tuple[str, Item], ...]
    texts: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Inventory:
    """An image's file system.

    Attributes:
        items: what is at each path, without leading slashes.
        texts: the contents of the files that matter, by path.

    """

    items: Mapping[str, Item]
    texts: Mapping[str, bytes]
    _children: dict[str, set[str]] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, layers: Iterable[LayerContents]) -> Inventory:
        """Put layers on top of each other, the lowest first."""
        items: dict[str, Item] = {}
        texts: dict[str, bytes] = {}
        for layer in layers:
            _take_away(items, texts, layer)
            for path, item in layer.items:
                if _is_whiteout(path):
                    continue
                if item.kind != DIRECTORY and path in items and items[path].kind == DIRECTORY:
                    _remove_below(items, texts, {path})
                items[path] = item
                texts.pop(path, None)
                if path in layer.texts:
                    texts[path] = layer.texts[path]
        return cls(items, texts)

    def find(self, path: str) -> Item | None:
        """What is at a path whose folders are no links."""
        return self.items.get(path)

    def names(self, folder: str) -> list[str]:
        """The names in a folder that is no link, in the order of their bytes."""
        if not self._children:
            for path in self.items:
                above, _, name = path.rpartition("/")
                self._children.setdefault(above, set()).add(name)
        return sorted(self._children.get(folder, ()), key=_bytes)

    def _link(self, path: str) -> str | None:
        item = self.items.get(path)
        return item.link if item is not None and item.kind == SYMLINK else None

    def resolve(self, path: str) -> str | None:
        """Follow every link of a path; None where it leads to nothing."""
        real = links.follow(path, self._link)
        if real is None:
            return None
        return real if not real or real in self.items or self.names(real) else None

    def read(self, path: str) -> bytes | None:
        """The content of a file that matters, links followed; None where there is none."""
        real = self.resolve(path)
        if real is None:
            return None
        item = self.items.get(real)
        if item is not None and item.kind == HARDLINK:
            real = item.link
        return self.texts.get(real)

    def is_file(self, path: str) -> bool:
        """Whether a path leads to a file."""
        real = self.resolve(path)
        return real is not None and real in self.items and self.items[real].kind in {FILE, HARDLINK}

    def matching(self, prefix: str) -> Iterator[str]:
        """The paths that begin with a prefix, sorted."""
        yield from sorted(path for path in self.items if path.startswith(prefix))


def _bytes(name: str) -> bytes:
    # Names of somebody else's layers need not be UTF-8.
    return name.encode("utf-8", "surrogateescape")


def _is_whiteout(path: str) -> bool:
    return path.rpartition("/")[2].startswith(_WHITEOUT)


def _take_away(items: dict[str, Item], texts: dict[str, bytes], layer: LayerContents) -> None:
    gone: set[str] = set()
    emptied: set[str] = set()
    for path, _ in layer.items:
        folder, _, name = path.rpartition("/")
        if name == _OPAQUE:
            emptied.add(folder)
        elif name.startswith(_WHITEOUT):
            hidden = name.removeprefix(_WHITEOUT)
            gone.add(f"{folder}/{hidden}" if folder else hidden)
    if gone or emptied:
        for path in gone:
            items.pop(path, None)
            texts.pop(path, None)
        _remove_below(items, texts, gone | emptied)


def _remove_below(items: dict[str, Item], texts: dict[str, bytes], folders: set[str]) -> None:
    """Remove what is below any of the folders; `""` is the root."""
    for path in list(items):
        above = path
        while above:
            above = above.rpartition("/")[0]
            if above in folders:
                del items[path]
                texts.pop(path, None)
                break
