"""Attestations where cosign keeps them: an image manifest under the tag `sha256-<hex>.att`.

https://github.com/sigstore/cosign/blob/main/specs/ATTESTATION_SPEC.md and SIGNATURE_SPEC.md ("Storage"): each
layer is one envelope, and what is added later is one layer more. As with the tag of a list of referrers,
nothing can change it only where it is still what was read, so who adds looks again after a moment.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final

from envfreeze.errors import NetworkError, UntrustedError
from envfreeze.oci import canonical, media
from envfreeze.oci.descriptor import Descriptor
from envfreeze.oci.reference import Reference
from envfreeze.oci.registry.blob import Blob
from envfreeze.oci.registry.blobs import Blobs
from envfreeze.oci.registry.documents import put_document
from envfreeze.oci.registry.referrers import Part, alone, tag_of
from envfreeze.oci.registry.refusals import verdict
from envfreeze.progress import SILENT
from envfreeze.store.client import AttemptError
from envfreeze.store.download import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from envfreeze.digest import Digest
    from envfreeze.oci.registry.connection import Registries
    from envfreeze.oci.registry.wire import Wire
    from envfreeze.progress import Progress
    from envfreeze.store.cache import Cache

_MOST: Final = 1000
"""Layers that are read: what cosign reads."""

_TRIES = 10
_LOOK_AGAIN_SECONDS = (0.1, 0.4)
_CONFIG = "application/vnd.oci.image.config.v1+json"


def att_tag_of(digest: Digest) -> str:
    """The tag of an image's attestations."""
    return f"{tag_of(digest)}.att"


def listed_att(reference: Reference, *, registries: Registries) -> tuple[Descriptor, ...]:
    """List the attestations of an image, whose digest counts; () where there are none.

    Raises:
        NetworkError: the registry does not answer.
        UntrustedError: what is under the tag is malformed.

    """
    at = Reference(reference.registry, reference.repository, att_tag_of(_digest(reference)))
    try:
        raw = registries.document(at).raw
    except NotFoundError:
        return ()
    layers = _layers(raw, str(at))
    found = tuple(Descriptor.parse(one, f"layer {number} of {at}") for number, one in enumerate(layers, 1))
    for one in found:
        if one.size > canonical.LIMIT:
            raise UntrustedError(f"{at} has a layer of {one.size} bytes; {canonical.LIMIT} are taken")
    return found


def add_att(
    reference: Reference,
    part: Part,
    annotations: Mapping[str, str],
    *,
    registries: Registries,
    cache: Cache | None = None,
    progress: Progress = SILENT,
) -> None:
    """Add an attestation to an image's; adding the same again changes nothing.

    Args:
        reference: the image; its digest counts.
        part: the envelope.
        annotations: of its layer.
        registries: the connection.
        cache: keeps others on this machine from changing the same tag at the same moment; None: nothing.
        progress: told what is sent.

    Raises:
        NetworkError: the registry does not take it.
        UntrustedError: what is under the tag is malformed.

    """
    name = att_tag_of(_digest(reference))
    what = f"{reference.name}:{name}"
    layer = {**part.descriptor.as_json(), "annotations": dict(annotations)}
    wire = registries.wire(reference.name)

    def there() -> list[Any]:
        try:
            answer = wire.document(name, media.MANIFEST)
        except AttemptError as failure:
            if failure.status == 404:  # noqa: PLR2004 - nothing is attached
                return []
            raise
        return _layers(answer.body, what)

    try:
        with alone(cache, reference):
            layers = wire.patiently(what, there)
            for _ in range(_TRIES):
                if _has(layers, part):
                    return
                _put(wire, what, name, part, [*layers, layer], cache, progress)
                wire.halt.pause(random.uniform(*_LOOK_AGAIN_SECONDS))  # noqa: S311 - not all at one moment
                layers = wire.patiently(what, there)
    except AttemptError as failure:
        raise verdict(what, wire.place, failure) from failure
    finally:
        wire.close()
    if not _has(layers, part):
        raise NetworkError(
            f"{what}: others change it all the time, and leave this out",
            hint="attest again when less is going on",
        )


def _put(
    wire: Wire,
    what: str,
    name: str,
    part: Part,
    layers: Sequence[Mapping[str, Any]],
    cache: Cache | None,
    progress: Progress,
) -> None:
    """Put the manifest of these layers, with the config that readers of images expect."""
    config = Part(
        _CONFIG,
        canonical.dump(
            {
                "architecture": "",
                "config": {},
                "os": "",
                # The layers are not compressed, so their digests are their diffIDs.
                "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]},
            }
        ),
    )
    blobs = [Blob(one.descriptor.digest, one.descriptor.size, one.open) for one in (config, part)]
    Blobs(wire, what, cache=cache, origins=(), progress=progress).bring(blobs)
    manifest = {
        "schemaVersion": 2,
        "mediaType": media.MANIFEST,
        "config": config.descriptor.as_json(),
        "layers": list(layers),
    }
    put_document(wire, what, canonical.dump(manifest), media.MANIFEST, name, shared=True)


def _layers(raw: bytes, what: str) -> list[Any]:
    layers = canonical.parse(raw, what).get("layers")
    if not isinstance(layers, list) or len(layers) > _MOST:
        raise UntrustedError(f"{what} holds no attestations: its list of layers is none, or too long")
    for number, one in enumerate(layers, 1):
        Descriptor.parse(one, f"layer {number} of {what}")
    return layers


def _has(layers: Sequence[Mapping[str, Any]], part: Part) -> bool:
    return any(one["digest"] == str(part.descriptor.digest) for one in layers)


def _digest(reference: Reference) -> Digest:
    if reference.digest is None:
        msg = f"{reference} has no digest, and attestations are of an image, not of a tag"
        raise ValueError(msg)
    return reference.digest
