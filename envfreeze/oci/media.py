"""Media types of image documents and layers (image-spec, media-types.md; Docker's image manifest v2.2)."""

from __future__ import annotations

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
LAYER_ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"

DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
DOCKER_LAYER_GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip"
DOCKER_FOREIGN_LAYER_GZIP = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"

INDEXES = frozenset({INDEX, DOCKER_INDEX})
MANIFESTS = frozenset({MANIFEST, DOCKER_MANIFEST})
CONFIGS = frozenset({CONFIG, DOCKER_CONFIG})

GZIP = frozenset(
    {
        LAYER_GZIP,
        DOCKER_LAYER_GZIP,
        DOCKER_FOREIGN_LAYER_GZIP,
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    }
)
ZSTD = frozenset({LAYER_ZSTD, "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd"})
PLAIN = frozenset({LAYER, DOCKER_LAYER, "application/vnd.oci.image.layer.nondistributable.v1.tar"})
LAYERS = GZIP | ZSTD | PLAIN
"""Layers that are tars."""

FOREIGN = frozenset(
    {DOCKER_FOREIGN_LAYER_GZIP, *(one for one in LAYERS if ".layer.nondistributable." in one)}
)
"""Layers that are not in the registry but elsewhere."""

_OCI_TYPES = {DOCKER_LAYER: LAYER, DOCKER_LAYER_GZIP: LAYER_GZIP}


def as_oci(media_type: str) -> str:
    """The OCI's own name of a layer's type, for the same bytes; others stay as they are."""
    return _OCI_TYPES.get(media_type, media_type)


def is_docker(media_type: str) -> bool:
    """Whether the type is Docker's own and not the OCI's."""
    return media_type.startswith("application/vnd.docker.")
