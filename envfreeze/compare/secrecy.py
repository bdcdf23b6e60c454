"""What a finding may show: a verdict goes into logs and pull requests, and images may hold secrets."""

from __future__ import annotations

import hashlib
import re
from typing import Final

_NAMES: Final = re.compile(
    r"token|secret|passw(or)?d|passphrase|credential|api_?key|private_?key|access_?key|auth", re.IGNORECASE
)
_IN_URL: Final = re.compile(r"(?P<scheme>\b[a-z][a-z0-9+.-]*://)[^/\s@'\"]*:[^/\s@'\"]*@", re.IGNORECASE)
_IN_TEXT: Final = re.compile(
    r"(?P<name>(?:token|secret|passw(?:or)?d|passphrase|api_?key|private_?key|access_?key)"
    r"[\"']?\s*[:=]\s*[\"']?)(?P<value>(?=[A-Za-z_+/=.~-]*[0-9])[A-Za-z0-9_+/=.~-]{12,})",
    re.IGNORECASE,
)
"""A name that ends like a secret's and a value that is no word: `eos_token: "<|endoftext|>"` is none."""

_HEX: Final = 8


def of_variable(name: str, value: str) -> str:
    """A variable's or label's value; of one that is named like a secret only whether it is the same."""
    return hidden(value) if _NAMES.search(name) else in_urls(value)


def in_urls(text: str) -> str:
    """A text without the passwords in its URLs."""
    return _IN_URL.sub(r"\g<scheme>***@", text)


def in_line(line: str) -> str:
    """A line of a file without what is set like a secret."""
    return _IN_TEXT.sub(lambda match: match["name"] + hidden(match["value"]), in_urls(line))


def hidden(value: str) -> str:
    """What stands for a secret: equal for equal ones."""
    digest = hashlib.sha256(value.encode("utf-8", "surrogateescape")).hexdigest()
    return f"<hidden, sha256 {digest[:_HEX]}>"
