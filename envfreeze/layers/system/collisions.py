"""Paths that several packages have.

Equal entries are fine. Of different ones that of the package that `Replaces` the other's wins, as with dpkg;
where no package does, dpkg would refuse: then the first package by name wins, and it is reported.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envfreeze.layers.system.tree import in_order, owners_of
from envfreeze.oci.entry import Entry, Kind, parents

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from envfreeze.layers.deb import DebPackage
    from envfreeze.layers.system.tree import Tree

_RELATION = re.compile(
    r"\s*([a-z0-9][a-z0-9+.-]*)(?::[a-z0-9-]+)?\s*(?:\(\s*(<<|<=|=|>=|>>)\s*([^\s)]+)\s*\))?\s*"
)
_COMPARISONS = {
    "<<": lambda order: order < 0,
    "<=": lambda order: order <= 0,
    "=": lambda order: order == 0,
    ">=": lambda order: order >= 0,
    ">>": lambda order: order > 0,
}


def entries(tree: Tree) -> Iterator[Entry]:
    """Give the winner of every path that packages have differently, so that the top layer decides."""
    for owners in tree.owners.values():
        if _differ(owners):
            yield from _self_contained(tree, _winner(owners))


def conflicts(packages: Sequence[DebPackage]) -> list[str]:
    """Name the paths that packages have differently without saying so, one sentence each.

    Reported are different contents of one path where no package `Replaces` the other, and paths that lie
    below a symbolic link of another package.
    """
    everyone = owners_of(in_order(packages))
    found = []
    for path, owners in everyone.items():
        if _differ(owners) and not any(_replaces(one, other) for one, _ in owners for other, _ in owners):
            names = ", ".join(sorted({package.deb.name for package, _ in owners}))
            found.append(f"{names}: /{path} is in each of them, and differs")
        for parent in parents(path):
            for package, entry in everyone.get(parent, ()):
                if entry.kind is not Kind.DIRECTORY and package is not owners[0][0]:
                    found.append(
                        f"{owners[0][0].deb.name}: /{path} lies below /{parent}, which is no directory "
                        f"in {package.deb.name}"
                    )
    return sorted(set(found))


def _differ(owners: list[tuple[DebPackage, Entry]]) -> bool:
    if len(owners) == 1 or all(entry.kind is Kind.DIRECTORY for _, entry in owners):
        return False
    first = owners[0][1]
    return any(not _equal(first, entry) for _, entry in owners[1:])


def _equal(one: Entry, other: Entry) -> bool:
    same = (one.kind, one.mode, one.uid, one.gid, one.link) == (
        other.kind,
        other.mode,
        other.uid,
        other.gid,
        other.link,
    )
    if not same or one.kind is not Kind.FILE:
        return same
    first = b"" if one.content is None else one.content.data
    second = b"" if other.content is None else other.content.data
    return first == second


def _winner(owners: list[tuple[DebPackage, Entry]]) -> Entry:
    for package, entry in owners:
        others = [other for other, _ in owners if other is not package]
        if others and all(_replaces(package, other) for other in others):
            return entry
    return owners[0][1]


def _self_contained(tree: Tree, entry: Entry) -> Iterator[Entry]:
    """A hard link's target is in another layer, so its content is given instead."""
    if entry.kind is not Kind.HARDLINK:
        yield entry
        return
    target = tree.find(entry.link)
    if target is not None and target.kind is Kind.FILE:
        yield Entry(entry.path, Kind.FILE, entry.mode, entry.uid, entry.gid, content=target.content)


def _replaces(package: DebPackage, other: DebPackage) -> bool:
    from debian.debian_support import version_compare  # noqa: PLC0415 - heavy

    if package is other:
        return False
    for relation in (package.stanza.get("Replaces") or "").split(","):
        match = _RELATION.fullmatch(relation)
        if match is None or match[1] != other.deb.name:
            continue
        if match[2] is None or _COMPARISONS[match[2]](version_compare(other.deb.version, match[3])):
            return True
    return False
