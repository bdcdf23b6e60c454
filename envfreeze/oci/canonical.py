"""Canonical JSON out, strict JSON in.

Out: keys sorted by code point, no white space, UTF-8, nothing escaped that need not be, no newline at the
end (docs/formats/image.md). In: what a second reader could understand differently (a key twice, NaN, bytes
that are not UTF-8) is refused, since a digest would then vouch for two meanings.
"""

from __future__ import annotations

import json
from typing import Any

from envfreeze.errors import UntrustedError

LIMIT = 4 << 20
"""Bytes that a manifest, index or config may have: what registries accept
(distribution-spec, "Pushing Manifests": at least 4 megabytes)."""


def dump(value: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """Write JSON canonically.

    Raises:
        ValueError: the value has a number that JSON has no form for, or text that is not Unicode.

    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def parse(data: bytes, what: str) -> dict[str, Any]:
    """Read a JSON object.

    Args:
        data: the document.
        what: its name in errors.

    Raises:
        UntrustedError: not a JSON object, too large, nested too deeply, or ambiguous.

    """
    if len(data) > LIMIT:
        raise UntrustedError(f"{what} has {len(data)} bytes; more than {LIMIT} is refused")
    try:
        value = json.loads(data.decode(), object_pairs_hook=_unambiguous, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise UntrustedError(f"{what} is not valid JSON ({error})") from error
    if not isinstance(value, dict):
        raise UntrustedError(f"{what} is not a JSON object")
    return value


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return result


def _no_constant(name: str) -> Any:  # noqa: ANN401 - json's signature
    raise ValueError(f"{name} is not JSON")
