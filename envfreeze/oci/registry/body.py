"""Reading a short answer whole: bounded, and never half of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.store.client import AttemptError

if TYPE_CHECKING:
    import httpx


class TooLongError(AttemptError):
    """The answer is longer than what was asked for can be."""


def whole(response: httpx.Response, limit: int) -> bytes:
    """The body of an answer, as it was sent.

    Raises:
        TooLongError: it is longer than `limit` bytes.
        AttemptError: it ended before its stated length.

    """
    body = bytearray()
    for chunk in response.iter_raw():
        body += chunk
        if len(body) > limit:
            raise TooLongError(f"it sends more than {limit} bytes")
    length = response.headers.get("content-length", "")
    if length.isdigit() and int(length) != len(body):
        raise AttemptError(f"it ended after {len(body)} of {length} bytes", again=True)
    return bytes(body)
