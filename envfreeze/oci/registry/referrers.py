"""What is attached to an image in its registry: signatures, attestations, SBOMs, and envfreeze's own facts.

The referrers API of distribution-spec 1.1 ("Listing Referrers"), and where a registry has none (Debian's
docker-registry, say) the tag of "Referrers Tag Schema": an index under `sha256-<hex>` that clients keep up.
Nothing can change that index only where it is still what was read, so who adds to it looks after a moment
whether somebody else's push has taken it out again.
"""

from __future__ import annotations

import io
import random
import re
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import quote, urljoin, urlsplit

from envfreeze.digest import Digest
from envfreeze.errors import NetworkError, UntrustedError
from envfreeze.oci import canonical, media
from envfreeze.oci.descriptor import Descriptor, parse_digest
from envfreeze.oci.registry.blob import Blob
from envfreeze.oci.registry.blobs import Blobs
from envfreeze.oci.registry.documents import put_document
from envfreeze.oci.registry.refusals import verdict
from envfreeze.progress import SILENT
from envfreeze.store import locks
from envfreeze.store.client import AttemptError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from envfreeze.oci.reference import Reference
    from envfreeze.oci.registry.connection import Registries
    from envfreeze.oci.registry.wire import Answer, Wire
    from envfreeze.progress import Progress
    from envfreeze.store.cache import Cache

EMPTY = "application/vnd.oci.empty.v1+json"
"""The type of a config that says nothing (image-spec, "Guidance for an Empty Descriptor")."""

_NOTHING = b"{}"
_ACCEPTED = ", ".join(sorted(media.INDEXES | media.MANIFESTS))
_NEXT = re.compile(r'<([^>]*)>\s*;[^,]*\brel="?next"?')
_MOST_PAGES = 100
_MOST_LISTED = 10_000
_TRIES = 10
_LOOK_AGAIN_SECONDS = (0.1, 0.4)


@dataclass(frozen=True, slots=True)
class Referrer:
    """Something that is attached to an image.

    Attributes:
        descriptor: of its manifest, with its annotations.
        artifact_type: what it is.

    """

    descriptor: Descriptor
    artifact_type: str


@dataclass(frozen=True, slots=True)
class Part:
    """One blob of what is attached: its type and its bytes."""

    media_type: str
    content: bytes

    @property
    def descriptor(self) -> Descriptor:
        """Of the blob."""
        return Descriptor(self.media_type, Digest.of(self.content), len(self.content))

    def open(self) -> BinaryIO:
        """Open the bytes."""
        return io.BytesIO(self.content)


@dataclass(frozen=True, slots=True)
class PartElsewhere:
    """One blob of what is attached, which a repository has already: it is read where it has to be sent.

    Attributes:
        descriptor: of the blob.
        name: registry and repository that have it.
        open: opens its bytes, fetched if need be; reading checks them.

    """

    descriptor: Descriptor
    name: str
    open: Callable[[], BinaryIO] = field(repr=False, compare=False)


def listed(
    reference: Reference, *, registries: Registries, artifact_type: str | None = None
) -> tuple[Referrer, ...]:
    """List what is attached to an image.

    Args:
        reference: the image; its digest counts.
        registries: the connection.
        artifact_type: only what is of this type; None: all.

    Raises:
        NetworkError: the registry does not answer.
        UntrustedError: its list is malformed.

    """
    wire = registries.wire(reference.name, writing=False)
    try:
        entries = wire.patiently(str(reference), lambda: _entries(wire, _digest(reference), artifact_type))
    except AttemptError as failure:
        raise NetworkError(
            f"what is attached to {reference} could not be had from {wire.place.server}: {failure.reason}",
            hint=failure.hint,
        ) from failure
    finally:
        wire.close()
    found = [_referrer(entry, f"entry {number} of the referrers of {reference}") for number, entry in entries]
    return tuple(one for one in found if artifact_type in {None, one.artifact_type})


def fetch(reference: Reference, referrer: Referrer, *, registries: Registries) -> tuple[Part, ...]:
    """Read what is attached, all of it; as `parts_of`."""
    parts = parts_of(reference, referrer, registries=registries)
    return tuple(Part(part.media_type, registries.read(reference.name, part)) for part in parts)


