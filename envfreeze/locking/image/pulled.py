"""Which image a base's reference is: asked of the registry once, and kept until it is to move.

What the lock then names are digests, so a tag that is pushed again or deleted changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.digest import Digest
from envfreeze.errors import NetworkError, UntrustedError, UsageError
from envfreeze.locking.image import reading
from envfreeze.locking.model import ImageBase, ImageLayer
from envfreeze.oci import canonical, media
from envfreeze.oci.descriptor import Descriptor
from envfreeze.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from envfreeze.locking.image.inventory import Inventory, LayerContents
    from envfreeze.oci.platform import Platform
    from envfreeze.oci.registry import Pulled, Registries
    from envfreeze.progress import Progress
    from envfreeze.store.cache import Cache

_ORIGIN = "org.opencontainers.image.base.name"


def ask(
    reference: str,
    platform: Platform,
    *,
    registries: Registries,
    cache: Cache,
    mirrors: Mapping[str, tuple[str, ...]] | None = None,
) -> ImageBase:
    """Ask the registry which image a reference is now; the image's config is kept in the cache.

    What the layers hold is left empty.

    Args:
        reference: as the project writes it.
        platform: of the image.
        registries: the connection.
        cache: keeps the config.
        mirrors: those that the lock names beside the registry.

    Raises:
        UsageError: it is no reference, not an image that can be a base, or not for the platform.
        NetworkError: the registry does not have it or cannot be asked.
        UntrustedError: a document is not what its digest says, or malformed.

    """
    from envfreeze.oci.registry import resolve  # noqa: PLC0415 - heavy
    from envfreeze.oci.registry.places import places  # noqa: PLC0415 - with it

    pulled = resolve(reference, platform, registries=registries, cache=cache)
    config = pulled.image.config
    with cache.writer() as writer:
        writer.file.write(config)
        writer.commit(Digest.of(config))
    return ImageBase(
        reference=reference,
        manifest=pulled.image.digest,
        index=pulled.index,
        config=Digest.of(config),
        config_size=len(config),
        places=tuple(place.name for place in places(pulled.reference.name, mirrors)),
        layers=_layers(pulled),
        env=variables(config),
    )


def _layers(pulled: Pulled) -> tuple[ImageLayer, ...]:
    layers = tuple(
        ImageLayer(layer.digest, layer.diff_id, layer.size, layer.media_type) for layer in pulled.image.layers
    )
    for layer in layers:
        if layer.media_type not in media.LAYERS or layer.media_type in media.FOREIGN:
            raise UsageError(
                f"[image] base: {pulled.reference} is not an image of layers: {layer.digest} is a "
                f"{layer.media_type}",
                hint="choose an image of a Linux file system",
            )
    if not layers:
        raise UsageError(
            f"[image] base: {pulled.reference} is empty", hint="choose another base: apt:debian/trixie"
        )
    return layers


def variables(config: bytes) -> dict[str, str]:
    """The environment variables that an image's config sets, sorted by name; of one set twice the last.

    Raises:
        UntrustedError: the config is malformed.

    """
    settings = canonical.parse(config, f"config {Digest.of(config)}").get("config") or {}
    listed = (settings.get("Env") or []) if isinstance(settings, dict) else None
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise UntrustedError(f"config {Digest.of(config)} has variables that are not text")
    pairs = (one.partition("=") for one in listed)
    found = {name: value for name, equals, value in pairs if equals and name}
    return dict(sorted(found.items()))


def origin(image: ImageBase, *, cache: Cache) -> str | None:
    """The image that a base says it was made from (image-spec, annotations.md); None: it does not say.

    Raises:
        UntrustedError: the base's config is malformed.

    """
    path = cache.find(image.config)
    if path is None:
        return None
    settings = canonical.parse(path.read_bytes(), f"config {image.config}").get("config") or {}
    labels = settings.get("Labels") if isinstance(settings, dict) else None
    name = labels.get(_ORIGIN) if isinstance(labels, dict) else None
    return name if isinstance(name, str) and name.isprintable() and name else None


def obtain(
    image: ImageBase,
    layers: Sequence[ImageLayer],
    *,
    cache: Cache,
    offline: bool = False,
    progress: Progress = SILENT,
) -> Mapping[Digest, Path]:
    """Have layers of a base, and its config, in the cache.

    Raises:
        NetworkError: a blob cannot be had.
        UntrustedError: what came is not what its digest says.

    """
    blobs = [Descriptor(layer.media_type, layer.digest, layer.size) for layer in layers]
    blobs.append(Descriptor(media.CONFIG, image.config, image.config_size))
    found = {blob.digest: path for blob in blobs if (path := _sound(blob.digest, cache)) is not None}
    missing = [blob for blob in blobs if blob.digest not in found]
    if not missing:
        return found
    if offline:
        raise NetworkError(
            f"{image.reference}: {len(missing)} of its {len(image.layers) + 1} files are not in the cache, "
            "and nothing is fetched offline",
            hint="run it once without --offline",
        )
    from envfreeze.oci.registry import Registries  # noqa: PLC0415 - heavy

    with Registries(progress=progress) as registries:
        return found | registries.fetch(cache, image.places, missing)


def _sound(digest: Digest, cache: Cache) -> Path | None:
    """The blob in the cache, hashed where it may have changed since; a damaged one is thrown away."""
    path = cache.find(digest)
    if path is None or cache.checked(digest):
        return path
    if Digest.of_file(path) != digest:
        cache.discard(digest)
        return None
    cache.note_checked(digest)
    return path


def look(
    image: ImageBase,
    *,
    cache: Cache,
    offline: bool = False,
    progress: Progress = SILENT,
    trusting: bool = True,
    told: Callable[[ImageLayer], LayerContents | None] = lambda _: None,
) -> Inventory:
    """Read what is in a base.

    Args:
        image: the base.
        cache: has its layers, or gets them.
        offline: fetch nothing.
        progress: told what is fetched.
        trusting: layers that were read before are not read again.
        told: what somebody else says of a layer that was not.

    Raises:
        NetworkError: a layer cannot be had.
        UntrustedError: a layer is damaged, or its tar is not the one that the config names.

    """

    def fetched(layers: Sequence[ImageLayer]) -> Mapping[Digest, Path]:
        return obtain(image, layers, cache=cache, offline=offline, progress=progress)

    return reading.read(image.layers, fetched, cache, trusting=trusting, told=told)
