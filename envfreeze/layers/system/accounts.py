"""`/etc/passwd`, `group`, `shadow` and `gshadow`, as base-passwd's preinst and passwd's `shadowconfig on` do.

The accounts are those of base-passwd's master files. Passwords are locked (`*`) in the shadow files, whether
passwd is installed or not, so that a later installation of it finds nothing to change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.oci.entry import file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envfreeze.layers.system.tree import Tree
    from envfreeze.oci.entry import Entry

_SHADOW_GROUP = 42
_DAY = 3653
"""Days from 1970-01-01 to the writer's one date, 1980-01-02: 0 would ask for a new password at once."""


def entries(tree: Tree) -> Iterator[Entry]:
    """Make the account files where base-passwd is among the packages and the base has none."""
    if tree.is_beneath("etc/passwd"):
        return
    passwd = _accounts(tree.read("usr/share/base-passwd/passwd.master"))
    group = _accounts(tree.read("usr/share/base-passwd/group.master"))
    if not passwd or not group:
        return
    yield file("etc/passwd", _lines([[name, "x", *rest] for name, _, *rest in passwd]))
    yield file("etc/group", _lines([[name, "x", *rest] for name, _, *rest in group]))
    shadow = [[name, "*", str(_DAY), "0", "99999", "7", "", "", ""] for name, *_ in passwd]
    yield file("etc/shadow", _lines(shadow), mode=0o640, gid=_SHADOW_GROUP)
    gshadow = [[name, "*", "", rest[-1]] for name, *rest in group]
    yield file("etc/gshadow", _lines(gshadow), mode=0o640, gid=_SHADOW_GROUP)
    yield file("etc/subuid", b"")
    yield file("etc/subgid", b"")


def _accounts(content: bytes | None) -> list[list[str]]:
    """Split `name:*:...` lines; group's last field, its members, is kept."""
    text = (content or b"").decode("utf-8", "surrogateescape")
    return [line.split(":") for line in text.split("\n") if line.count(":") > 1]


def _lines(rows: list[list[str]]) -> bytes:
    return "".join(":".join(row) + "\n" for row in rows).encode("utf-8", "surrogateescape")
