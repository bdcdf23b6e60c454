"""From an index or manifest to `Image` and `ImageIndex`, over any place that can hand out blobs.

Documents are small, so they are read and their digests checked at once; layers are only described.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from envfreeze.errors import UntrustedError, UsageError
from envfreeze.oci import canonical, media
from envfreeze.oci.descriptor import Descriptor, parse_digest
from envfreeze.oci.image import ImageIndex, ImageValue
from envfreeze.oci.manifest import REF_NAME

if TYPE_CHECKING:
    from envfreeze.digest import Digest
    from envfreeze.oci.image import Image, Layer

_DEEPEST = 4
_MOST_IMAGES = 1000


class Blobs(Protocol):
    """A place that holds blobs by digest."""

    def read(self, descriptor: Descriptor) -> bytes:
        """Read a small blob whole.

        Raises:
            UntrustedError: it is missing or not what the descriptor says.

        """

    def layer(self, descriptor: Descriptor, diff_id: Digest) -> Layer:
        """Make a layer that is read when it is opened.

        Raises:
            UntrustedError: it is missing.

        """


def resolve_layout(blobs: Blobs, index: bytes, *, where: str, name: str | None = None) -> Image | ImageIndex:
    """Read what the `index.json` of a layout points at.

    Args:
        blobs: the layout's blobs.
        index: the bytes of `index.json`.
        where: the layout's path, for errors.
        name: choose the entry with this `org.opencontainers.image.ref.name`. Without a name a layout of
            one entry gives that image or index, and one of several gives them all as one index.

    Raises:
        UntrustedError: a document is missing, damaged or not what it should be.
        UsageError: no entry has this name.

    """
    what = f"index.json of {where}"
    entries = _manifests(canonical.parse(index, what), what)
    if name is not None:
        entries = [entry for entry in entries if entry.annotations.get(REF_NAME) == name]
        if not entries:
            raise UsageError(f"{where} holds no image named {name}")
    if not entries:
        raise UntrustedError(f"{where} holds no image")
    walk = _Walk(blobs)
    if len(entries) == 1:
        return walk.one(entries[0])
    return ImageIndex(index, tuple(walk.images(entries, 1)))


def resolve_one(blobs: Blobs, descriptor: Descriptor) -> Image | ImageIndex:
    """Read what one descriptor names.

    Raises:
        UntrustedError: a document is missing, damaged or not what it should be.

    """
    return _Walk(blobs).one(descriptor)


@dataclass(slots=True)
class _Walk:
    blobs: Blobs
    found: int = field(default=0)

    def one(self, descriptor: Descriptor) -> Image | ImageIndex:
        if descriptor.media_type not in media.INDEXES:
            return self._image(descriptor)
        raw, entries = self._index(descriptor)
        return ImageIndex(raw, tuple(self.images(entries, 1)))

    def images(self, entries: list[Descriptor], depth: int) -> list[Image]:
        if depth > _DEEPEST:
            raise UntrustedError(f"indexes are nested more than {_DEEPEST} deep")
        images: list[Image] = []
        for entry in entries:
            if entry.media_type in media.INDEXES:
                images += self.images(self._index(entry)[1], depth + 1)
            else:
                images.append(self._image(entry))
        return images

    def _index(self, descriptor: Descriptor) -> tuple[bytes, list[Descriptor]]:
        what = f"index {descriptor.digest}"
        raw, document = self._document(descriptor, what)
        return raw, _manifests(document, what)

    def _image(self, descriptor: Descriptor) -> Image:
        self.found += 1
        if self.found > _MOST_IMAGES:
            raise UntrustedError(f"more than {_MOST_IMAGES} images in one index")
        what = f"manifest {descriptor.digest}"
        if descriptor.media_type not in media.MANIFESTS:
            raise UntrustedError(f"{what} has the media type {descriptor.media_type}, which is no image's")
        manifest, document = self._document(descriptor, what)
        config = Descriptor.parse(document.get("config"), f"config in {what}")
        listed = document.get("layers")
        if not isinstance(listed, list) or "manifests" in document:
            raise UntrustedError(f"{what} is not an image manifest")
        layers = [
            Descriptor.parse(value, f"layer {number} in {what}") for number, value in enumerate(listed, 1)
        ]
        raw, parsed = self._document(config, f"config {config.digest}", typed=False)
        if config.media_type in media.CONFIGS:
            diff_ids = _diff_ids(parsed, f"config {config.digest}")
        else:  # An artifact: its blobs are what they are, there is no tar inside.
            diff_ids = [layer.digest for layer in layers]
        if len(diff_ids) != len(layers):
            raise UntrustedError(f"{what} has {len(layers)} layers, its config {len(diff_ids)} diff_ids")
        pairs = zip(layers, diff_ids, strict=True)
        return ImageValue(manifest, raw, tuple(self.blobs.layer(layer, diff_id) for layer, diff_id in pairs))

    def _document(
        self, descriptor: Descriptor, what: str, *, typed: bool = True
    ) -> tuple[bytes, dict[str, Any]]:
        if descriptor.size > canonical.LIMIT:
            raise UntrustedError(
                f"{what} has {descriptor.size} bytes; more than {canonical.LIMIT} is refused"
            )
        raw = self.blobs.read(descriptor)
        document = canonical.parse(raw, what)
        stated = document.get("mediaType")
        if typed and stated is not None and stated != descriptor.media_type:
            raise UntrustedError(f"{what} calls itself {stated}, its descriptor {descriptor.media_type}")
        return raw, document


def _manifests(document: dict[str, Any], what: str) -> list[Descriptor]:
    listed = document.get("manifests")
    # One document with both lists would be two things to two readers (CVE-2021-41190).
    if not isinstance(listed, list) or "layers" in document:
        raise UntrustedError(f"{what} is not an image index")
    return [Descriptor.parse(value, f"entry {number} of {what}") for number, value in enumerate(listed, 1)]


def _diff_ids(config: dict[str, Any], what: str) -> list[Digest]:
    rootfs = config.get("rootfs")
    listed = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    if not isinstance(listed, list):
        raise UntrustedError(f"{what} has no rootfs.diff_ids")
    return [parse_digest(value, f"diff_id {number} of {what}") for number, value in enumerate(listed, 1)]
