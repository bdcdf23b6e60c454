"""Packages for every platform: where a Python package's modules and commands go (conda, "noarch: python")."""

from __future__ import annotations

import json
from dataclasses import dataclass

from envfreeze.errors import UntrustedError
from envfreeze.layers.wheel.scripts import EntryPoint, entry_point

_MODULES = "site-packages/"
_SCRIPTS = "python-scripts/"


@dataclass(frozen=True, slots=True)
class Python:
    """The Python of a conda environment.

    Attributes:
        minor: `3.13`.

    """

    minor: str

    @property
    def site_packages(self) -> str:
        """Where modules go, relative to the prefix."""
        return f"lib/python{self.minor}/site-packages"

    def interpreter(self, prefix: str) -> str:
        """What commands name after `#!`."""
        return f"/{prefix}/bin/python{self.minor}"

    def place(self, path: str) -> str:
        """Where a path of a noarch Python package goes, relative to the prefix."""
        if path.startswith(_MODULES):
            return f"{self.site_packages}/{path.removeprefix(_MODULES)}"
        if path.startswith(_SCRIPTS):
            return f"bin/{path.removeprefix(_SCRIPTS)}"
        return path


def read_commands(link: bytes | None) -> list[EntryPoint]:
    """Read the entry points of `info/link.json`, sorted by name.

    Args:
        link: the file; None where the package has none.

    Raises:
        UntrustedError: it cannot be read, or a command's name would not stay in its folder.

    """
    if link is None:
        return []
    try:
        noarch = json.loads(link)["noarch"]
        lines = noarch.get("entry_points") or []
        pairs = [tuple(part.strip() for part in line.split("=", 1)) for line in lines]
        found = {name: value for name, value in pairs}  # noqa: C416 - refuses lines without a `=`
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UntrustedError("its info/link.json cannot be read") from error
    if len(found) != len(pairs):
        raise UntrustedError("its info/link.json names a command twice")
    return [entry_point(name, found[name]) for name in sorted(found)]
