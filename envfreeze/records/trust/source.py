"""The address of a project's git repository, as it can be told to others."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from envfreeze.records import share

if TYPE_CHECKING:
    from envfreeze.records.git import Repository

_SCP = re.compile(r"(?:[^@/:]+@)?(?P<host>[A-Za-z0-9][A-Za-z0-9.-]+):(?P<path>(?!:|//).+)")
"""`git@host:team/train.git` (git-clone(1), "GIT URLS")."""

_SCHEMES = frozenset({"https", "http", "ssh", "git"})


def address_of(repository: Repository) -> str | None:
    """The address of the remote that `git push` would take; None where it says nothing elsewhere."""
    name = share.remote_of(repository)
    configured = None if name is None else repository.git.ask("config", "--get", f"remote.{name}.url")
    return None if configured is None else public(configured.decode(errors="replace").strip())


def public(address: str) -> str | None:
    """Write an address without user, password and query; None for a path of this machine."""
    if "://" not in address:
        scp = _SCP.fullmatch(address)
        if scp is None:
            return None
        return f"ssh://{scp['host']}/{scp['path'].lstrip('/')}"
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    host = parts.netloc.rpartition("@")[2]
    if parts.scheme not in _SCHEMES or not host:
        return None
    return urlunsplit((parts.scheme, host, parts.path, "", ""))
