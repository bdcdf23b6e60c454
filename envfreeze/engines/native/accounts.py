"""Whether the user that an image is to run as is an account of it."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from envfreeze.errors import UsageError
from envfreeze.oci import media
from envfreeze.oci.inflate import inflate
from envfreeze.oci.members import members

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

_ACCOUNTS = "etc/passwd"
_MOST = 1 << 20
"""Bytes of an account file beyond which nobody looks at it."""


def check_user(user: str | None, accounts: Callable[[], bytes]) -> None:
    """Hold the user of `[image]` against the accounts that the image has; ids need no account.

    Args:
        user: `name`, `uid` or `uid:gid`; None: root, or the base's own.
        accounts: gives the image's `etc/passwd`.

    Raises:
        UsageError: there is no account of that name.

    """
    if user is None or user.partition(":")[0].isdigit():
        return
    text = accounts().decode(errors="replace")
    known = [line.partition(":")[0] for line in text.splitlines()]
    if user not in known:
        close = get_close_matches(user, known, 1)
        nearest = f", or {close[0]!r}, which is one" if close else ""
        raise UsageError(
            f"[image] user: {user!r} is no account of the image",
            hint=f'give an id, like user = "1000:1000"{nearest}',
        )


def accounts_of(system: BinaryIO) -> bytes:
    """The `etc/passwd` of the layer `system`, a gzip of a tar; empty where it has none."""
    with inflate(system, media.LAYER_GZIP) as file:
        for member, content in members(file):
            if member.path == _ACCOUNTS:
                return content.read(_MOST) or b""
    return b""
