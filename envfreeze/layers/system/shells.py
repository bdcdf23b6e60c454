"""`/etc/shells` and its state, as debianutils' `update-shells` writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.layers.deb.merged import real
from envfreeze.oci.entry import file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envfreeze.layers.system.tree import Tree
    from envfreeze.oci.entry import Entry

_TEMPLATE = "usr/share/debianutils/shells"
_FOLDER = "usr/share/debianutils/shells.d"


def entries(tree: Tree) -> Iterator[Entry]:
    """List the template's lines, then every packaged shell under its given and its real name."""
    template = tree.read(_TEMPLATE)
    if template is None:
        return
    shells: dict[str, None] = {}
    for path in (_TEMPLATE, *tree.below(_FOLDER)):
        for line in _lines(tree.read(path) or b""):
            shell = line.partition("#")[0]
            if shell:
                shells[shell] = None
                shells["/" + real(shell.removeprefix("/"))] = None
    listed = _lines(template)
    known = {line.partition("#")[0] for line in listed}
    listed += [shell for shell in shells if shell not in known]
    yield file("etc/shells", _joined(listed))
    yield file("var/lib/shells.state", _joined(list(shells)))


def _lines(content: bytes) -> list[str]:
    return content.decode("utf-8", "surrogateescape").split("\n")[:-1]


def _joined(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
