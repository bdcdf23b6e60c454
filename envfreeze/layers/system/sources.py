"""apt's sources, where apt itself is among the packages: the very archives that the lock names.

The last location of an archive is used, which for Debian is the snapshot of the locked index's date, so that
`apt install` in a container finds what fits the image. A further archive's key comes from the lock, and lies
where sources.list(5) wants keyrings that no package manages.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envfreeze.oci.entry import directory, file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envfreeze.layers.system.tree import Tree
    from envfreeze.locking.model import AptIndex
    from envfreeze.oci.entry import Entry

_SNAPSHOT = re.compile(r"/\d{8}T\d{6}Z(?:/|$)")
_UNSAFE = re.compile(r"[^a-z0-9.-]+")
_KEYRINGS = {
    "debian": ("debian-archive-keyring.pgp", "debian-archive-keyring.gpg"),
    "ubuntu": ("ubuntu-archive-keyring.gpg",),
}
_NOBODY = 42
"""The user id of `_apt` in base-passwd's list."""


def entries(tree: Tree) -> Iterator[Entry]:
    """Write one deb822 file (sources.list(5)) for each archive, and apt's own folders."""
    if tree.package("apt") is None or tree.is_beneath("etc/apt"):
        return  # a base with an apt of its own knows where its packages come from
    base = tree.target.base
    for archive in base.archives:
        indexes = [index for index in base.indexes if index.archive == archive.name]
        if not indexes or not archive.locations:
            continue
        location = archive.locations[-1]
        name = _UNSAFE.sub("-", archive.name.lower()).strip("-")
        keyring = _keyring(tree, archive.name)
        if archive.key is not None:
            keyring = f"etc/apt/keyrings/{name}.gpg"
            yield file(keyring, archive.key)
        stanzas = []
        for components in dict.fromkeys(index.components for index in indexes):
            same = [index for index in indexes if index.components == components]
            stanzas.append(_stanza(location, same, keyring))
        yield file(f"etc/apt/sources.list.d/{name}.sources", "\n".join(stanzas).encode())
    yield directory("var/lib/apt/lists/partial", mode=0o700, uid=_owner(tree))
    yield directory("var/cache/apt/archives/partial", mode=0o700, uid=_owner(tree))


def _stanza(location: str, indexes: list[AptIndex], keyring: str | None) -> str:
    lines = [
        "Types: deb",
        f"URIs: {location}",
        f"Suites: {' '.join(index.suite for index in indexes)}",
    ]
    if indexes[0].components:
        lines.append(f"Components: {' '.join(indexes[0].components)}")
    if keyring:
        lines.append(f"Signed-By: /{keyring}")
    if _SNAPSHOT.search(location):
        lines.append("Check-Valid-Until: no")
    return "".join(f"{line}\n" for line in lines)


def _keyring(tree: Tree, archive: str) -> str | None:
    for distribution, names in _KEYRINGS.items():
        if archive == distribution or archive.startswith(f"{distribution}-"):
            for name in names:
                path = f"usr/share/keyrings/{name}"
                if tree.exists(path):
                    return path
    return None


def _owner(tree: Tree) -> int:
    accounts = tree.read("usr/share/base-passwd/passwd.master") or b""
    return _NOBODY if b"\n_apt:" in accounts else 0
