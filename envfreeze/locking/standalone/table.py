"""A build of python-build-standalone, as a table of `envfreeze.lock` (docs/formats/lock-1.md)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from envfreeze.locking.model import StandalonePython
from envfreeze.oci.paths import path_problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envfreeze.locking import toml
    from envfreeze.locking.strict import Table

_BUILD = re.compile("[0-9]{8}")
_VERSION = re.compile(r"3\.[0-9]+\.[0-9]+")


def render(python: StandalonePython) -> Mapping[str, toml.Value]:
    """Write the table."""
    return {
        "version": python.version,
        "build": python.build,
        "filename": python.filename,
        "prefix": f"/{python.prefix}",
        "size": python.size,
        "digest": str(python.digest),
        "urls": python.urls,
    }


def parse(table: Table) -> StandalonePython:
    """Read what `render` wrote.

    Raises:
        EditedError: it is not that.

    """
    python = StandalonePython(
        version=_matching(table, "version", _VERSION),
        build=_matching(table, "build", _BUILD),
        filename=_filename(table),
        digest=table.digest("digest"),
        size=table.size("size"),
        urls=_urls(table),
        prefix=prefix(table),
    )
    table.finish()
    return python


def _matching(table: Table, key: str, pattern: re.Pattern[str]) -> str:
    text = table.string(key)
    if not pattern.fullmatch(text):
        raise table.wrong(key, f"{text!r} is not of the form that envfreeze writes")
    return text


def _filename(table: Table) -> str:
    name = table.string("filename")
    if "/" in name or path_problem(name) is not None:
        raise table.wrong("filename", f"{name!r} is not the name of a file")
    return name


def _urls(table: Table) -> tuple[str, ...]:
    urls = table.strings("urls")
    for url in urls or ("",):
        if urlsplit(url).scheme not in {"http", "https", "file"}:
            raise table.wrong("urls", f"{url!r} is not an http, https or file URL")
    return urls


def prefix(table: Table) -> str:
    """Take a folder in the image, `prefix`, without its leading slash.

    Raises:
        EditedError: it is not an absolute path.

    """
    path = table.string("prefix")
    if not path.startswith("/") or path_problem(path[1:]) is not None:
        raise table.wrong("prefix", f"{path!r} is not an absolute path")
    return path[1:]
