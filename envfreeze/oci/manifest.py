"""The bytes of configs, manifests and indexes, writer version 1 (docs/formats/image.md).

Pure functions: equal arguments give equal bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from envfreeze.digest import Digest
from envfreeze.oci import canonical, media
from envfreeze.oci.descriptor import Descriptor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from envfreeze.oci.image import Image, Layer
    from envfreeze.oci.platform import Platform

CREATED = "1980-01-02T00:00:00Z"
"""The one moment that images are made at; layers' files have the same."""

REF_NAME = "org.opencontainers.image.ref.name"
"""The annotation that names an image in a layout (image-spec, annotations.md)."""


def config_json(
    *,
    platform: Platform,
    env: Sequence[str],
    labels: Mapping[str, str],
    user: str | None,
    workdir: str | None,
    entrypoint: Sequence[str] | None,
    cmd: Sequence[str] | None,
    layers: Sequence[tuple[Digest, str]],
) -> bytes:
    """Write an image config (image-spec, config.md).

    Args:
        platform: what the image is for.
        env: `NAME=value`, in the order that they get.
        labels: the image's labels.
        user: `name`, `uid` or `uid:gid`; None or empty: root.
        workdir: absolute path.
        entrypoint: argument list.
        cmd: argument list.
        layers: diffID and `created_by` of each layer, lowest first.

    """
    execution = {
        "Env": list(env),
        "Labels": dict(labels),
        "User": user,
        "WorkingDir": workdir,
        "Entrypoint": list(entrypoint or ()),
        "Cmd": list(cmd or ()),
    }
    document: dict[str, Any] = {
        "created": CREATED,
        "os": platform.os,
        "architecture": platform.architecture,
        "config": {key: value for key, value in execution.items() if value},
        "rootfs": {"type": "layers", "diff_ids": [str(diff_id) for diff_id, _ in layers]},
        "history": [{"created": CREATED, "created_by": created_by} for _, created_by in layers],
    }
    if platform.variant:
        document["variant"] = platform.variant
    return canonical.dump(document)


def config_json_on(
    base: Mapping[str, Any],
    *,
    platform: Platform,
    settings: Mapping[str, Any],
    base_layers: Sequence[Digest],
    layers: Sequence[tuple[Digest, str]],
) -> bytes:
    """Write the config of an image whose lowest layers are another image's.

    Args:
        base: that image's config; its history is kept, its author and moment are not.
        platform: what the image is for.
        settings: the execution parameters; those that are empty or None are left out.
        base_layers: the base's diffIDs, lowest first.
        layers: diffID and `created_by` of each layer above, lowest first.

    """
    history = base.get("history")
    listed = [entry for entry in history if isinstance(entry, dict)] if isinstance(history, list) else []
    if sum(not entry.get("empty_layer", False) for entry in listed) != len(base_layers):
        listed = [{"created": CREATED, "created_by": "base"} for _ in base_layers]
    document: dict[str, Any] = {
        "created": CREATED,
        "os": platform.os,
        "architecture": platform.architecture,
        "config": {key: value for key, value in settings.items() if value},
        "rootfs": {
            "type": "layers",
            "diff_ids": [str(diff_id) for diff_id in (*base_layers, *(diff_id for diff_id, _ in layers))],
        },
        "history": [
            *listed,
            *({"created": CREATED, "created_by": created_by} for _, created_by in layers),
        ],
    }
    variant = base.get("variant") or platform.variant
    if isinstance(variant, str):
        document["variant"] = variant
    return canonical.dump(document)


def manifest_json(config: bytes, layers: Sequence[Layer]) -> bytes:
    """Write an image manifest (image-spec, manifest.md) for a config and its layers, lowest first."""
    described = Descriptor(media.CONFIG, Digest.of(config), len(config))
    return canonical.dump(
        {
            "schemaVersion": 2,
            "mediaType": media.MANIFEST,
            "config": described.as_json(),
            "layers": [Descriptor(layer.media_type, layer.digest, layer.size).as_json() for layer in layers],
        }
    )


def index_json(images: Sequence[Image]) -> bytes:
    """Write an image index (image-spec, image-index.md) of images in the given order."""
    return _index([describe(image) for image in images])


def layout_index_json(descriptor: Descriptor) -> bytes:
    """Write the `index.json` of a layout that holds one image or one index."""
    return _index([descriptor])


def describe(image: Image, annotations: Mapping[str, str] | None = None) -> Descriptor:
    """Describe an image's manifest, with its platform as the config states it.

    Raises:
        UntrustedError: the manifest or config is not a JSON object.

    """
    manifest = canonical.parse(image.manifest, f"manifest {image.digest}")
    config = canonical.parse(image.config, f"config of {image.digest}")
    media_type = manifest.get("mediaType")
    variant = config.get("variant")
    return Descriptor(
        media_type=media_type if isinstance(media_type, str) else media.MANIFEST,
        digest=image.digest,
        size=len(image.manifest),
        platform=image.platform,
        variant=variant if isinstance(variant, str) else None,
        annotations=annotations or {},
    )


def _index(descriptors: Sequence[Descriptor]) -> bytes:
    return canonical.dump(
        {
            "schemaVersion": 2,
            "mediaType": media.INDEX,
            "manifests": [descriptor.as_json() for descriptor in descriptors],
        }
    )
