"""OpenSSL's hash of a certificate's subject, by which it finds a certificate in a folder.

It is the first four bytes, little-endian, of the SHA-1 of the subject's canonical encoding (OpenSSL's
`X509_NAME_hash_ex` and `x509_name_canon`): the relative distinguished names without the outer SEQUENCE, with
every string as UTF8String, in lower case as far as it is ASCII, and with its blanks trimmed and collapsed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----\s(.+?)-----END CERTIFICATE-----", re.DOTALL)
_SEQUENCE, _SET, _UTF8, _VERSION = 0x30, 0x31, 0x0C, 0xA0
_LONG_FORM = 0x80
_BLANKS = re.compile(rb"[\t-\r ]+")
_CODECS = {
    _UTF8: "utf-8",
    0x13: "ascii",  # PrintableString
    0x14: "latin-1",  # T61String, which OpenSSL takes for Latin-1
    0x16: "ascii",  # IA5String
    0x1A: "ascii",  # VisibleString
    0x1C: "utf-32-be",  # UniversalString
    0x1E: "utf-16-be",  # BMPString
}


def certificate_der(pem: bytes) -> bytes | None:
    """Give the DER of the one certificate in a PEM file; None where there is not exactly one."""
    found = _PEM.findall(pem)
    if len(found) != 1:
        return None
    try:
        return base64.b64decode(b"".join(found[0].split()), validate=True)
    except binascii.Error:
        return None


def subject_hash(der: bytes) -> str | None:
    """Give the hash as 8 hexadecimal digits; None where this is no certificate (X.509, RFC 5280)."""
    try:
        (_, certificate), *_ = _elements(der)
        (_, body), *_ = _elements(certificate)
        fields = [content for tag, content in _elements(body) if tag != _VERSION]
        # serial number, signature, issuer, validity, subject
        names = _elements(fields[4])
        canonical = b"".join(_canonical_name(content) for _, content in names)
    except (IndexError, ValueError):
        return None
    digest = hashlib.sha1(canonical, usedforsecurity=False).digest()
    return f"{int.from_bytes(digest[:4], 'little'):08x}"


def _canonical_name(content: bytes) -> bytes:
    attributes = []
    for _, attribute in _elements(content):
        (kind, name), (tag, value) = _elements(attribute)
        if tag in _CODECS:
            text = value.decode(_CODECS[tag]).encode()
            tag, value = _UTF8, _BLANKS.sub(b" ", text).strip(b" ").lower()
        attributes.append(_element(_SEQUENCE, _element(kind, name) + _element(tag, value)))
    return _element(_SET, b"".join(sorted(attributes)))


def _elements(data: bytes) -> list[tuple[int, bytes]]:
    """Split DER into its elements: tag and content (X.690, 8.1)."""
    found = []
    at = 0
    while at < len(data):
        tag, length = data[at], data[at + 1]
        at += 2
        if length >= _LONG_FORM:
            count = length - _LONG_FORM
            length = int.from_bytes(data[at : at + count], "big")
            at += count
        if at + length > len(data):
            raise ValueError("an element is longer than what it is in")
        found.append((tag, data[at : at + length]))
        at += length
    return found


def _element(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < _LONG_FORM:
        return bytes((tag, length)) + content
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, _LONG_FORM + len(size))) + size + content
