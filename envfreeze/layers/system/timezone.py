"""`/etc/localtime`, and `/etc/timezone` where tzdata's postinst still writes one: UTC, its default."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.oci.entry import file, symlink

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envfreeze.layers.system.tree import Tree
    from envfreeze.oci.entry import Entry

_ZONE = "Etc/UTC"
# From 2024a on (trixie) the script only updates a file that is there; libraries complain of a stale one.
_ONLY_UPDATES = b'test -f "$DPKG_ROOT/etc/timezone"'


def entries(tree: Tree) -> Iterator[Entry]:
    """Set the time zone where tzdata is among the packages."""
    tzdata = tree.package("tzdata")
    if tzdata is None or tree.is_beneath("etc/localtime"):
        return
    yield symlink("etc/localtime", f"/usr/share/zoneinfo/{_ZONE}")
    if _ONLY_UPDATES not in tzdata.control.get("postinst", b""):
        yield file("etc/timezone", f"{_ZONE}\n".encode())
