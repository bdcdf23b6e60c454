"""Who signs, and what comes of it: an envelope by a key, or a bundle by an identity."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from envfreeze.errors import UntrustedError
from envfreeze.oci import canonical
from envfreeze.progress import SILENT
from envfreeze.records.trust import bundle, envelope
from envfreeze.records.trust.bundle import Bundle
from envfreeze.records.trust.envelope import Envelope
from envfreeze.records.trust.keyless import Keyless
from envfreeze.records.trust.keys import KeyPair

if TYPE_CHECKING:
    from collections.abc import Iterable

    from envfreeze.progress import Progress
    from envfreeze.records.trust.attached import Found

Who: TypeAlias = KeyPair | Keyless
"""Who signs."""

Made: TypeAlias = Envelope | Bundle
"""What was signed."""


def sign(payload: bytes, who: Who, progress: Progress = SILENT) -> Made:
    """Sign a statement of in-toto; raises as `Keyless.sign` does where there is no key."""
    return who.sign(payload, progress) if isinstance(who, Keyless) else envelope.sign(payload, who)


def signed_before(
    payload: bytes, who: Who, found: Iterable[Found], progress: Progress = SILENT
) -> Made | None:
    """The same, signed by the same, where it is there already: most signatures are never made twice alike."""
    for one in found:
        try:
            document = canonical.parse(one.content, one.where)
            if bundle.is_bundle(document) is not isinstance(who, Keyless):
                continue
            if isinstance(who, Keyless):
                if bundle.payload_of(document, one.where) != payload:
                    continue
                read = who.made_before(one.content, progress)
                if read is not None and read.payload == payload:  # as verified, and not as we read it above
                    return read
            else:
                sealed = envelope.parse(one.content, one.where)
                by_us = len(sealed.signatures) == 1 and envelope.signers(sealed, [who.public])
                if sealed.payload == payload and by_us:
                    return sealed
        except UntrustedError:
            continue
    return None
