"""`/bin -> usr/bin` and its like, which debootstrap makes and base-files' scripts keep (DEP 17)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.layers.deb.merged import ALIASED
from envfreeze.oci.entry import directory, symlink

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envfreeze.layers.system.tree import Tree
    from envfreeze.oci.entry import Entry

_ALWAYS = frozenset({"bin", "lib", "sbin"})


def entries(tree: Tree) -> Iterator[Entry]:
    """Link `bin`, `lib` and `sbin` always, the others where a package has the directory in `usr/`."""
    if tree.beneath is not None:
        return  # locking refuses a base that is not merged
    for name in ALIASED:
        if name in _ALWAYS or tree.exists(f"usr/{name}"):
            yield symlink(name, f"usr/{name}")
            if not tree.exists(f"usr/{name}"):
                yield directory(f"usr/{name}")
