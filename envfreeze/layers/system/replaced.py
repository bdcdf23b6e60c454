"""The files that a package of the base had and its newer version has no more: they are taken away.

As dpkg does it: not its configuration files, nothing that another package has, and no folders. What takes a
file of a lower layer away is a whiteout (image-spec, layer.md, "Whiteouts").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.layers.deb.infofiles import FOLDER
from envfreeze.layers.deb.merged import real
from envfreeze.locking.image import dpkg, inventory
from envfreeze.oci.entry import whiteout

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envfreeze.layers.system.tree import Tree
    from envfreeze.locking.image.inventory import Inventory
    from envfreeze.oci.entry import Entry


def entries(tree: Tree) -> Iterator[Entry]:
    """Take away what is left of replaced packages."""
    if tree.beneath is None:
        return
    replaced = {package.deb.name for package in tree.packages}
    lists = _lists(tree.beneath)
    old = {path for base, paths in lists.items() if _name(base) in replaced for path in paths}
    if not old:
        return
    kept = {path for base, paths in lists.items() if _name(base) not in replaced for path in paths}
    kept |= _conffiles(tree.beneath, replaced)
    names = {package.base for package in tree.packages}
    for path in tree.beneath.matching(f"{FOLDER}/"):
        base = path.removeprefix(f"{FOLDER}/").rpartition(".")[0]
        if _name(base) in replaced or base in names:
            old.add(path)
    for path in sorted(old - kept):
        item = tree.beneath.find(path)
        if item is not None and item.kind != inventory.DIRECTORY and not tree.exists(path):
            yield whiteout(path)


def _lists(beneath: Inventory) -> dict[str, list[str]]:
    """The files of each of the base's packages, by the name that its info files have."""
    found: dict[str, list[str]] = {}
    for path, text in beneath.texts.items():
        if path.startswith(f"{FOLDER}/") and path.endswith(".list"):
            lines = text.decode("utf-8", "surrogateescape").split("\n")
            base = path.removeprefix(f"{FOLDER}/").removesuffix(".list")
            found[base] = [real(line.strip("/")) for line in lines if line.strip("/.")]
    return found


def _conffiles(beneath: Inventory, names: set[str]) -> set[str]:
    """The configuration files that the base's stanzas of some packages name."""
    found = set()
    for text in dpkg.stanzas(beneath):
        if dpkg.name_of(text)[0] in names:
            _, _, rest = text.partition("\nConffiles:\n")
            for line in rest.split("\n"):
                if not line.startswith(" "):
                    break
                found.add(real(line.split()[0].strip("/")))
    return found


def _name(base: str) -> str:
    return base.partition(":")[0]
