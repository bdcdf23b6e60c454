"""Bundles of Sigstore: a DSSE envelope with the certificate of who signed it, and proof of when.

https://docs.sigstore.dev/about/bundle/ (version 0.3 is written, 0.1 to 0.3 are read). A certificate lives ten
minutes; that it was good when the signature was made is what the entry of a transparency log, or a timestamp
of an authority, proves. sigstore's `Verifier` judges all of that, and asks no server: what it believes is in
the trusted root.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from envfreeze.errors import UntrustedError
from envfreeze.oci import canonical
from envfreeze.records.trust.envelope import IN_TOTO
from envfreeze.records.trust.identities import Certified

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from cryptography.x509 import Certificate
    from sigstore.models import TrustedRoot

MEDIA_TYPE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
"""Of a bundle that is written; also the artifact type of one that is attached to an image."""

MEDIA_TYPES: Final = "application/vnd.dev.sigstore.bundle"
"""What the media types of all versions begin with."""

_ISSUER = "1.3.6.1.4.1.57264.1.8"
"""Fulcio's "Issuer (V2)", a UTF8String (https://github.com/sigstore/fulcio, docs/oid-info.md)."""

_OLDER_ISSUER = "1.3.6.1.4.1.57264.1.1"
"""Fulcio's "Issuer", plain bytes; certificates of the first years have it alone."""

_USERNAME = "1.3.6.1.4.1.57264.1.7"
"""The type of a subject that is neither a mail address nor a URI."""

_REASONS = (
    ("cert is not valid at validation time", "its certificate was not valid when it was signed"),
    (
        "failed to build timestamp certificate chain",
        "its certificate is not from an authority that is trusted",
    ),
    ("invalid log entry", "the log entry in it does not prove that it was published"),
    ("expected exactly one log entry", "it has no entry of a transparency log"),
    ("entry must contain inclusion proof", "the log entry in it does not prove that it was published"),
    ("log entry payload hash does not match", "the log entry in it is of something else"),
    ("log entry signatures do not match", "the log entry in it is of something else"),
    ("transparency log entry is inconsistent", "the log entry in it is of something else"),
    ("DSSE: invalid signature", "its signature is not of what is in it"),
    ("failed to verify SCT", "its certificate is in no certificate log that is trusted"),
    ("not enough sources of verified time", "nothing proves when it was signed"),
    ("bundle must contain an inclusion promise", "nothing proves when it was signed"),
    ("invalid signing cert", "its certificate was not valid when it was signed"),
)
"""What sigstore says, and what we say, the first that fits; the rest is told in its own words."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle that was verified.

    Attributes:
        content: its JSON.
        payload: what was signed, a statement of in-toto.
        signer: who has signed it.

    """

    content: bytes = field(repr=False)
    payload: bytes = field(repr=False)
    signer: Certified

    @property
    def media_type(self) -> str:
        """Of the content; `MEDIA_TYPE` where it is ours."""
        return str(canonical.parse(self.content, "bundle")["mediaType"])

    def render(self) -> bytes:
        """Give its JSON."""
        return self.content


def is_bundle(document: Mapping[str, Any]) -> bool:
    """Whether a JSON document says that it is a bundle."""
    return str(document.get("mediaType", "")).startswith(MEDIA_TYPES)


def envelope_of(document: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Give the envelope of a bundle that a key has signed, as cosign 3 makes it; None: of others.

    There is no certificate in it, and what a log says of it does not matter: who has the key verifies.
    """
    material, envelope = document.get("verificationMaterial"), document.get("dsseEnvelope")
    if not isinstance(material, dict) or "publicKey" not in material or not isinstance(envelope, dict):
        return None
    return envelope


def payload_of(document: Mapping[str, Any], what: str) -> bytes:
    """Read what a bundle says was signed, unverified.

    Raises:
        UntrustedError: it has no statement of in-toto.

    """
    envelope = document.get("dsseEnvelope")
    if not isinstance(envelope, dict) or envelope.get("payloadType") != IN_TOTO:
        raise UntrustedError(f"{what} is a bundle without a statement in it")
    try:
        return base64.b64decode(envelope.get("payload", ""), validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise UntrustedError(f"{what} is damaged: what should be base64 is not") from None


def verify(content: bytes, root: TrustedRoot, what: str) -> Bundle:
    """Verify a bundle, asking nobody.

    Args:
        content: its JSON.
        root: whose certificates, logs and times are believed.
        what: its name in errors.

    Raises:
        UntrustedError: it is damaged, or one of its proofs is missing or does not hold.

    """
    from sigstore.models import Bundle as Read  # noqa: PLC0415 - heavy
    from sigstore.verify import Verifier  # noqa: PLC0415 - heavy

    canonical.parse(content, what)
    whoever = _Whoever()
    try:
        kind, payload = Verifier(trusted_root=root).verify_dsse(Read.from_json(content), whoever)
    except Exception as error:  # anybody may attach anything, and the library raises errors of many types
        raise UntrustedError(f"{what} does not verify: {_reason(error)}") from error
    if kind != IN_TOTO:
        raise UntrustedError(f"{what} is signed as {kind!r}, and a statement is {IN_TOTO!r}")
    return Bundle(content, payload, whoever.signer)


class _Whoever:
    """A policy of sigstore's that takes anybody, and remembers whom: the policy file is asked afterwards."""

    signer: Certified

    def verify(self, cert: Certificate) -> None:
        """Note whom a certificate names; the verifier has found that it is one of the authority's."""
        self.signer = _certified(cert)


def _certified(certificate: Certificate) -> Certified:
    """Whom a certificate names.

    Raises:
        ValueError: it names nobody, or several.

    """
    from cryptography import x509  # noqa: PLC0415 - heavy
    from cryptography.hazmat import asn1  # noqa: PLC0415 - heavy

    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    subjects = [*names.get_values_for_type(x509.RFC822Name)]
    subjects += names.get_values_for_type(x509.UniformResourceIdentifier)
    subjects += [
        asn1.decode_der(str, one.value)
        for one in names
        if isinstance(one, x509.OtherName) and one.type_id.dotted_string == _USERNAME
    ]
    extensions = {one.oid.dotted_string: one.value for one in certificate.extensions}
    issuer = None
    if isinstance(found := extensions.get(_ISSUER), x509.UnrecognizedExtension):
        issuer = asn1.decode_der(str, found.value)
    elif isinstance(found := extensions.get(_OLDER_ISSUER), x509.UnrecognizedExtension):
        issuer = found.value.decode()
    if len(subjects) != 1 or not issuer:
        raise ValueError("its certificate does not say who signed")
    return Certified(issuer, subjects[0])


def _reason(error: Exception) -> str:
    said = " ".join(str(error).split())
    for theirs, reason in _REASONS:
        if theirs in said:
            return reason
    # It quotes what anybody may have attached, and a terminal obeys some characters.
    said = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in said)
    return said[:200] or type(error).__name__
