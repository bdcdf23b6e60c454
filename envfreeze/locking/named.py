"""Which versions of a package a lock names, without reading the lock: for thousands of locks at once.

Generated lock files have one package a line (docs/formats/lock-1.md), so a name is looked for in their bytes
as they are written. What comes out is what the whole lock would say, some hundred times sooner. The files are
taken for generated ones: hold them to their digests first.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from packaging.utils import canonicalize_name

from envfreeze.locking import lockfile

if TYPE_CHECKING:
    from collections.abc import Mapping

_SIDES = {b"build": "conda", b"architecture": "os"}
"""What stands after the version of a package in `envfreeze.lock`, and whose it is."""

# Stands in the package's own table, before the tables of what built it (docs/formats/lock-1.md).
_WHEEL = re.compile(rb'^wheel = "[^"\\-]+-([^"\\-]+)-[^"]+\.whl"$', re.MULTILINE)


class Named(NamedTuple):
    """A package that a lock names.

    Attributes:
        side: `pip`, `conda` or `os`.
        name: as the lock writes it.
        version: as locked.

    """

    side: str
    name: str
    version: str


class Name:
    """A package's name, looked for in many locks.

    Args:
        text: as people write it; of a Python package in any spelling.

    """

    def __init__(self, text: str) -> None:
        exact = re.escape(text.encode())
        normalised = re.escape(canonicalize_name(text).encode())
        self._rows = re.compile(
            rb'^    \{ name = "(' + exact + rb')", version = "([^"\\]+)", (build|architecture) = "',
            re.MULTILINE,
        )
        self._wheels = re.compile(
            rb'^\[\[packages\]\]\nname = "(' + normalised + rb')"\n(?:version = "([^"\\]+)"\n)?', re.MULTILINE
        )

    def named_in(self, files: Mapping[str, bytes]) -> tuple[Named, ...]:
        """Tell what lock files, by their names, name of it; sorted, each once."""
        found = set()
        for name, content in files.items():
            if name == lockfile.NAME:
                for match in self._rows.finditer(content):
                    found.add(Named(_SIDES[match[3]], match[1].decode(), match[2].decode()))
            elif name.startswith("pylock"):
                for match in self._wheels.finditer(content):
                    version = match[2].decode() if match[2] else _built(content, match.end())
                    found.add(Named("pip", match[1].decode(), version))
        return tuple(sorted(found))


def _built(content: bytes, start: int) -> str:
    """The version of a package whose source is a tree: that of the wheel which was built of it."""
    wheel = _WHEEL.search(content, start)
    return "" if wheel is None else wheel[1].decode()
