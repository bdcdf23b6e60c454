"""One word on every directory that packages disagree about, or that is not 0755 and root's.

Every package's layer has its directories, and the layer on top wins. This layer is the top one, and says it
once: base-files' mode, or else that of the first package by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.oci.entry import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envfreeze.layers.system.tree import Tree
    from envfreeze.oci.entry import Entry

_USUAL = (0o755, 0, 0)


def entries(tree: Tree) -> Iterator[Entry]:
    """Give the first owner's entry of each such directory."""
    for owners in tree.owners.values():
        directories = [entry for _, entry in owners if entry.kind is Kind.DIRECTORY]
        said = {(entry.mode, entry.uid, entry.gid) for entry in directories}
        if directories and said != {_USUAL}:
            yield directories[0]
