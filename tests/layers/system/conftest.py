"""`system(name=[members], ...)`: the system layer over hand-made packages, by path."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envfreeze.digest import Digest
from envfreeze.layers.system import system_entries
from envfreeze.locking.model import AptBase, AptIndex, Archive, Target
from envfreeze.oci.entry import Entry
from envfreeze.oci.platform import Platform

if TYPE_CHECKING:
    from collections.abc import Callable

    from envfreeze.layers.deb import DebPackage

_DIGEST = Digest("0" * 64)


def _target(packages: list[DebPackage]) -> Target:
    archives = (
        Archive(
            "debian", ("http://mirror.example.org/debian", "http://old.example.org/debian/20260912T000000Z/")
        ),
        Archive("debian-security", ("http://mirror.example.org/debian-security",)),
        Archive("own.example.org/apt", ("https://own.example.org/apt",)),
    )
    indexes = (
        AptIndex("debian", "trixie", ("main",), "2026-09-12T07:55:41Z", _DIGEST),
        AptIndex("debian", "trixie-updates", ("main",), "2026-09-12T07:55:41Z", _DIGEST),
        AptIndex("debian-security", "trixie-security", ("main", "contrib"), "2026-09-12T07:55:41Z", _DIGEST),
    )
    base = AptBase("apt:debian/trixie", archives, indexes, tuple(package.deb for package in packages))
    return Target(Platform("linux", "amd64"), "3.13.5", "2.41", "manylinux_2_40", base, ())


class Tree(dict[str, Entry]):
    """Entries of the system layer by path."""

    packages: list[DebPackage]

    def text(self, path: str) -> str:
        return self.bytes(path).decode()

    def bytes(self, path: str) -> bytes:
        entry = self[path]
        return b"" if entry.content is None else bytes(entry.content.data)

    def link(self, path: str) -> str | None:
        return self[path].link if path in self else None


@pytest.fixture
def target() -> Callable[[list[DebPackage]], Target]:
    """A lock's target that holds the packages."""
    return _target


@pytest.fixture
def packages(opened: Callable[..., DebPackage]) -> Callable[..., list[DebPackage]]:
    """Open packages given as keywords (`_` for `-`): members, or a dict of `make_deb`'s arguments."""

    def make(**named: object) -> list[DebPackage]:
        made = []
        for name, given in named.items():
            more = dict(given) if isinstance(given, dict) else {"members": given}
            made.append(opened(more.pop("members", []), name=name.replace("_", "-"), **more))
        return made

    return make


@pytest.fixture
def system(packages: Callable[..., list[DebPackage]]) -> Callable[..., Tree]:
    def make(**named: object) -> Tree:
        found = packages(**named)
        tree = Tree((entry.path, entry) for entry in system_entries(found, _target(found)))
        tree.packages = found
        return tree

    return make
