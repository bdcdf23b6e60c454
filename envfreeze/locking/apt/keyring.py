"""OpenPGP keyrings and signatures as files: armoured or binary, one or several in a file.

RFC 9580, section 6.2 has the armour. What it wraps is taken out here and not by a library: keys of further
archives become bytes of the lock and of the image.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING

from envfreeze.errors import UsageError

if TYPE_CHECKING:
    import pysequoia

_BLOCK = re.compile(
    rb"^-----BEGIN PGP (?P<kind>[A-Z ]+)-----[ \t]*\r?\n"
    rb"(?P<headers>(?:[^\r\n:]+: ?[^\r\n]*\r?\n)*)[ \t]*\r?\n"
    rb"(?P<body>[A-Za-z0-9+/=\s]*?)"
    rb"(?:^=[A-Za-z0-9+/]{4}[ \t]*\r?\n)?"
    rb"-----END PGP (?P=kind)-----",
    re.MULTILINE,
)


def binary(data: bytes, *, where: str) -> bytes:
    """Take what is wrapped out of its armour, all blocks one after the other; binary comes back as it is.

    Raises:
        UsageError: the armour is damaged.

    """
    if b"-----BEGIN PGP " not in data:
        return data
    damaged = UsageError(
        f"{where} has damaged armour", hint="export the key again: gpg --armor --export KEYID"
    )
    blocks = [b"".join(block["body"].split()) for block in _BLOCK.finditer(data)]
    if len(blocks) != data.count(b"-----BEGIN PGP "):
        raise damaged
    try:
        return b"".join(base64.b64decode(block, validate=True) for block in blocks)
    except binascii.Error:
        raise damaged from None


def certificates(data: bytes, *, where: str) -> list[pysequoia.Cert]:
    """Return the OpenPGP certificates of a keyring.

    Raises:
        UsageError: there is none in it, or there are secret keys.

    """
    import pysequoia  # noqa: PLC0415 - heavy

    content = binary(data, where=where)
    secret = (pysequoia.packet.Tag.SecretKey, pysequoia.packet.Tag.SecretSubkey)
    try:
        found: list[pysequoia.Cert] = pysequoia.Cert.split_bytes(content)
        tags = [packet.tag for packet in pysequoia.packet.PacketPile.from_bytes(content)]
    except (RuntimeError, ValueError) as error:
        raise UsageError(
            f"{where} is not an OpenPGP keyring: {str(error).split(chr(10), 1)[0]}",
            hint="give the archive's public key, armoured (.asc) or binary (.gpg)",
        ) from None
    if not found:
        raise UsageError(f"{where} holds no OpenPGP certificate")
    if any(tag == kind for tag in tags for kind in secret):
        raise UsageError(
            f"{where} holds a secret key, which must never be in a project",
            hint="give the public one: gpg --export KEYID",
        )
    return found
