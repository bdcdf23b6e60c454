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
_LIST = "etc/shells"
_STATE = "var/lib/shells.state"
_FOLDER = "usr/share/debianutils/shells.d"


def entries(tree: Tree) -> Iterator[Entry]:
    """List the template's lines, then every packaged shell under its given and its real name."""
    listed_below = tree.text_beneath(_LIST)
    if listed_below is not None:
        yield from _added(tree, listed_below)
        return
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
    yield file(_LIST, _joined(listed))
    yield file(_STATE, _joined(list(shells)))


def _added(tree: Tree, below: bytes) -> Iterator[Entry]:
    """List the shells of packages that are added to a base behind the base's own."""
    shells: dict[str, None] = {}
    for path in tree.below(_FOLDER):
        for line in _lines(tree.read(path) or b""):
            if shell := line.partition("#")[0]:
                shells[shell] = None
                shells["/" + real(shell.removeprefix("/"))] = None
    if not shells:
        return
    for path, content in ((_LIST, below), (_STATE, tree.text_beneath(_STATE) or b"")):
        listed = _lines(content)
        yield file(path, _joined([*listed, *(shell for shell in shells if shell not in listed)]))


def _lines(content: bytes) -> list[str]:
    return content.decode("utf-8", "surrogateescape").split("\n")[:-1]


def _joined(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
