"""Bills of materials as signed statements, in the types that cosign and others know them by.

https://cyclonedx.org/bom and https://spdx.dev/Document are in-toto's predicate types of the two formats
(https://github.com/in-toto/attestation, spec/predicates). The predicate is the document as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from envfreeze.errors import UntrustedError, UsageError
from envfreeze.oci import canonical
from envfreeze.records import statement

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from envfreeze.digest import Digest
    from envfreeze.records.trust.counted import Counted

PREDICATES: Final = {"cyclonedx": "https://cyclonedx.org/bom", "spdx": "https://spdx.dev/Document"}
"""The predicate type of each format."""

_FORMS = {predicate: form for form, predicate in PREDICATES.items()}
_ROOM = canonical.LIMIT * 3 // 4 - (64 << 10)
"""Bytes that a statement may have: base64 makes it longer, and proofs come on top."""


def of_image(document: bytes, form: str, image: Digest) -> bytes:
    """Write the statement of a bill, canonically.

    Args:
        document: the bill, in JSON.
        form: one of `PREDICATES`.
        image: digest of the manifest that it is about.

    Raises:
        UsageError: it is too large to be attached to an image.

    """
    made = statement.write([image], PREDICATES[form], canonical.parse(document, "the bill"))
    if len(made) > _ROOM:
        raise UsageError(
            f"the bill has {len(document)} bytes, and what is signed may have {_ROOM}: it cannot be signed",
            hint="attach it unsigned, or write it to a file: envfreeze sbom --output",
        )
    return made


def is_bill(payload: bytes) -> bool:
    """Whether a statement says that it is of a bill of materials."""
    try:
        return str(canonical.parse(payload, "statement").get("predicateType")) in _FORMS
    except UntrustedError:
        return False


class Stated(NamedTuple):
    """What a statement says of a bill of materials.

    Attributes:
        form: one of `PREDICATES`.
        subjects: the images that it is about, as the statement says.
        about: what it is the bill of, as the document says.

    """

    form: str
    subjects: frozenset[str]
    about: frozenset[str]


def parse(payload: bytes, what: str) -> Stated:
    """Read a statement of a bill, by whomever.

    Args:
        payload: the statement, whose signature was verified.
        what: its name in errors.

    Raises:
        UntrustedError: it is of something else.

    """
    document = canonical.parse(payload, what)
    form = _FORMS.get(str(document.get("predicateType")))
    predicate = document.get("predicate")
    if document.get("_type") not in _TYPES or form is None or not isinstance(predicate, dict):
        raise UntrustedError(f"{what} is signed, and is no bill of materials")
    subjects = {f"sha256:{one}" for one in _sha256s(document.get("subject"))}
    about = _root_of_cyclonedx(predicate) if form == "cyclonedx" else _root_of_spdx(predicate)
    return Stated(form, frozenset(subjects), frozenset(about))


_TYPES = (statement.STATEMENT, "https://in-toto.io/Statement/v0.1")
"""Of statements; the older one is what cosign writes still."""


def required(
    statements: Iterable[Counted], refused: Iterable[str], image: Digest, lock: Digest | None, wanted: str
) -> None:
    """Hold that there is a signed bill of an image.

    Args:
        statements: what is attached to the image, signed by those who may.
        refused: why the rest is not, a sentence each.
        image: digest of its manifest.
        lock: digest of the lock that it was built from, whose bill would do; None: not known.
        wanted: one of `PREDICATES`, or `any`.

    Raises:
        UntrustedError: there is none; the details say why what is there does not do.

    """
    reasons = []
    for one in statements:
        if not is_bill(one.payload):
            continue
        try:
            stated = parse(one.payload, one.where)
        except UntrustedError as error:
            reasons.append(error.message)
            continue
        if wanted not in {"any", stated.form}:
            reasons.append(f"{one.where} is a bill in {stated.form}")
        elif str(image) not in stated.subjects:
            reasons.append(f"{one.where} is a signed bill of another image: {_first(stated.subjects)}")
        elif not stated.about & {str(image), str(lock)}:
            reasons.append(
                f"{one.where} is signed for {image}, and the bill in it is of {_first(stated.about)}"
            )
        else:
            return
    form = "" if wanted == "any" else f" in {wanted}"
    details = (*reasons, *refused)
    why = "none that is attached to it counts" if details else "none is attached to it"
    raise UntrustedError(
        f"the policy asks for a signed bill of materials of {image}{form}, and {why}",
        hint="" if details else "envfreeze build --push REF --sbom cyclonedx --sign-key KEY",
        details=details,
    )


def _first(digests: Iterable[str]) -> str:
    return min(digests, default="nothing that it names")


def _root_of_cyclonedx(document: Mapping[str, Any]) -> Iterator[str]:
    """The digests that a bill has for what it is the bill of."""
    metadata = document.get("metadata")
    root = metadata.get("component") if isinstance(metadata, dict) else None
    if isinstance(root, dict):
        yield from _digests(root.get("version"), root.get("hashes"), "alg", "SHA-256", "content")


def _root_of_spdx(document: Mapping[str, Any]) -> Iterator[str]:
    described = {
        str(one.get("relatedSpdxElement"))
        for one in _objects(document.get("relationships"))
        if one.get("relationshipType") == "DESCRIBES" and one.get("spdxElementId") == "SPDXRef-DOCUMENT"
    }
    for one in _objects(document.get("packages")):
        if str(one.get("SPDXID")) in described:
            yield from _digests(
                one.get("versionInfo"), one.get("checksums"), "algorithm", "SHA256", "checksumValue"
            )


def _digests(version: object, hashes: object, kind: str, wanted: str, value: str) -> Iterator[str]:
    if isinstance(version, str) and version.startswith("sha256:"):
        yield version
    for one in _objects(hashes):
        if one.get(kind) == wanted and isinstance(one.get(value), str):
            yield f"sha256:{one[value]}"


def _sha256s(subjects: object) -> Iterator[str]:
    for one in _objects(subjects):
        digest = one.get("digest")
        if isinstance(digest, dict) and isinstance(digest.get("sha256"), str):
            yield digest["sha256"]


def _objects(value: object) -> Iterator[Mapping[str, Any]]:
    for one in value if isinstance(value, list) else ():
        if isinstance(one, dict):
            yield one
