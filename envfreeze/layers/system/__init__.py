"""What no single package owns: the small rules that stand for maintainer scripts, one module each.

Every rule reads the packages as one `Tree` and gives entries. `docs/formats/os-layers.md` states them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.errors import UntrustedError
from envfreeze.layers.system import (
    accounts,
    alternatives,
    basefiles,
    certificates,
    collisions,
    directories,
    ldcache,
    python,
    replaced,
    shells,
    sources,
    status,
    timezone,
    usrmerge,
)
from envfreeze.layers.system.collisions import conflicts
from envfreeze.layers.system.tree import Tree
from envfreeze.oci.entry import Kind, parents

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from envfreeze.layers.deb import DebPackage
    from envfreeze.locking.image.inventory import Inventory
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
    replaced,
)
"""In this order the first rule that names a path has the word on it."""


def system_entries(
    packages: Sequence[DebPackage], target: Target, beneath: Inventory | None = None
) -> list[Entry]:
    """Make the layer that lies on top of all packages' layers.

    The result depends on the packages and the target alone, not on the order of `packages`.

    Args:
        packages: all packages of the image, opened.
        target: what they are installed for.
        beneath: what the base holds that they are added to; None: they are the base.

    Returns:
        Entries by the bytes of their paths, each path once.

    Raises:
        UntrustedError: a package has a link or a file where these entries need a directory.

    """
    tree = Tree.of(packages, target, beneath)
    found: dict[str, Entry] = {}
    for rule in _RULES:
        for entry in rule.entries(tree):
            found.setdefault(entry.path, entry)
    # The one rule that looks at what the others made: libraries are also reached through alternatives.
    for entry in list(ldcache.entries(tree, found)):
        found.setdefault(entry.path, entry)
    _check_parents(found, tree)
    for entry in list(directories.above(tree, found)):
        found.setdefault(entry.path, entry)
    return [found[path] for path in sorted(found, key=str.encode)]


def _check_parents(found: Mapping[str, Entry], tree: Tree) -> None:
    """Refuse a package that would have the base system's files written through a link of its own."""
    above = {parent for path in found for parent in parents(path)} - found.keys()
    for parent in sorted(above):
        for package, entry in tree.owners.get(parent, ()):
            if entry.kind is not Kind.DIRECTORY:
                raise UntrustedError(
                    f"the Debian package {package.deb.name} has /{parent}, and not as a directory, "
                    "where the base system needs one",
                    hint="leave the package out, or report it to the archive that it comes from",
                )
