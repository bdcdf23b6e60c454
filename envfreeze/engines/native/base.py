"""A base that is an image, below the layers that are made: its blobs as they are, and the paths in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.errors import UntrustedError
from envfreeze.locking.image import dpkg, pulled
from envfreeze.locking.image import inventory as kinds
from envfreeze.oci import media
from envfreeze.oci.image import FileLayer
from envfreeze.oci.verified import open_blob

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path as FilePath
    from typing import BinaryIO

    from envfreeze.digest import Digest
    from envfreeze.engines.native.owners import Path
    from envfreeze.locking.image.inventory import Inventory, LayerContents
    from envfreeze.locking.model import ImageBase, ImageLayer
    from envfreeze.oci.image import Layer
    from envfreeze.progress import Progress
    from envfreeze.store.cache import Cache

OWNER = "the base image"
"""Who owns what the base holds."""

_USUAL = (0o755, 0, 0)


@dataclass(frozen=True, slots=True)
class _Elsewhere:
    """A `Layer` that is fetched when it is opened."""

    digest: Digest
    diff_id: Digest
    size: int
    media_type: str
    fetch: Callable[[], FilePath]

    def open(self) -> BinaryIO:
        return open_blob(self.fetch(), self.digest, self.size)


class Base:
    """The base of a target.

    Args:
        image: what the lock says of it.
        cache: has its blobs, or gets them.
        offline: fetch nothing.
        progress: told what is fetched.
        trusting: what is remembered of its layers counts; else they are read again.
        told: what somebody else says of a layer that was not read here.

    Attributes:
        hearsay: whether what it holds is known from somebody else, so that nothing of it may be remembered.

    """

    def __init__(
        self,
        image: ImageBase,
        *,
        cache: Cache,
        offline: bool,
        progress: Progress,
        trusting: bool,
        told: Callable[[ImageLayer], LayerContents | None] = lambda _: None,
    ) -> None:
        self._told = told
        self.hearsay = False
        self._image = image
        self._cache = cache
        self._offline = offline
        self._progress = progress
        self._trusting = trusting
        self._inventory: Inventory | None = None

    @property
    def inventory(self) -> Inventory:
        """What is in it.

        Raises:
            NetworkError: a layer cannot be had.
            UntrustedError: a layer is damaged, or its tar is not the locked one.

        """
        if self._inventory is None:
            self._inventory = pulled.look(
                self._image,
                cache=self._cache,
                offline=self._offline,
                progress=self._progress,
                trusting=self._trusting,
                told=self._heard,
            )
        return self._inventory

    def _heard(self, layer: ImageLayer) -> LayerContents | None:
        found = self._told(layer)
        self.hearsay = self.hearsay or found is not None
        return found

    def obtain(self, *, lean: bool = False) -> tuple[tuple[Layer, ...], bytes]:
        """Its layers under the OCI's names of their types, and its config.

        Args:
            lean: layers that the cache has not are fetched only when somebody opens them.

        Raises:
            NetworkError: a blob cannot be had.
            UntrustedError: what came is not what was locked.

        """
        image = self._image
        layers = [layer for layer in image.layers if not lean or self._cache.find(layer.digest) is not None]
        files = self._fetch(layers)
        return tuple(self._layer(layer, files) for layer in image.layers), files[image.config].read_bytes()

    def _fetch(self, layers: Sequence[ImageLayer]) -> Mapping[Digest, FilePath]:
        return pulled.obtain(
            self._image, layers, cache=self._cache, offline=self._offline, progress=self._progress
        )

    def _layer(self, layer: ImageLayer, files: Mapping[Digest, FilePath]) -> Layer:
        facts = layer.digest, layer.diff_id, layer.size, media.as_oci(layer.media_type)
        if layer.digest in files:
            return FileLayer(*facts, files[layer.digest])
        return _Elsewhere(*facts, lambda: self._fetch([layer])[layer.digest])

    def accounts(self) -> bytes:
        """Its `etc/passwd`; empty where it has none."""
        return self.inventory.read("etc/passwd") or b""

    def packages(self) -> set[str]:
        """The names of the OS packages that it has."""
        return {package.name for package in dpkg.installed(self.inventory)}

    def paths(self) -> list[Path]:
        """Its paths as `owners.listing` gives them."""
        return [
            [path, item.kind, OWNER, _identity(item)]
            for path, item in self.inventory.items.items()
            if item.kind != kinds.DIRECTORY or item[1:4] != _USUAL
        ]

    def check_folders(self, layers: Iterable[Sequence[Path]]) -> None:
        """Refuse what would take one of its folders away.

        Raises:
            UntrustedError: a package has a file or a link where the base has a folder.

        """
        for layer in layers:
            for path, kind, owner, _ in layer:
                item = self.inventory.find(path)
                if kind != kinds.DIRECTORY and item is not None and item.kind == kinds.DIRECTORY:
                    raise UntrustedError(
                        f"{owner} has /{path}, and not as a folder, where {OWNER} has one",
                        hint="the two cannot be in one image; choose another base or leave the package out",
                    )


def _identity(item: kinds.Item) -> str:
    if item.kind == kinds.DIRECTORY:
        return f"{item.mode:o} {item.uid} {item.gid}"
    return item.content if item.kind == kinds.FILE else item.link
