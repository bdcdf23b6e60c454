"""What a conda package installs, as it says itself: `info/paths.json`, or what came before it.

Rows of paths.json are those of conda's `PathsData` version 1. Packages of conda-build before 2.1 have
`info/files` (a path a line), `info/has_prefix` (`PLACEHOLDER MODE PATH`, or a path alone) and
`info/no_link` instead; then nothing states sizes, hashes and kinds.
"""

from __future__ import annotations

import enum
import json
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from envfreeze.errors import UntrustedError
from envfreeze.oci.paths import path_problem
from envfreeze.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Mapping

_OLD_PLACEHOLDER = "/opt/anaconda1anaconda2" + "anaconda3"
"""What a line of has_prefix that names a path alone means (conda's `PREFIX_PLACEHOLDER`)."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_SPACE = 0x20


class PathKind(enum.Enum):
    """What a path is; the value is paths.json's `path_type`."""

    FILE = "hardlink"
    SYMLINK = "softlink"
    DIRECTORY = "directory"


class FileMode(enum.Enum):
    """How a placeholder is replaced; the value is paths.json's `file_mode`."""

    TEXT = "text"
    BINARY = "binary"


@dataclass(frozen=True, slots=True)
class Listed:
    """A path that a package installs.

    Attributes:
        path: in the package.
        kind: None where the package does not say.
        sha256: of the file as packed, in hex; None where it is not stated. A link's says nothing.
        size: bytes, likewise.
        placeholder: the prefix that the file was built with; None: nothing is replaced in it.
        mode: how it is replaced; None without a placeholder.
        no_link: conda copies the file where it would link it.

    """

    path: str
    kind: PathKind | None = None
    sha256: str | None = None
    size: int | None = None
    placeholder: str | None = None
    mode: FileMode | None = None
    no_link: bool = False


def read_paths(info: Mapping[str, bytes]) -> list[Listed]:
    """Read what a package installs, in the package's order.

    Args:
        info: the files of `info/` by name.

    Raises:
        UntrustedError: it does not say, cannot be read, names a path twice or one that leaves the prefix.

    """
    if "paths.json" in info:
        rows = _rows(info["paths.json"])
    elif "files" in info:
        rows = _old_rows(info)
    else:
        raise UntrustedError("it has neither info/paths.json nor info/files")
    seen: set[str] = set()
    for row in rows:
        problem = path_problem(row.path)
        if problem is None and any(ord(letter) < _SPACE for letter in row.path):
            problem = "holds a control character"
        if problem is not None:
            raise UntrustedError(f"the path {row.path!r} that it installs {problem}")
        if row.path in seen:
            raise UntrustedError(f"its list of paths names {row.path!r} twice")
        seen.add(row.path)
    return rows


def _rows(text: bytes) -> list[Listed]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UntrustedError(f"its info/paths.json cannot be read: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("paths"), list):
        raise UntrustedError("its info/paths.json lists no paths")
    if document.get("paths_version", 1) != 1:
        raise UntrustedError(f"its info/paths.json is of version {document['paths_version']}; known is 1")
    return [_row(row) for row in document["paths"]]


def _row(row: Any) -> Listed:  # noqa: ANN401 - any JSON value
    if not isinstance(row, dict) or not isinstance(row.get("_path"), str):
        raise UntrustedError("its info/paths.json has a row without a path")
    path = row["_path"]
    try:
        kind = PathKind(row.get("path_type", "hardlink"))
        placeholder = row.get("prefix_placeholder")
        # A mode without a placeholder, as conda-build writes it for some files, says nothing.
        mode = FileMode(row.get("file_mode", "text")) if placeholder is not None else None
    except ValueError as error:
        raise UntrustedError(f"its info/paths.json says of {path!r} what is not known: {error}") from error
    sha256, size = row.get("sha256"), row.get("size_in_bytes")
    if (sha256 is not None and not (isinstance(sha256, str) and _SHA256.fullmatch(sha256))) or (
        size is not None and (not isinstance(size, int) or isinstance(size, bool) or size < 0)
    ):
        raise UntrustedError(f"its info/paths.json states no sha256 or no size of {path!r} that can be one")
    listed = Listed(path, kind, sha256, size, no_link=row.get("no_link") is True)
    return listed if placeholder is None else _placed(listed, placeholder, mode)


def _placed(listed: Listed, placeholder: object, mode: FileMode | None) -> Listed:
    if not isinstance(placeholder, str) or not placeholder or not placeholder.isprintable():
        raise UntrustedError(f"the placeholder of {listed.path!r} is no path: {placeholder!r}")
    return replace(listed, placeholder=placeholder, mode=mode)


def _old_rows(info: Mapping[str, bytes]) -> list[Listed]:
    placeholders = dict(_has_prefix(line) for line in _lines(info, "has_prefix"))
    unlinked = set(_lines(info, "no_link"))
    rows = []
    for path in _lines(info, "files"):
        row = Listed(path, no_link=path in unlinked)
        rows.append(_placed(row, *placeholders[path]) if path in placeholders else row)
    return rows


def _lines(info: Mapping[str, bytes], name: str) -> list[str]:
    try:
        lines = info.get(name, b"").decode().splitlines()
    except UnicodeDecodeError as error:
        raise UntrustedError(f"its info/{name} is not UTF-8") from error
    stripped = (line.strip() for line in lines)
    return [line for line in stripped if line and not line.startswith("#")]


def _has_prefix(line: str) -> tuple[str, tuple[str, FileMode]]:
    try:
        parts = [part.strip("\"'") for part in shlex.split(line, posix=False)]
        if len(parts) == 1:
            return parts[0], (_OLD_PLACEHOLDER, FileMode.TEXT)
        placeholder, mode, path = parts
        return path, (placeholder, FileMode(mode))
    except ValueError as error:
        raise UntrustedError(f"its info/has_prefix has a line that cannot be read: {line!r}") from error
