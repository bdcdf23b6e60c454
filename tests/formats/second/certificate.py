"""`os-layers.md`, "The subject hash"."""

from __future__ import annotations

import hashlib
import re


def tlv(data: bytes, at: int = 0) -> tuple[int, bytes, int]:
    """Read a DER value at an offset: its tag, its content, and where the next begins."""
    tag, length, at = data[at], data[at + 1], at + 2
    if length & 0x80:
        count = length & 0x7F
        length, at = int.from_bytes(data[at : at + count], "big"), at + count
    return tag, data[at : at + length], at + length


def children(content: bytes) -> list[tuple[int, bytes]]:
    out, at = [], 0
    while at < len(content):
        tag, value, at = tlv(content, at)
        out.append((tag, value))
    return out


def der(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(size)]) + size + content


STRINGS = {
    12: "utf-8",
    19: "latin-1",
    20: "latin-1",
    22: "latin-1",
    26: "latin-1",
    28: "utf-32-be",
    30: "utf-16-be",
}


def subject_hash(certificate: bytes) -> str:
    (_, to_be_signed), *_ = children(tlv(certificate)[1])
    fields = children(to_be_signed)
    subject = fields[5 if fields[0][0] == 0xA0 else 4][1]
    joined = b""
    for _, attributes in children(subject):
        encoded = []
        for _, attribute in children(attributes):
            (kind, name), (tag, value) = children(attribute)
            if tag in STRINGS:
                blanks = " \t\n\v\f\r"
                text = re.sub(f"[{blanks}]+", " ", value.decode(STRINGS[tag]).strip(blanks))
                lowered = re.sub("[A-Z]", lambda found: found[0].lower(), text)
                tag, value = 12, lowered.encode()
            encoded.append(der(0x30, der(kind, name) + der(tag, value)))
        joined += der(0x31, b"".join(sorted(encoded)))
    return f"{int.from_bytes(hashlib.sha1(joined).digest()[:4], 'little'):08x}"