def parts_of(reference: Reference, referrer: Referrer, *, registries: Registries) -> tuple[Descriptor, ...]:
    """Tell the parts of what is attached; its digest is held, and that it is of this image.

    Args:
        reference: the image.
        referrer: one of `listed`.
        registries: the connection.

    Raises:
        NotFoundError: the registry does not have it.
        NetworkError: it cannot be had.
        UntrustedError: it is not what its digest says, malformed, or attached to something else.

    """
    document = registries.document(reference.at(referrer.descriptor.digest))
    what = f"manifest {document.digest}"
    parsed = canonical.parse(document.raw, what)
    subject = parsed.get("subject")
    if not isinstance(subject, dict) or parse_digest(subject.get("digest"), what) != reference.digest:
        raise UntrustedError(f"{what} is listed with {reference} and not attached to it")
    layers = parsed.get("layers")
    if not isinstance(layers, list):
        raise UntrustedError(f"{what} lists no layers")
    parts = [Descriptor.parse(value, f"layer {number} of {what}") for number, value in enumerate(layers, 1)]
    for part in parts:
        if part.size > canonical.LIMIT:
            raise UntrustedError(f"{what} has a part of {part.size} bytes; {canonical.LIMIT} are taken")
    return tuple(parts)


def attach(
    reference: Reference,
    parts: Sequence[Part | PartElsewhere],
    *,
    artifact_type: str,
    registries: Registries,
    annotations: Mapping[str, str] | None = None,
    cache: Cache | None = None,
    progress: Progress = SILENT,
) -> Digest:
    """Attach something to an image; attaching the same again changes nothing.

    Args:
        reference: the image; its digest counts.
        parts: what to attach.
        artifact_type: what it is.
        registries: the connection.
        annotations: of its manifest.
        cache: keeps others on this machine from changing the same list at the same moment; None: nothing.
        progress: told what is sent.

    Returns:
        The digest of its manifest.

    Raises:
        NetworkError: the registry does not have the image, or does not take this.
        UntrustedError: what the registry has in the end is not what was pushed.

    """
    image = registries.document(reference)
    subject = Descriptor(image.media_type, image.digest, len(image.raw))
    raw = _manifest(parts, artifact_type, subject, annotations or {})
    own = Descriptor(media.MANIFEST, Digest.of(raw), len(raw), annotations=annotations or {})
    wire = registries.wire(reference.name)
    what = f"{reference} ({artifact_type})"
    try:
        origins = tuple(dict.fromkeys(part.name for part in parts if isinstance(part, PartElsewhere)))
        blobs = [
            Blob(part.descriptor.digest, part.descriptor.size, part.open)
            for part in (Part(EMPTY, _NOTHING), *parts)
        ]
        Blobs(wire, what, cache=cache, origins=origins, progress=progress).bring(
            {one.digest: one for one in blobs}.values()
        )
        answer = put_document(wire, what, raw, media.MANIFEST, str(own.digest), again=True)
        if answer is None or not _is_listed(wire, answer, subject.digest, own.digest):
            with _alone(cache, reference):
                _list(wire, what, subject.digest, own.as_json() | {"artifactType": artifact_type})
    finally:
        wire.close()
    return own.digest


def tag_of(digest: Digest) -> str:
    """The tag that a list of referrers has where there is no API for it."""
    return f"sha256-{digest.hex}"


def _digest(reference: Reference) -> Digest:
    if reference.digest is None:
        msg = f"{reference} has no digest, and only an image has things attached to it, a tag has not"
        raise ValueError(msg)
    return reference.digest


def _is_listed(wire: Wire, answer: Answer, subject: Digest, own: Digest) -> bool:
    """Whether the registry lists by itself what was put there.

    The specification has it say so ("Pushing Manifests with Subject"); some have the API and do not say so.
    """
    if answer.headers.get("oci-subject") == str(subject):
        return True
    try:
        entries = _pages(wire, f"referrers/{subject}")
    except AttemptError:
        return False
    return any(isinstance(one, dict) and one.get("digest") == str(own) for one in entries)


