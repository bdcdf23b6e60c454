"""Which format a lock file has: told by its content, never by its name alone."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import tomli

from envfreeze.errors import UsageError
from envfreeze.locking.imports import (
    conda_lock,
    explicit_conda,
    pep751,
    pipfile_lock,
    pixi_lock,
    poetry_lock,
    requirements_txt,
    uv_lock,
)
from envfreeze.locking.imports.foreign import text_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envfreeze.locking.imports.model import ImportedLock

KINDS = (
    uv_lock.KIND,
    pep751.KIND,
    poetry_lock.KIND,
    pipfile_lock.KIND,
    requirements_txt.KIND,
    conda_lock.KIND,
    pixi_lock.KIND,
    explicit_conda.KIND,
)
"""The formats that can be read."""

_EXPLICIT = re.compile(r"^@EXPLICIT\s*$", re.MULTILINE)
_YAML_VERSION = re.compile(r"^version:\s*['\"]?(\d+)", re.MULTILINE)
_TABLE = re.compile(r"^\s*(\[\[?[\w.\"'-]+\]\]?\s*(#.*)?$|[\w-]+\s*=\s*[\[{\"'\d])", re.MULTILINE)
_OTHERS = {
    "Pipfile": "lock it with `pipenv lock` and name Pipfile.lock",
    "pdm.lock": "export it: `pdm export -f pylock -o pylock.pdm.toml`",
    "environment.yml": "it is not a lock: name it in [conda] environment",
    "pyproject.toml": "it is not a lock: its dependencies are read without --from",
}


def kind_of(content: bytes, file: str) -> str:
    """Recognise a lock file.

    Args:
        content: the file.
        file: its name, for errors.

    Returns:
        One of `KINDS`.

    Raises:
        UsageError: it is none of them.

    """
    text = text_of(content, file)
    start = text.lstrip()[:1]
    if _EXPLICIT.search(text):
        return explicit_conda.KIND
    if start == "{":
        kind = _of_json(text)
    elif (version := _YAML_VERSION.search(text)) is not None:
        kind = _of_yaml(text, int(version[1]))
    elif (document := _toml(text)) is not None:
        kind = _of_toml(document)
    else:
        kind = requirements_txt.KIND if _is_list(text) else None
    if kind is None:
        raise UsageError(
            f"{file} is not a lock file that can be read",
            details=(f"formats: {', '.join(KINDS)}",),
            hint=_OTHERS.get(file.rpartition("/")[2], "name one of these formats"),
        )
    return kind


def parse(content: bytes, file: str, pyproject: Mapping[str, Any] | None = None) -> ImportedLock:
    """Read a lock file of any format that is known.

    Args:
        content: the file.
        file: its name, for errors.
        pyproject: the pyproject.toml beside it, for formats that need it (`poetry_lock`).

    Raises:
        UsageError: it is of no known format or version, or damaged.

    """
    kind = kind_of(content, file)
    if kind == poetry_lock.KIND:
        return poetry_lock.parse(content, file, pyproject)
    readers = {
        uv_lock.KIND: uv_lock.parse,
        pep751.KIND: pep751.parse,
        pipfile_lock.KIND: pipfile_lock.parse,
        requirements_txt.KIND: requirements_txt.parse,
        conda_lock.KIND: conda_lock.parse,
        pixi_lock.KIND: pixi_lock.parse,
        explicit_conda.KIND: explicit_conda.parse,
    }
    return readers[kind](content, file)


def _of_json(text: str) -> str | None:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    is_pipfile = isinstance(document, dict) and "_meta" in document
    return pipfile_lock.KIND if is_pipfile else None


def _of_yaml(text: str, version: int) -> str | None:
    if re.search(r"^environments:", text, re.MULTILINE) and version > 1:
        return pixi_lock.KIND
    if re.search(r"^package:", text, re.MULTILINE) and re.search(r"^metadata:", text, re.MULTILINE):
        return conda_lock.KIND
    return None


def _toml(text: str) -> dict[str, Any] | None:
    """Parse TOML; None where it is something else. A file that merely looks like it has its own error."""
    if not _TABLE.search(text):
        return None
    try:
        return tomli.loads(text)
    except (tomli.TOMLDecodeError, RecursionError, ValueError):
        return None


def _of_toml(document: Mapping[str, Any]) -> str | None:
    metadata = document.get("metadata")
    if isinstance(metadata, dict) and "lock-version" in metadata:
        return poetry_lock.KIND
    if "lock-version" in document and ("packages" in document or "created-by" in document):
        return pep751.KIND
    if "version" in document and ("package" in document or "requires-python" in document):
        return uv_lock.KIND
    return None


def _is_list(text: str) -> bool:
    """Whether it may be a requirements file: its first line that says something begins as one does."""
    for raw in text.splitlines():
        line = raw.strip()
        if line and not line.startswith("#"):
            return (
                re.match(
                    r"--?[a-z]|\.{1,2}/|[A-Za-z0-9][\w.-]*\s*(\[[\w, .-]*\])?\s*(==|@|[<>=~!;]|\\?$)|\w+\+?\w*://",
                    line,
                )
                is not None
            )
    return False
