"""A registry's image for one platform, as an `Image`: documents read, layers fetched when they are opened."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

from envfreeze.errors import UntrustedError, UsageError
from envfreeze.oci import canonical, media
from envfreeze.oci.descriptor import Descriptor
from envfreeze.oci.image import ImageIndex
from envfreeze.oci.reference import Reference
from envfreeze.oci.registry.connection import Registries
from envfreeze.oci.resolve import resolve_one
from envfreeze.oci.verified import open_blob
from envfreeze.store.cache import Cache

if TYPE_CHECKING:
    from envfreeze.digest import Digest
    from envfreeze.oci.image import Image, Layer
    from envfreeze.oci.platform import Platform
    from envfreeze.oci.registry.document import Document

_ATTESTATION = "vnd.docker.reference.type"
"""The annotation of manifests that BuildKit puts beside images (BuildKit, attestation-storage.md)."""


@dataclass(frozen=True, slots=True)
class RegistryLayer:
    """A layer in a registry; opening it brings it into the cache.

    Attributes:
        digest: of the blob.
        diff_id: of the tar inside.
        size: bytes of the blob.
        media_type: of the blob.
        name: registry and repository.
        registries: the connection.
        cache: where it is put; None: the user's.

    """

    digest: Digest
    diff_id: Digest
    size: int
    media_type: str
    name: str
    registries: Registries = field(repr=False)
    cache: Cache | None = field(repr=False, default=None)

    def open(self) -> BinaryIO:
        """Open the blob, fetched if need be; reading checks its size and digest.

        Raises:
            NetworkError: it cannot be had.
            UntrustedError: it is not what its digest says.
            MachineError: the cache cannot be written.

        """
        blob = Descriptor(self.media_type, self.digest, self.size)
        files = self.registries.fetch(self.cache or Cache.open(), (self.name,), (blob,))
        return open_blob(files[self.digest], self.digest, self.size)


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a reference is in its registry now.

    Attributes:
        reference: what was asked for.
        image: the image for the platform.
        index: digest of the index that the reference led to; None: it led to the image's manifest.

    """

    reference: Reference
    image: Image
    index: Digest | None


@dataclass(frozen=True, slots=True)
class _RegistryBlobs:
    """The blobs of a repository; the manifest that was already read is not asked for again."""

    registries: Registries
    reference: Reference
    manifest: Document
    cache: Cache | None

    def read(self, descriptor: Descriptor) -> bytes:
        if descriptor.digest == self.manifest.digest:
            return self.manifest.raw
        if descriptor.media_type in media.INDEXES | media.MANIFESTS:
            return self.registries.document(self.reference.at(descriptor.digest)).raw
        return self.registries.read(self.reference.name, descriptor)

    def layer(self, descriptor: Descriptor, diff_id: Digest) -> Layer:
        return RegistryLayer(
            descriptor.digest,
            diff_id,
            descriptor.size,
            descriptor.media_type,
            self.reference.name,
            self.registries,
            self.cache,
        )


def tags(reference: str, *, registries: Registries | None = None) -> tuple[str, ...]:
    """List the tags of a repository, sorted.

    Args:
        reference: the repository as people write it: `nvidia/cuda`; a tag in it does not count.
        registries: the connection; None: one of its own.

    Raises:
        UsageError: it is no reference.
        NotFoundError: there is no such repository.
        NetworkError: the list cannot be had.

    """
    name = _parsed(reference).name
    if registries is not None:
        return registries.tags(name)
    with Registries() as own:
        return own.tags(name)


def resolve(
    reference: str, platform: Platform, *, registries: Registries | None = None, cache: Cache | None = None
) -> Pulled:
    """Find out which image a reference is for a platform. No layer is fetched.

    Args:
        reference: as people write it: `debian:trixie`, `127.0.0.1:5000/team/base@sha256:...`.
        platform: of the image.
        registries: the connection, which the image's layers keep; None: one of its own.
        cache: where layers are put when they are opened; None: the user's.

    Raises:
        UsageError: it is no reference, or there is no image for the platform.
        NotFoundError: the registry does not have it.
        NetworkError: the registry cannot be asked.
        UntrustedError: a document is not what its digest says, or malformed.

    """
    parsed = _parsed(reference)
    if registries is not None:
        return _resolved(parsed, platform, registries, cache)
    # Closed until a layer is opened: an image is a value, and nobody closes it.
    with Registries() as own:
        return _resolved(parsed, platform, own, cache)


def read(reference: Reference, *, registries: Registries, cache: Cache | None = None) -> Image | ImageIndex:
    """Read what a reference leads to whole: the image, or all images of its index. No layer is fetched.

    Args:
        reference: of the image.
        registries: the connection, which the layers keep.
        cache: where layers are put when they are opened; None: the user's.

    Raises:
        NotFoundError: the registry does not have it.
        NetworkError: the registry cannot be asked.
        UntrustedError: a document is not what its digest says, or malformed.

    """
    document = registries.document(reference)
    descriptor = Descriptor(document.media_type, document.digest, len(document.raw))
    return resolve_one(_RegistryBlobs(registries, reference, document, cache), descriptor)


def _resolved(parsed: Reference, platform: Platform, registries: Registries, cache: Cache | None) -> Pulled:
    document = registries.document(parsed)
    index = None
    if document.media_type in media.INDEXES:
        index = document.digest
        chosen = _chosen(document, parsed, platform)
        document = registries.document(parsed.at(chosen.digest))
    descriptor = Descriptor(document.media_type, document.digest, len(document.raw))
    image = resolve_one(_RegistryBlobs(registries, parsed, document, cache), descriptor)
    if isinstance(image, ImageIndex):
        raise UntrustedError(f"{parsed}: its index leads to another index for {platform}")
    if image.platform != platform:
        raise UsageError(
            f"{parsed} is an image for {image.platform}, not for {platform}",
            hint="choose a base that is made for it, or another [image] platform",
        )
    return Pulled(parsed, image, index)


def _parsed(reference: str) -> Reference:
    try:
        return Reference.parse(reference)
    except ValueError as error:
        raise UsageError(str(error), hint="as in debian:trixie or registry.example.org/team/base:1") from None


def _chosen(document: Document, reference: Reference, platform: Platform) -> Descriptor:
    what = f"index {document.digest}"
    listed = canonical.parse(document.raw, what).get("manifests")
    if not isinstance(listed, list):
        raise UntrustedError(f"{what} of {reference} lists no manifests")
    entries = [Descriptor.parse(value, f"entry {number} of {what}") for number, value in enumerate(listed, 1)]
    entries = [entry for entry in entries if _ATTESTATION not in entry.annotations]
    fitting = [entry for entry in entries if entry.platform == platform]
    # An index may have arm64 with its variant and without; the platform's own variant is meant.
    fitting.sort(key=lambda entry: entry.variant not in {None, platform.variant})
    if not fitting:
        there = sorted({str(entry.platform) for entry in entries if entry.platform is not None})
        raise UsageError(
            f"{reference} has no image for {platform}, only for {', '.join(there) or 'nothing'}",
            hint="choose a base that is made for it, or another [image] platform",
        )
    return fitting[0]
