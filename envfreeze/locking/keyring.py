"""Passwords of the `keyring` command, asked as pip and uv ask it (`--keyring-provider subprocess`).

Only the command, never the library: the keyring's backends are installed where it is, not beside envfreeze.
"""

from __future__ import annotations

import os
import subprocess
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from envfreeze.project.model import Project

_SECONDS = 30
_VARIABLES = ("UV_KEYRING_PROVIDER", "PIP_KEYRING_PROVIDER")


def is_wanted(project: Project) -> bool:
    """Whether the project, or else the environment, says that passwords are in the keyring."""
    if project.pip.keyring is not None:
        return project.pip.keyring
    return any(os.environ.get(variable) == "subprocess" for variable in _VARIABLES)


@lru_cache(maxsize=64)
def password(url: str, user: str) -> str | None:
    """Ask for a user's password: for the URL, then for its host. None: there is none, or no command.

    Args:
        url: of an index, without credentials.
        user: as in the index's URL.

    """
    for service in (url, urlsplit(url).netloc):
        try:
            done = subprocess.run(
                ["keyring", "get", service, user],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        found = done.stdout.decode("utf-8", "replace").rstrip("\r\n")
        if done.returncode == 0 and found:
            return found
    return None
