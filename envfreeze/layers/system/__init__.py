"""What no single package owns: the small rules that stand for maintainer scripts, one module each.

Every rule reads the packages as one `Tree` and gives entries. `docs/formats/os-layers.md` states them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.layers.system import (
    accounts,
    alternatives,
    basefiles,
    certificates,
    collisions,
    directories,
    python,
    shells,
    sources,
    status,
    timezone,
    usrmerge,
)
from envfreeze.layers.system.collisions import conflicts
from envfreeze.layers.system.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envfreeze.layers.deb import DebPackage
    from envfreeze.locking.model import Target
    from envfreeze.oci.entry import Entry

__all__ = ["conflicts", "system_entries"]

_RULES = (
    directories,
    usrmerge,
    accounts,
    basefiles,
    certificates,
    alternatives,
    shells,
    timezone,
    python,
    status,
    sources,
    collisions,
)
"""In this order the first rule that names a path has the word on it."""


def system_entries(packages: Sequence[DebPackage], target: Target) -> list[Entry]:
    """Make the layer that lies on top of all packages' layers.

    The result depends on the packages and the target alone, not on the order of `packages`.

    Args:
        packages: all packages of the image, opened.
        target: what they are installed for.

    Returns:
        Entries by the bytes of their paths, each path once.

    """
    tree = Tree.of(packages, target)
    found: dict[str, Entry] = {}
    for rule in _RULES:
        for entry in rule.entries(tree):
            found.setdefault(entry.path, entry)
    return [found[path] for path in sorted(found, key=str.encode)]
