"""A manifest or an index as a registry answers it: what it is, and whether it may be believed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.digest import Digest
from envfreeze.errors import UntrustedError
from envfreeze.oci import canonical, media
from envfreeze.store.client import AttemptError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envfreeze.oci.reference import Reference
    from envfreeze.oci.registry.places import Place

_SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1+"


@dataclass(frozen=True, slots=True)
class Document:
    """A manifest or an index, as the registry has it.

    Attributes:
        raw: its exact bytes.
        media_type: one of `media.MANIFESTS` or `media.INDEXES`.
        place: where it came from.

    """

    raw: bytes
    media_type: str
    place: Place

    @property
    def digest(self) -> Digest:
        """Of its bytes."""
        return Digest.of(self.raw)


def read(raw: bytes, headers: Mapping[str, str], reference: Reference, place: Place) -> Document:
    """Judge an answer.

    Args:
        raw: its body.
        headers: by their names in lower case.
        reference: what was asked for.
        place: who answered.

    Raises:
        AttemptError: it is not a manifest, but a page of a proxy or the like.
        UntrustedError: it is not what its digest says, or nothing that can be used.

    """
    if reference.digest is not None:
        hold(raw, reference.digest, str(reference))
    stated = headers.get("content-type", "").partition(";")[0].strip().lower()
    if stated.startswith(_SCHEMA_1):
        raise UntrustedError(
            f"{reference} is an image of Docker's first format (schema 1), without digests of layers",
            hint="its owner can push it again with any Docker since 1.10; or choose another base",
        )
    known = media.INDEXES | media.MANIFESTS
    if stated not in known:
        # Some servers call every document JSON; then its own word counts.
        if b"<html" in raw[:1024].lower():
            raise AttemptError("it answered with a web page, not with a manifest")
        try:
            stated = str(canonical.parse(raw, str(reference)).get("mediaType"))
        except UntrustedError as error:
            raise AttemptError("what it answered is not a manifest") from error
        if stated not in known:
            raise UntrustedError(f"{reference} is no image: its media type is {stated}")
    promised = headers.get("docker-content-digest")
    if promised is not None and promised.startswith("sha256:") and promised != str(Digest.of(raw)):
        raise UntrustedError(
            f"{reference}: {place.server} promises {promised} and sends {Digest.of(raw)}",
            hint="a proxy between here and the registry may have changed it",
        )
    return Document(raw, stated, place)


def hold(raw: bytes, digest: Digest, what: str) -> None:
    """Hold bytes against the digest that they were asked for by.

    Raises:
        UntrustedError: they have another.

    """
    if Digest.of(raw) != digest:
        raise UntrustedError(
            f"{what}: what came has the digest {Digest.of(raw)}",
            hint="it was changed on the way or in the registry: do not use it",
        )
