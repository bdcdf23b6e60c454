"""Push an image: what the registry has is not sent, the manifest comes last, the tag last of all.

Until the tag moves nobody sees anything of a push, so one that is interrupted leaves the tag where it was,
and the blobs that have arrived are not sent again by the next. What was pushed is read back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.digest import Digest
from envfreeze.errors import UsageError
from envfreeze.oci import canonical, media
from envfreeze.oci.image import ImageIndex
from envfreeze.oci.reference import Reference
from envfreeze.oci.registry.blob import Blob
from envfreeze.oci.registry.blobs import WORKERS, Blobs, in_memory
from envfreeze.oci.registry.connection import Registries
from envfreeze.oci.registry.documents import put_document
from envfreeze.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envfreeze.oci.image import Image
    from envfreeze.progress import Progress
    from envfreeze.store.cache import Cache


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push did.

    Attributes:
        reference: where the image is now.
        digest: of its manifest or index.
        sent: blobs that were sent.
        mounted: blobs that were taken from other repositories of the registry.
        there: blobs that the repository had.
        size: bytes of the blobs that were sent.

    """

    reference: Reference
    digest: Digest
    sent: tuple[Digest, ...]
    mounted: tuple[Digest, ...]
    there: tuple[Digest, ...]
    size: int


def parse(reference: str) -> Reference:
    """Read a reference that something is pushed to.

    Raises:
        UsageError: it is none.

    """
    try:
        return Reference.parse(reference)
    except ValueError as error:
        raise UsageError(str(error), hint="as in registry.example.org/team/train:v1") from None


def push(
    image: Image | ImageIndex,
    reference: str | Reference,
    *,
    registries: Registries | None = None,
    cache: Cache | None = None,
    origins: Sequence[str] = (),
    workers: int = WORKERS,
    progress: Progress = SILENT,
) -> Pushed:
    """Push an image, or the images of an index.

    Args:
        image: what.
        reference: where to; with a digest it must be the image's own, and with no tag nothing is tagged.
        registries: the connection; None: one of its own.
        cache: remembers which repositories have which blobs; None: that is not remembered.
        origins: repositories, `registry.example.org/base/cuda`, that may have blobs; those of the same
            registry are asked to mount them.
        workers: blobs that are sent at once.
        progress: told one task for all that is sent, and one for each large blob.

    Raises:
        UsageError: it is no reference, or it has another digest.
        NotFoundError: the registry has no such repository and makes none.
        NetworkError: the registry does not take the image.
        UntrustedError: a layer is not what its digest says, or what the registry has in the end is not what
            was pushed.

    """
    parsed = parse(reference) if isinstance(reference, str) else reference
    if parsed.digest not in {None, image.digest}:
        raise UsageError(
            f"{parsed} names another image than {image.digest}, which would be pushed there",
            hint="leave the digest out",
        )
    if registries is None:
        with Registries(progress=progress) as own:
            return push(
                image,
                parsed,
                registries=own,
                cache=cache,
                origins=origins,
                workers=workers,
                progress=progress,
            )
    wire = registries.wire(parsed.name, workers)
    try:
        blobs = Blobs(wire, str(parsed), cache=cache, origins=origins, workers=workers, progress=progress)
        done = blobs.bring(_blobs(image))
        for raw, media_type in _documents(image):
            put_document(wire, str(parsed), raw, media_type, str(Digest.of(raw)))
        raw, media_type = _documents(image)[-1]
        if parsed.tag is not None:
            put_document(wire, str(parsed), raw, media_type, parsed.tag)
    finally:
        wire.close()
    return Pushed(parsed, image.digest, done.sent, done.mounted, done.there, done.size)


def _images(image: Image | ImageIndex) -> tuple[Image, ...]:
    return image.images if isinstance(image, ImageIndex) else (image,)


def _blobs(image: Image | ImageIndex) -> list[Blob]:
    """The blobs of all manifests, each once; layers that are in no registry are left out."""
    found: dict[Digest, Blob] = {}
    for one in _images(image):
        for layer in one.layers:
            if layer.media_type not in media.FOREIGN:
                found.setdefault(layer.digest, Blob(layer.digest, layer.size, layer.open))
        found.setdefault(Digest.of(one.config), in_memory(one.config))
    return list(found.values())


def _documents(image: Image | ImageIndex) -> list[tuple[bytes, str]]:
    """The manifests, and what holds them together last."""
    found = [(one.manifest, _media_type(one.manifest, media.MANIFEST)) for one in _images(image)]
    if isinstance(image, ImageIndex):
        found.append((image.raw, _media_type(image.raw, media.INDEX)))
    return found


def _media_type(raw: bytes, otherwise: str) -> str:
    stated = canonical.parse(raw, "manifest").get("mediaType")
    return stated if isinstance(stated, str) else otherwise
