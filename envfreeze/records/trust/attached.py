"""What is signed, beside an image in its registry: as referrers, and where cosign looks.

An envelope is a referrer with the lock files in it, and a layer under cosign's tag. A bundle is a referrer
of its own, as cosign 3 writes and reads it, which takes one blob and no other; the lock files are another.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.errors import UntrustedError
from envfreeze.oci import canonical
from envfreeze.oci.reference import Reference
from envfreeze.oci.registry.attestations import add_att, att_tag_of, listed_att
from envfreeze.oci.registry.referrers import EMPTY, Part, attach, listed, parts_of
from envfreeze.progress import SILENT
from envfreeze.records.registry_shelf import LOCK
from envfreeze.records.trust import bundle, provenance
from envfreeze.records.trust.bundle import Bundle
from envfreeze.records.trust.envelope import MEDIA_TYPE
from envfreeze.store.download import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from envfreeze.digest import Digest
    from envfreeze.oci.descriptor import Descriptor
    from envfreeze.oci.registry.connection import Registries
    from envfreeze.progress import Progress
    from envfreeze.records.trust.signing import Made
    from envfreeze.store.cache import Cache

_PREDICATE_TYPE = "in-toto.io/predicate-type"
"""The annotation by which buildx tells kinds of attestations apart."""


def _for_cosign(predicate: str) -> dict[str, str]:
    """What `cosign attest` writes with a layer, so that its filters by type find ours."""
    return {"dev.cosignproject.cosign/signature": "", "predicateType": predicate}


def _of_bundle(predicate: str) -> dict[str, str]:
    """What cosign 3 writes with a bundle, but for the time."""
    return {"dev.sigstore.bundle.content": "dsse-envelope", "dev.sigstore.bundle.predicateType": predicate}


@dataclass(frozen=True, slots=True)
class Found:
    """Something that claims to be a signed envelope.

    Attributes:
        where: for people.
        content: its bytes, of whomever.
        damage: why there are none; empty where there are.

    """

    where: str
    content: bytes
    damage: str = ""


def put(
    reference: Reference,
    about: Iterable[Digest],
    signed: Made,
    locks: Iterable[bytes],
    *,
    predicate: str = provenance.PREDICATE,
    registries: Registries,
    cache: Cache | None = None,
    progress: Progress = SILENT,
) -> None:
    """Attach an envelope or a bundle to images; attaching the same again changes nothing.

    Args:
        reference: where the images are; its repository counts.
        about: their digests.
        signed: what is attached.
        locks: the lock files that its record names, attached beside it.
        predicate: the type of what its statement says.
        registries: the connection.
        cache: keeps others on this machine from changing the same lists at the same moment; None: nothing.
        progress: is warned of a lock that is too large.

    Raises:
        NetworkError: the registry does not have an image, or does not take this.
        UntrustedError: what the registry has in the end is not what was sent.

    """
    whole = Part(signed.media_type, signed.render())
    beside = []
    for content in locks:
        if len(content) <= canonical.LIMIT:
            beside.append(Part(LOCK, content))
        else:
            progress.warn(
                f"a lock file of {len(content)} bytes is too large to be attached to the image in "
                f"{reference.name}: who verifies needs the commit for it"
            )
    for digest in about:
        image = Reference(reference.registry, reference.repository, None, digest)
        if isinstance(signed, Bundle):
            forms = [([whole], whole.media_type, _of_bundle(predicate))]
            forms += [(beside, LOCK, {})] if beside else []
        else:
            forms = [([whole, *beside], MEDIA_TYPE, {_PREDICATE_TYPE: predicate})]
        for parts, kind, notes in forms:
            attach(
                image,
                parts,
                artifact_type=kind,
                registries=registries,
                annotations=notes,
                cache=cache,
                progress=progress,
            )
        if not isinstance(signed, Bundle):
            more = _for_cosign(predicate)
            add_att(image, whole, more, registries=registries, cache=cache, progress=progress)


def found(reference: Reference, *, registries: Registries) -> tuple[Found, ...]:
    """Read all envelopes and bundles that are attached to an image, each once.

    What is damaged or gone is told in its place: anybody who may push can leave such things, and they must
    not hide what is sound.

    Args:
        reference: the image; its digest counts.
        registries: the connection.

    Raises:
        NetworkError: the registry does not answer.
        UntrustedError: its list of referrers is malformed.

    """
    claims: list[Found] = []
    for referrer in listed(reference, registries=registries):
        if not _may_be_signed(referrer.artifact_type):
            continue
        where = f"{reference.name}@{referrer.descriptor.digest}"
        try:
            first = parts_of(reference, referrer, registries=registries)[:1]
        except (NotFoundError, UntrustedError) as error:
            if _is_signed(referrer.artifact_type):
                claims.append(Found(where, b"", error.message))
        else:
            signed = [part for part in first if _is_signed(part.media_type)]
            claims += [_read(reference, part, where, registries) for part in signed]
    tag = f"{reference.name}:{att_tag_of(_of(reference))}"
    try:
        envelopes = [
            one for one in listed_att(reference, registries=registries) if one.media_type == MEDIA_TYPE
        ]
    except UntrustedError as error:
        claims.append(Found(tag, b"", error.message))
    else:
        claims += [_read(reference, one, f"{tag} ({one.digest})", registries) for one in envelopes]
    return tuple({(one.content, one.damage): one for one in reversed(claims)}.values())[::-1]


def _is_signed(media_type: str) -> bool:
    return media_type == MEDIA_TYPE or media_type.startswith(bundle.MEDIA_TYPES)


def _may_be_signed(artifact_type: str) -> bool:
    """Where a registry has no API for referrers, cosign lists its bundles as what their empty config is."""
    return _is_signed(artifact_type) or artifact_type in {"", EMPTY}


def _of(reference: Reference) -> Digest:
    if reference.digest is None:
        msg = f"{reference} has no digest, and only an image has things attached to it, a tag has not"
        raise ValueError(msg)
    return reference.digest


def _read(reference: Reference, part: Descriptor, where: str, registries: Registries) -> Found:
    try:
        return Found(where, registries.read(reference.name, part))
    except (NotFoundError, UntrustedError) as error:
        return Found(where, b"", error.message)


def locks(
    reference: Reference, wanted: Iterable[Digest], *, registries: Registries
) -> Mapping[Digest, bytes]:
    """Read lock files that are attached beside what is signed, by their digests; those that are there.

    Each is looked for by itself: what is signed may be of several locks, and who attaches something else
    with one of them must not hide it.

    Raises:
        NetworkError: the registry does not answer.
        UntrustedError: what it has is not what the digest says.

    """
    needed = set(wanted)
    contents: dict[Digest, bytes] = {}
    for referrer in listed(reference, registries=registries):
        if referrer.artifact_type not in {MEDIA_TYPE, LOCK}:
            continue
        try:
            parts = parts_of(reference, referrer, registries=registries)
        except (NotFoundError, UntrustedError):
            continue  # somebody else's
        for part in parts:
            if part.digest in needed - contents.keys():
                with suppress(NotFoundError):
                    contents[part.digest] = registries.read(reference.name, part)
    return contents
