"""Chosen files of an image as a container would see them: all layers, one on the other, whiteouts honoured.

Layers are streamed; only the chosen files are written, as plain files below a folder. No symbolic link is
made there, so no path of an image can lead out of it.
"""

from __future__ import annotations

import errno
import posixpath
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from envfreeze.errors import UntrustedError
from envfreeze.oci import media
from envfreeze.oci.inflate import inflate
from envfreeze.oci.members import Type, members, rest
from envfreeze.oci.paths import path_problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from envfreeze.oci.image import Image, Layer
    from envfreeze.oci.members import Content, Member

_LARGEST = 64 << 20
_MOST_FILES = 200_000
_MOST_LINKS = 100_000
_SHALLOW = 4
_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"


@dataclass(frozen=True, slots=True)
class Merged:
    """What was taken out of an image.

    Attributes:
        root: the folder that stands for the image's root.
        links: symbolic links near the root, path to target, as a container would see them.

    """

    root: Path
    links: Mapping[str, str]

    def resolve(self, path: str) -> str:
        """Follow links in a path of the image; both without the leading slash."""
        for _ in range(len(self.links) + 1):
            parts = [part for part in path.split("/") if part not in {"", "."}]
            heads = ("/".join(parts[:count]) for count in range(1, len(parts) + 1))
            link = next((head for head in heads if head in self.links), None)
            if link is None:
                return "/".join(parts)
            target = posixpath.join(
                "/", posixpath.dirname(link), self.links[link], *parts[link.count("/") + 1 :]
            )
            path = posixpath.normpath(target).lstrip("/")
        return path


def _none(_path: str) -> bool:
    return False


def _nobody(_size: int) -> None:
    """Tell nobody."""


def extract(
    image: Image,
    wanted: Callable[[str], bool],
    folder: Path,
    *,
    named: Callable[[str], bool] = _none,
    seen: Callable[[int], None] = _nobody,
) -> Merged:
    """Write the chosen files of an image below a folder.

    Args:
        image: the image.
        wanted: chooses by the path in the image, without the leading slash.
        folder: an empty one.
        named: chooses files of which only the name counts: they are written empty. A link counts too.
        seen: told of the compressed bytes that have been gone through.

    Returns:
        Where they are; a path that no file system takes is left out.

    Raises:
        UntrustedError: a layer is damaged, not what its digest says, or made to exhaust its reader.
        OSError: the folder cannot be written.

    """
    store = folder / "layers"
    store.mkdir()
    state = _State(store, named)
    for number, layer in enumerate(image.layers, 1):
        if layer.media_type not in media.LAYERS:
            raise UntrustedError(f"layer {number} of the image is no file system ({layer.media_type})")
        try:
            state.put(layer, wanted)
        except UntrustedError as error:
            raise UntrustedError(f"layer {number} of the image: {error.message}") from error
        seen(layer.size)
    root = folder / "root"
    root.mkdir()
    for path, file in sorted(state.files.items()):
        target = root / path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.hardlink_to(file)
        except (FileExistsError, NotADirectoryError) as error:
            raise UntrustedError(f"{path!r} is both a file and a folder in the image") from error
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            raise UntrustedError(f"{path!r} is longer than any path") from error
    return Merged(root, state.links)


@dataclass(slots=True)
class _Own:
    """What one layer brings."""

    files: dict[str, Path] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    opaque: set[str] = field(default_factory=set)
    hard: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _State:
    """The layers so far."""

    store: Path
    named: Callable[[str], bool]
    files: dict[str, Path] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    _count: int = 0

    def put(self, layer: Layer, wanted: Callable[[str], bool]) -> None:
        """Lay a layer on those so far."""
        own = _Own()
        known = self._known()
        for member, content in _read(layer):
            self._take(member, content, own, known, wanted)
        self._follow(layer, own)
        self._hide(own)
        self.files |= own.files
        self.links |= own.links
        if len(self.files) > _MOST_FILES or len(self.links) > _MOST_LINKS:
            raise UntrustedError(f"the image holds more than {_MOST_FILES} files about packages")

    def _known(self) -> set[str]:
        """Every path that a later layer could take away, with the folders above it."""
        known: set[str] = set()
        for path in (*self.files, *self.links):
            current = path
            while current and current not in known:
                known.add(current)
                current = current.rpartition("/")[0]
        return known

    def _take(
        self, member: Member, content: Content, own: _Own, known: set[str], wanted: Callable[[str], bool]
    ) -> None:
        folder, _, name = member.path.rpartition("/")
        if name == _OPAQUE:
            own.opaque.add(folder)
            return
        if name.startswith(_WHITEOUT):
            own.hidden.add(posixpath.join(folder, name.removeprefix(_WHITEOUT)))
            return
        if member.path in known and member.type is not Type.DIRECTORY:
            own.hidden.add(member.path)
        # In a layer the last of two members of one name counts.
        own.files.pop(member.path, None)
        if member.type is Type.SYMLINK and member.path.count("/") < _SHALLOW:
            own.links[member.path] = member.link
        elif member.type is Type.DIRECTORY and (member.path in self.links or member.path in self.files):
            own.hidden.add(member.path)
        if path_problem(member.path) is None:
            self._choose(member, content, own, wanted)

    def _choose(self, member: Member, content: Content, own: _Own, wanted: Callable[[str], bool]) -> None:
        if member.type is not Type.DIRECTORY and self.named(member.path):
            own.files[member.path] = self._file(b"")
        elif member.type is Type.FILE and wanted(member.path):
            own.files[member.path] = self._keep(member.path, content)
        elif member.type is Type.HARDLINK and wanted(member.path):
            own.hard[member.path] = member.link

    def _keep(self, path: str, content: Content) -> Path:
        data = content.read(_LARGEST)
        if data is None:
            raise UntrustedError(f"{path} is larger than {_LARGEST} bytes")
        return self._file(data)

    def _file(self, data: bytes) -> Path:
        self._count += 1
        if self._count > _MOST_FILES:
            raise UntrustedError(f"it holds more than {_MOST_FILES} files about packages")
        file = self.store / str(self._count)
        file.write_bytes(data)
        return file

    def _follow(self, layer: Layer, own: _Own) -> None:
        """Give hard links their content; what they link to may have to be read from the layer again."""
        for path, target in own.hard.items():
            found = own.files.get(target) or self.files.get(target)
            if found is not None:
                own.files[path] = found
        missing = {target for path, target in own.hard.items() if path not in own.files}
        if not missing:
            return
        read = {
            member.path: self._keep(member.path, content)
            for member, content in _read(layer)
            if member.type is Type.FILE and member.path in missing
        }
        own.files |= {path: read[target] for path, target in own.hard.items() if target in read}

    def _hide(self, own: _Own) -> None:
        """Take away what the layer deletes or replaces of those below it."""
        if not own.hidden and not own.opaque:
            return
        for kept in (self.files, self.links):
            for path in list(kept):
                above = path
                is_hidden = False
                while above and not is_hidden:
                    is_hidden = above in own.hidden or above.rpartition("/")[0] in own.opaque
                    above = above.rpartition("/")[0]
                if is_hidden:
                    del kept[path]


def _read(layer: Layer) -> Iterator[tuple[Member, Content]]:
    with inflate(layer.open(), layer.media_type) as stream:
        yield from members(stream)
        # To its end: only then has its digest been seen.
        rest(stream)