def _manifest(
    parts: Sequence[Part | PartElsewhere],
    artifact_type: str,
    subject: Descriptor,
    annotations: Mapping[str, str],
) -> bytes:
    described = [part.descriptor for part in parts]
    empty = Descriptor(EMPTY, Digest.of(_NOTHING), len(_NOTHING))
    document = {
        "schemaVersion": 2,
        "mediaType": media.MANIFEST,
        "artifactType": artifact_type,
        "config": empty.as_json(),
        "layers": [one.as_json() for one in described],
        "subject": subject.as_json(),
        "annotations": dict(annotations),
    }
    return canonical.dump({key: value for key, value in document.items() if value != {}})


def _entries(wire: Wire, digest: Digest, artifact_type: str | None) -> list[tuple[int, Any]]:
    """The numbered entries of an image's list."""
    query = "" if artifact_type is None else f"?artifactType={quote(artifact_type, safe='')}"
    try:
        return list(enumerate(_pages(wire, f"referrers/{digest}{query}"), 1))
    except AttemptError as failure:
        # 404 is what a registry without the API says; some say that the method or the path is wrong.
        if failure.status not in {400, 404, 405, 501}:
            raise
    by_tag = _by_tag(wire, digest)
    return [] if by_tag is None else list(enumerate(_manifests(by_tag), 1))


def _pages(wire: Wire, where: str) -> list[Any]:
    found: list[Any] = []
    for _ in range(_MOST_PAGES):
        answer = wire.send("GET", where, limit=canonical.LIMIT)
        found += _manifests(answer)
        following = _NEXT.search(answer.headers.get("link", ""))
        if following is None or len(found) > _MOST_LISTED:
            return found[:_MOST_LISTED]
        where = urljoin(answer.url, following[1])
        if urlsplit(where)[:2] != urlsplit(answer.url)[:2]:
            raise AttemptError("its list of referrers goes on at another server")
    raise AttemptError("its list of referrers does not end")


def _by_tag(wire: Wire, digest: Digest) -> Answer | None:
    try:
        return wire.document(tag_of(digest), _ACCEPTED)
    except AttemptError as failure:
        if failure.status == 404:  # noqa: PLR2004 - nothing is attached
            return None
        raise


def _manifests(answer: Answer) -> list[Any]:
    try:
        entries = canonical.parse(answer.body, "list of referrers").get("manifests")
    except UntrustedError as error:
        raise AttemptError("what it answered is no list of referrers") from error
    if not isinstance(entries, list):
        raise AttemptError("what it answered is no list of referrers")
    return entries


def _referrer(entry: object, what: str) -> Referrer:
    descriptor = Descriptor.parse(entry, what)
    kind = entry.get("artifactType") if isinstance(entry, dict) else None
    return Referrer(descriptor, kind if isinstance(kind, str) else "")


def _list(wire: Wire, what: str, subject: Digest, own: Mapping[str, Any]) -> None:
    """Add an entry to the index under the tag, until it stays there."""
    name = tag_of(subject)

    def there() -> list[Any]:
        answer = _by_tag(wire, subject)
        return [] if answer is None else _manifests(answer)

    def put(raw: bytes) -> None:
        put_document(wire, what, raw, media.INDEX, name, shared=True)

    try:
        entries = wire.patiently(what, there)
        for _ in range(_TRIES):
            if any(isinstance(one, dict) and one.get("digest") == own["digest"] for one in entries):
                return
            index = {"schemaVersion": 2, "mediaType": media.INDEX, "manifests": [*entries, own]}
            put(canonical.dump(index))
            wire.halt.pause(random.uniform(*_LOOK_AGAIN_SECONDS))  # noqa: S311 - not all at one moment
            entries = wire.patiently(what, there)
    except AttemptError as failure:
        raise verdict(what, wire.place, failure) from failure
    if not any(isinstance(one, dict) and one.get("digest") == own["digest"] for one in entries):
        raise NetworkError(
            f"{what}: others change the list of referrers {name} all the time, and leave this out",
            hint="push again when less is going on; a registry with the referrers API has no such list",
        )


def _alone(cache: Cache | None, reference: Reference) -> AbstractContextManager[object]:
    """Keep the processes of this machine from changing one list at the same moment."""
    if cache is None:
        return nullcontext()
    return locks.exclusive(cache.layout.lock(f"referrers {reference.name}@{reference.digest}"))
