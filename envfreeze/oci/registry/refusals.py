"""What registries say when they refuse (distribution-spec, "Error Codes"), and what it means for a push."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from envfreeze.errors import NetworkError
from envfreeze.store.client import AttemptError
from envfreeze.store.transfer import NotFoundError

if TYPE_CHECKING:
    from envfreeze.oci.registry.places import Place

_LONGEST = 200
_TOO_LARGE = 413
_READ_ONLY = {"UNSUPPORTED"}


def codes(failure: AttemptError) -> tuple[str, ...]:
    """The error codes in a registry's answer: `BLOB_UNKNOWN`."""
    return tuple(code for code, _ in _errors(failure.said))


def spoken(failure: AttemptError) -> AttemptError:
    """The same failure with what the registry itself says about it in its reason."""
    said = "; ".join(f"{code}: {message}" if message else code for code, message in _errors(failure.said))
    if not said:
        return failure
    return AttemptError(
        f"{failure.reason} ({said[:_LONGEST]})",
        again=failure.again,
        after=failure.after,
        status=failure.status,
        got=failure.got,
        hint=failure.hint,
        said=failure.said,
    )


def _errors(said: bytes) -> list[tuple[str, str]]:
    try:
        listed = json.loads(said)["errors"]
        found = [(str(one["code"]), str(one.get("message") or "")) for one in listed]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return []
    return [
        (code, message if message.isprintable() and not _secret(message) else "")
        for code, message in found
        if code.isprintable() and len(code) <= _LONGEST and not _secret(code)
    ]


def _secret(text: str) -> bool:
    """Whether a server repeats what may be a header with a password or a token."""
    lowered = text.lower()
    return any(word in lowered for word in ("basic ", "bearer ", "authorization", "password=", "token="))


def verdict(what: str, place: Place, failure: AttemptError) -> NetworkError:
    """What it means that something could not be pushed.

    Args:
        what: the reference, and which part of it.
        place: where to.
        failure: the last one.

    """
    found = set(codes(failure))
    message = f"{what} could not be pushed to {place.server}: {failure.reason}"
    if failure.hint:
        return NetworkError(message, hint=failure.hint)
    if failure.status == _TOO_LARGE:
        return NetworkError(
            message,
            hint="the registry, or a proxy before it, takes no uploads of that size: raise its limit "
            "(nginx: client_max_body_size 0)",
        )
    if found & _READ_ONLY or failure.status == 405:  # noqa: PLR2004 - method not allowed
        return NetworkError(
            message, hint="a mirror or a cache of another registry takes no images: name the other"
        )
    if failure.status in {404, 410}:
        return NotFoundError(
            message,
            hint=f"check the name; some registries want the repository {place.repository} to be made first",
        )
    if failure.again:
        return NetworkError(message, hint="push again: what has arrived is not sent twice")
    return NetworkError(message)
