"""DSSE: a payload with signatures over it and over its type.

https://github.com/secure-systems-lab/dsse (envelope.md, protocol.md). The key id in an envelope is a hint
that nobody has signed, so every trusted key is tried on every signature, as the protocol has it; what
securesystemslib verifies as a whole wants the ids to match, and cosign writes none.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from envfreeze.errors import UntrustedError
from envfreeze.oci import canonical

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from envfreeze.records.trust.keys import KeyPair, PublicKey

MEDIA_TYPE: Final = "application/vnd.dsse.envelope.v1+json"
"""Of an envelope; also the artifact type of one that is attached to an image."""

IN_TOTO: Final = "application/vnd.in-toto+json"
"""The payload type of a statement of in-toto; no other is signed or believed."""

_MOST_SIGNATURES = 64


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature as an envelope has it; `keyid` is a hint and may be empty."""

    keyid: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class Envelope:
    """A signed payload.

    Attributes:
        payload: its bytes.
        payload_type: what they are.
        signatures: of whomever, unverified.

    """

    payload: bytes
    payload_type: str
    signatures: tuple[Signature, ...]

    @property
    def media_type(self) -> str:
        """Of what `render` writes."""
        return MEDIA_TYPE

    @property
    def signed(self) -> bytes:
        """What a signature is over: DSSE's pre-authentication encoding of type and payload."""
        from securesystemslib import dsse  # noqa: PLC0415 - heavy

        return bytes(dsse.Envelope(self.payload, self.payload_type, {}).pae())

    def render(self) -> bytes:
        """Write it as canonical JSON."""
        return canonical.dump(
            {
                "payload": base64.b64encode(self.payload).decode(),
                "payloadType": self.payload_type,
                "signatures": [
                    {"keyid": one.keyid, "sig": base64.b64encode(one.raw).decode()} for one in self.signatures
                ],
            }
        )


def sign(payload: bytes, pair: KeyPair) -> Envelope:
    """Sign a statement of in-toto."""
    unsigned = Envelope(payload, IN_TOTO, ())
    made = pair.signer.sign(unsigned.signed)
    return Envelope(payload, IN_TOTO, (Signature(pair.public.id, bytes.fromhex(made.signature)),))


def parse(content: bytes, what: str) -> Envelope:
    """Read an envelope; members that DSSE does not know are passed over.

    Args:
        content: its JSON.
        what: its name in errors.

    Raises:
        UntrustedError: it is none, it is damaged, or its payload is no statement of in-toto.

    """
    return of_document(canonical.parse(content, what), what)


def of_document(document: Mapping[str, Any], what: str) -> Envelope:
    """Read an envelope out of its parsed JSON; as `parse`."""
    payload_type = document.get("payloadType")
    if payload_type != IN_TOTO:
        raise UntrustedError(f"{what} is signed as {payload_type!r}, and a statement is {IN_TOTO!r}")
    listed = document.get("signatures")
    if not isinstance(listed, list) or not 1 <= len(listed) <= _MOST_SIGNATURES:
        raise UntrustedError(f"{what} has no list of signatures")
    return Envelope(
        _decoded(document.get("payload"), what),
        payload_type,
        tuple(_signature(one, what) for one in listed),
    )


def signers(envelope: Envelope, keys: Iterable[PublicKey]) -> tuple[PublicKey, ...]:
    """Tell which of the keys have signed, each once, in their own order."""
    from securesystemslib.exceptions import UnverifiedSignatureError  # noqa: PLC0415 - heavy
    from securesystemslib.signer import Signature as Signed  # noqa: PLC0415 - heavy

    signed = envelope.signed

    def has_signed(key: PublicKey, signature: Signature) -> bool:
        try:
            key.key.verify_signature(Signed(key.id, signature.raw.hex()), signed)
        except UnverifiedSignatureError:  # its subclass VerificationError: the signature is none at all
            return False
        return True

    return tuple(key for key in keys if any(has_signed(key, one) for one in envelope.signatures))


def _signature(value: Any, what: str) -> Signature:  # noqa: ANN401 - any JSON value
    if not isinstance(value, dict) or not isinstance(value.get("keyid", ""), str):
        raise UntrustedError(f"{what} has a signature that is none")
    return Signature(value.get("keyid", ""), _decoded(value.get("sig"), what))


def _decoded(value: object, what: str) -> bytes:
    """Base64 in either alphabet, with its padding; nothing else between."""
    if not isinstance(value, str) or not value:
        raise UntrustedError(f"{what} lacks its payload or a signature")
    try:
        return base64.b64decode(value.translate(_ALPHABET).encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise UntrustedError(f"{what} is damaged: what should be base64 is not") from None


_ALPHABET = str.maketrans("-_", "+/")
