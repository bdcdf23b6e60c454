"""What an OCI image layout holds (image-spec, image-layout.md), be it a folder or a tar file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.digest import Digest
from envfreeze.oci import canonical, media, reference
from envfreeze.oci.descriptor import Descriptor
from envfreeze.oci.image import ImageIndex
from envfreeze.oci.manifest import REF_NAME, describe, layout_index_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envfreeze.oci.image import Image, Layer

MARKER = "oci-layout"
"""The file that says that a folder is a layout."""

INDEX = "index.json"
"""The file that everything else is found from."""

BLOBS = "blobs/sha256"
"""The folder of the blobs, named by the hexadecimal part of their digests."""

_CONTAINERD_NAME = "io.containerd.image.name"

VERSION = "1.0.0"
"""The version of the layout format."""


@dataclass(frozen=True, slots=True)
class Contents:
    """The files of a layout.

    Attributes:
        digest: of the image's manifest or of the index.
        documents: path in the layout to bytes, for all that is not a layer.
        layers: path in the layout to layer; a layer that several images share stands once.

    """

    digest: Digest
    documents: Mapping[str, bytes]
    layers: Mapping[str, Layer]


def blob_path(digest: Digest) -> str:
    """Where a layout keeps a blob."""
    return f"{BLOBS}/{digest.hex}"


def contents(image: Image | ImageIndex, *, name: str | None = None) -> Contents:
    """List the files of the layout of an image.

    Args:
        image: one image, which `index.json` points at directly, or an index, which it points at in turn.
        name: becomes the annotation `org.opencontainers.image.ref.name`, and where it is a name with a tag
            also containerd's own, without which Docker's containerd store does not find the image again.

    Raises:
        UntrustedError: a manifest or config is not a JSON object.

    """
    annotations = {}
    if name:
        annotations[REF_NAME] = name
        if reference.is_tagged(name):
            annotations[_CONTAINERD_NAME] = reference.full(name)
    documents = {MARKER: canonical.dump({"imageLayoutVersion": VERSION})}
    if isinstance(image, ImageIndex):
        images = image.images
        documents[blob_path(image.digest)] = image.raw
        top = Descriptor(_index_type(image.raw), image.digest, len(image.raw), annotations=annotations)
    else:
        images = (image,)
        top = describe(image, annotations)
    documents[INDEX] = layout_index_json(top)
    layers: dict[str, Layer] = {}
    for one in images:
        documents[blob_path(one.digest)] = one.manifest
        documents[blob_path(Digest.of(one.config))] = one.config
        layers.update((blob_path(layer.digest), layer) for layer in one.layers)
    return Contents(image.digest, documents, layers)


def _index_type(raw: bytes) -> str:
    media_type = canonical.parse(raw, f"index {Digest.of(raw)}").get("mediaType")
    return media_type if isinstance(media_type, str) else media.INDEX
