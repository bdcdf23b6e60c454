"""Sources that no archive holds, as lock files name them: a commit of a repository, or a folder.

Each tool writes a repository's URL in its own way; here they become one value. What is not tied to one commit
of a git repository cannot be locked, and is refused in words that name it.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit, urlunsplit

from envfreeze.locking import local
from envfreeze.locking.imports.model import ImportedTree
from envfreeze.locking.indexes import redact, without_credentials

if TYPE_CHECKING:
    from collections.abc import Callable

    from envfreeze.errors import UsageError

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SCP = re.compile(r"(?P<user>[\w.-]+)@(?P<host>[\w.-]+):(?P<path>[^/].*)")
_SCHEMES = frozenset({"http", "https", "ssh", "git", "file"})
_OTHERS = ("hg+", "svn+", "bzr+")
PREFIXES = ("git+", *_OTHERS)
"""What URLs of version control systems begin with in requirements (pip's "VCS Support")."""


def of_repository(
    url: str, commit: str | None, *, revision: str | None = None, subdirectory: str | None = None
) -> ImportedTree:
    """Give a commit of a git repository.

    Args:
        url: of the repository, as git takes it; credentials in it are dropped.
        commit: the full id; anything else: it is not locked.
        revision: what the project asks for.
        subdirectory: of the project in the repository.

    """
    plain = repository(url)
    if plain is None:
        return ImportedTree("git", redact(url), problem="its address cannot be read")
    if commit is None or not _COMMIT.fullmatch(commit):
        return ImportedTree("git", plain, problem="it is not locked to a commit")
    if subdirectory is not None and not _is_inside(subdirectory):
        return ImportedTree("git", plain, problem=f"{subdirectory!r} leads out of it")
    return ImportedTree("git", plain, commit, revision, subdirectory or None)


def of_uv(url: str) -> ImportedTree:
    """Read uv's way: `https://host/repo?rev=v1&subdirectory=sub#<commit>`."""
    parts = urlsplit(url)
    asked = parse_qs(parts.query)
    revision = next((asked[key][0] for key in ("rev", "tag", "branch") if key in asked), None)
    subdirectory = asked.get("subdirectory", [None])[0]
    bare = urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))
    return of_repository(bare, parts.fragment, revision=revision, subdirectory=subdirectory)


def of_requirement(url: str) -> ImportedTree:
    """Read pip's way: `git+https://host/repo@<commit>#egg=name&subdirectory=sub`.

    The query of uv's way is understood too: pixi writes one with `git+` before it.
    """
    if url.startswith(_OTHERS):
        return ImportedTree(url.partition("+")[0], redact(url), problem="only git repositories are read")
    bare = url.removeprefix("git+")
    parts = urlsplit(bare)
    if parts.query or _COMMIT.fullmatch(parts.fragment):
        return of_uv(bare)
    path, at, revision = parts.path.rpartition("@")
    subdirectory = parse_qs(parts.fragment).get("subdirectory", [None])[0]
    plain = urlunsplit((parts.scheme, parts.netloc, path if at else parts.path, "", ""))
    return of_repository(plain, revision if at else None, subdirectory=subdirectory)


def of_folder(place: str, words: str = "is a folder of sources") -> ImportedTree:
    """Give a folder, by a path relative to the lock file's folder, an absolute one, or its file URL."""
    path = local.path_of(place) if place.startswith("file:") else Path(unquote(place))
    return ImportedTree("directory", redact(place) if path is None else str(path), words=words)


def repository(url: str) -> str | None:
    """Give a repository's URL without credentials; the user of an ssh address is part of it and stays.

    None: it is not an address that git is asked for.
    """
    if found := _SCP.fullmatch(url):
        return f"ssh://{found['user']}@{found['host']}/{found['path']}"
    if url.startswith("/"):
        return Path(url).as_uri()
    try:
        parts = urlsplit(url)
        if parts.scheme == "ssh":
            user, at, host = parts.netloc.rpartition("@")
            return urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}{at}{host}", fragment=""))
        return without_credentials(url) if parts.scheme in _SCHEMES else None
    except ValueError:
        return None


def file_of(place: str, blame: Callable[[str], UsageError]) -> str:
    """Normalise a path of a folder; raises what `blame` makes of one that holds a control character."""
    if not place or re.search(r"[\x00-\x1f\x7f]", place):
        raise blame(f"{place!r} is not a path")
    return posixpath.normpath(place)


def _is_inside(path: str) -> bool:
    plain = posixpath.normpath(path)
    return not plain.startswith(("/", "../")) and plain != ".."
