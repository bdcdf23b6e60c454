"""Wheels that are files of this machine: a `file:` URL in memory, a relative path in the lock's files.

`file:///home/me/project/wheels/x.whl` would tie a lock to one machine. A wheel inside the project's folder is
therefore written as `wheels/x.whl`, and stands in a `Lock` that belongs to no folder as `file:wheels/x.whl`.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote, urlsplit


def path_of(url: str) -> Path | None:
    """Give the path of a `file:///` URL, None for any other."""
    parts = urlsplit(url)
    if parts.scheme != "file" or parts.netloc not in {"", "localhost"} or not parts.path.startswith("/"):
        return None
    return Path(unquote(parts.path))


def filename(url: str) -> str:
    """Give the last part of a URL's path, decoded."""
    return unquote(urlsplit(url).path).rpartition("/")[2]


def relative(url: str, folder: Path | None) -> str | None:
    """Give the path by which the lock's files name the wheel, None where they name its URL.

    Args:
        url: of a wheel.
        folder: the project's, absolute; None: only URLs that are relative already have such a path.

    """
    if url.startswith("file:") and not url.startswith("file:/"):
        return unquote(url.removeprefix("file:"))
    path = path_of(url)
    if folder is None or path is None:
        return None
    for base in (folder, folder.resolve()):
        if path.is_relative_to(base):
            return path.relative_to(base).as_posix()
    return None


def url_of(path: str, folder: Path | None) -> str:
    """Give the URL of a wheel that the lock's files name by a path.

    Raises:
        ValueError: the path leads out of the project's folder.

    """
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or str(pure) != path or path == ".":
        raise ValueError(f"not a path inside the project: {path!r}")
    return f"file:{quote(path)}" if folder is None else (folder.absolute() / pure).as_uri()
