"""What a registry asks for with a 401: the `WWW-Authenticate` header (RFC 9110, section 11.6.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - the RFC's word for a run of characters
_SCHEME = re.compile(rf"\s*,?\s*({_TOKEN})(?:\s+|$)")
_PARAMETER = re.compile(rf'\s*,?\s*({_TOKEN})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|({_TOKEN}))')
_ESCAPE = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class Challenge:
    """One challenge.

    Attributes:
        scheme: in lower case: `basic`, `bearer`.
        parameters: by their names in lower case.

    """

    scheme: str
    parameters: Mapping[str, str]


def parse(headers: Sequence[str]) -> tuple[Challenge, ...]:
    """Read the challenges of an answer; what cannot be read ends its header."""
    found: list[Challenge] = []
    for header in headers:
        position = 0
        while (scheme := _SCHEME.match(header, position)) is not None:
            position = scheme.end()
            parameters: dict[str, str] = {}
            while (one := _PARAMETER.match(header, position)) is not None:
                quoted, plain = one[2], one[3]
                parameters[one[1].lower()] = plain if quoted is None else _ESCAPE.sub(r"\1", quoted)
                position = one.end()
            found.append(Challenge(scheme[1].lower(), parameters))
    return tuple(found)
