"""One word on every directory that packages disagree about, or that is not 0755 and root's.

Every package's layer has its directories, and the layer on top wins. This layer is the top one, and says it
once: the word of the base that packages are added to, or base-files' mode, or else that of the first package
by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.errors import UntrustedError
from envfreeze.locking.image import inventory
from envfreeze.oci.entry import Kind, directory, parents, symlink

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from envfreeze.layers.system.tree import Tree
    from envfreeze.oci.entry import Entry

_USUAL = (0o755, 0, 0)


def entries(tree: Tree) -> Iterator[Entry]:
    """Give the first owner's entry of each such directory."""
    for owners in tree.owners.values():
        directories = [entry for _, entry in owners if entry.kind is Kind.DIRECTORY]
        kept = _of_base(tree, directories[0].path) if directories else None
        if kept is not None:
            yield kept
            continue
        said = {(entry.mode, entry.uid, entry.gid) for entry in directories}
        if directories and said != {_USUAL}:
            yield directories[0]


def _of_base(tree: Tree, path: str) -> Entry | None:
    """What the base has where packages have a directory: it stays as it is."""
    item = None if tree.beneath is None else tree.beneath.find(path)
    if item is None:
        return None
    if item.kind == inventory.SYMLINK:
        return symlink(path, item.link)
    return directory(path, mode=item.mode, uid=item.uid, gid=item.gid)


def above(tree: Tree, found: Collection[str]) -> Iterator[Entry]:
    """Give the base's own entry of each folder above entries, which else would be made a usual one."""
    if tree.beneath is None:
        return
    for parent in sorted({parent for path in found for parent in parents(path)} - set(found)):
        item = tree.beneath.find(parent)
        if item is not None and item.kind == inventory.SYMLINK:
            raise UntrustedError(
                f"the base has a link at /{parent}, below which the packages' database has to be written",
                hint="choose another base",
            )
        if item is not None and (item.mode, item.uid, item.gid) != _USUAL:
            yield directory(parent, mode=item.mode, uid=item.uid, gid=item.gid)
