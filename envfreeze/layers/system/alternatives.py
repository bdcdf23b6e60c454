"""`/etc/alternatives`, as `update-alternatives --install` of every package's postinst would leave it.

The choice with the highest priority wins (the first package by name among equals), in auto mode; the files
in `var/lib/dpkg/alternatives` are those of update-alternatives 1.22.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.layers.deb.merged import real
from envfreeze.layers.deb.scripts.alternatives import Alternative, alternative
from envfreeze.layers.deb.scripts.trace import trace
from envfreeze.layers.deb.scripts.words import ShellSyntaxError
from envfreeze.locking.image import inventory
from envfreeze.oci.entry import Kind, file, symlink

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envfreeze.layers.deb import DebPackage
    from envfreeze.layers.system.tree import Tree
    from envfreeze.oci.entry import Entry

_ADMIN = "var/lib/dpkg/alternatives"
_LINKS = "etc/alternatives"


def entries(tree: Tree) -> Iterator[Entry]:
    """Make links and admin files of every group of alternatives."""
    groups: dict[str, list[Alternative]] = {}
    for package in tree.packages:
        for found in offered(package):
            if tree.find(_place(found.path)) is not None:
                groups.setdefault(found.name, []).append(found)
    for name in sorted(groups, key=str.encode):
        below = tree.text_beneath(f"{_ADMIN}/{name}")
        known = None if below is None else parse(name, below)
        manual = known is not None and known[0]
        choices = [*(known[1] if known is not None else ()), *groups[name]]
        yield from _Group(name, tuple(_unique(choices)), manual=manual).entries(tree)


def parse(name: str, admin: bytes) -> tuple[bool, list[Alternative]] | None:
    """Read a group that a base has: whether somebody chose, and the choices. None: it cannot be read.

    The format is that of update-alternatives 1.22 (utils/update-alternatives.c, `alternative_load`).
    """
    lines = iter(admin.decode("utf-8", "surrogateescape").split("\n"))
    try:
        status, link = next(lines), next(lines)
        slaves = []
        while slave := next(lines):
            slaves.append((slave, next(lines)))
        choices = []
        while path := next(lines, ""):
            priority = int(next(lines))
            paths = [next(lines) for _ in slaves]
            followers = tuple(
                (where, follower, at) for (follower, where), at in zip(slaves, paths, strict=True) if at
            )
            choices.append(Alternative(name=name, link=link, path=path, priority=priority, slaves=followers))
    except (StopIteration, ValueError):
        return None
    return status == "manual", choices


def offered(package: DebPackage) -> Iterator[Alternative]:
    """Give the alternatives that a package's postinst installs with arguments that are known."""
    script = package.control.get("postinst", b"").decode("utf-8", "replace")
    if "update-alternatives" not in script:
        return
    try:
        commands = trace(script, "postinst")
    except ShellSyntaxError:
        return  # review says that the script cannot be read
    for command in commands:
        found = alternative(command)
        if found is not None:
            yield found


@dataclass(frozen=True, slots=True)
class _Group:
    name: str
    choices: tuple[Alternative, ...]
    manual: bool = False

    def entries(self, tree: Tree) -> Iterator[Entry]:
        if self.manual:
            yield file(f"{_ADMIN}/{self.name}", self._admin())
            return
        best = max(self.choices, key=lambda choice: choice.priority)
        yield from self._links(tree, best.name, best.link, best.path)
        paths = {name: path for _, name, path in best.slaves}
        for name, link in self._slave_links().items():
            path = paths.get(name)
            # update-alternatives leaves out what follows a choice but is not there.
            if path is not None and (tree.find(_place(path)) is not None or tree.is_beneath(_place(path))):
                yield from self._links(tree, name, link, path)
        yield file(f"{_ADMIN}/{self.name}", self._admin())

    def _links(self, tree: Tree, name: str, link: str, path: str) -> Iterator[Entry]:
        existing = tree.find(_place(link))
        if existing is not None and existing.kind is not Kind.SYMLINK:
            return  # "not replacing %s with a link"
        below = None if tree.beneath is None else tree.beneath.find(_place(link))
        if existing is None and below is not None and below.kind != inventory.SYMLINK:
            return
        yield symlink(f"{_LINKS}/{name}", path)
        yield symlink(_place(link), f"/{_LINKS}/{name}")

    def _slave_links(self) -> dict[str, str]:
        """Name and generic link of everything that follows a choice of this group, by name."""
        links = {name: link for choice in self.choices for link, name, _ in choice.slaves}
        return {name: links[name] for name in sorted(links, key=str.encode)}

    def _admin(self) -> bytes:
        slaves = self._slave_links()
        lines = ["manual" if self.manual else "auto", self.choices[0].link]
        for name, link in slaves.items():
            lines += [name, link]
        lines.append("")
        for choice in sorted(self.choices, key=lambda choice: choice.path.encode()):
            paths = {name: path for _, name, path in choice.slaves}
            lines += [choice.path, str(choice.priority), *(paths.get(name, "") for name in slaves)]
        return "".join(f"{line}\n" for line in [*lines, ""]).encode()


def _unique(choices: list[Alternative]) -> Iterator[Alternative]:
    """A path is one choice; what is said of it last holds."""
    yield from {choice.path: choice for choice in choices}.values()


def _place(path: str) -> str:
    return real(path.removeprefix("/"))
