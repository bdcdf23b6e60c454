"""Names that container engines call images by: `name:tag`, with or without a registry's host before.

The grammar is that of https://github.com/distribution/reference ("Grammar"), without digests.
"""

from __future__ import annotations

import re

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
_REFERENCE = re.compile(
    rf"(?P<path>(?:{_HOST}/)?{_COMPONENT}(?:/{_COMPONENT})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?"
)


def with_tag(text: str) -> str | None:
    """The name with its tag, `latest` where it has none; None where it is not a name."""
    match = _REFERENCE.fullmatch(text)
    return None if match is None else f"{match['path']}:{match['tag'] or 'latest'}"


def is_tagged(text: str) -> bool:
    """Whether the text is a name that states its tag."""
    match = _REFERENCE.fullmatch(text)
    return match is not None and match["tag"] is not None


def full(reference: str) -> str:
    """The name with the host and folder that Docker leaves out: `docker.io/library/debian:trixie`."""
    first, slash, _ = reference.partition("/")
    if slash and (first == "localhost" or "." in first or ":" in first):
        return reference
    return f"docker.io/{reference}" if slash else f"docker.io/library/{reference}"
