"""The account of the user that the image's command runs as, made without asking the day or the host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.errors import UsageError

if TYPE_CHECKING:
    from envfreeze.locking.model import Runtime
    from envfreeze.project.model import DockerSettings

DAY = 3653
"""Days from 1970-01-01 to 1980-01-02, the one date of all files: passwd(1)'s "last changed"."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account.

    Attributes:
        name: of the user, and of the group.
        uid: of the user.
        gid: of the group.
        home: its folder, absolute.

    """

    name: str
    uid: int
    gid: int
    home: str

    @property
    def passwd(self) -> str:
        """Its line in /etc/passwd (passwd(5))."""
        return f"{self.name}:x:{self.uid}:{self.gid}::{self.home}:/bin/sh"

    @property
    def group(self) -> str:
        """Its line in /etc/group (group(5))."""
        return f"{self.name}:x:{self.gid}:"

    @property
    def shadow(self) -> str:
        """Its line in /etc/shadow (shadow(5)): no password, and a day that is not today."""
        return f"{self.name}:*:{DAY}:0:99999:7:::"


def account_of(settings: DockerSettings, runtime: Runtime) -> Account | None:
    """The account that `[docker] account` asks for; None where it asks for none.

    Raises:
        UsageError: `[image] user` does not say which ids it has.

    """
    if settings.account is None:
        return None
    uid, _, gid = (runtime.user or "").partition(":")
    if not uid.isdigit() or uid == "0":
        raise UsageError(
            "[docker] account: [image] user does not say which ids the account has",
            hint='for example, in [image]: user = "1000:1000"',
        )
    return Account(settings.account, int(uid), int(gid or uid), f"/home/{settings.account}")
