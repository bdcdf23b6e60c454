"""A file as uv's answer names it: its name, its URL without credentials, its size.

The answer is a PEP 751 document beside which local files are named by their relative path.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from envfreeze.locking import indexes, local

if TYPE_CHECKING:
    from collections.abc import Mapping


def filename(file: Mapping[str, Any]) -> str:
    """The file's name."""
    if "name" in file:
        return str(file["name"])
    path = unquote(urlsplit(str(file["url"])).path) if "url" in file else str(file["path"])
    return path.rpartition("/")[2]


def place(entry: Mapping[str, Any]) -> str:
    """Where it is, for an error: without credentials."""
    return indexes.redact(str(entry.get("url") or entry.get("path")))


def path(entry: Mapping[str, Any], scratch: Path) -> Path:
    """The path of a local file or folder; `scratch` holds the document."""
    return Path(os.path.normpath(scratch / str(entry["path"])))


def url(file: Mapping[str, Any], scratch: Path) -> str:
    """The URL, without credentials."""
    if "url" in file:
        return indexes.without_credentials(str(file["url"]))
    # uv writes local files relative to its output file.
    return path(file, scratch).as_uri()


def size(file: Mapping[str, Any], url: str) -> int | None:
    """Bytes; None where neither the index nor the disk says."""
    if "size" in file:
        return int(file["size"])
    path = local.path_of(url)
    return None if path is None else path.stat().st_size
