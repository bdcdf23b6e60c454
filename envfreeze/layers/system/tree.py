"""The packages of an image seen as one tree, which the rules read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.oci.entry import Entry, Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envfreeze.layers.deb import DebPackage
    from envfreeze.locking.image.inventory import Inventory
    from envfreeze.locking.model import Target

FIRST = "base-files"
"""The package whose word on a directory comes before all others: it owns the file system's skeleton."""


Owners = dict[str, list[tuple["DebPackage", Entry]]]
"""Path -> every package that has it, with its entry there."""


def in_order(packages: Sequence[DebPackage]) -> tuple[DebPackage, ...]:
    """Sort packages: base-files first, the others by name."""
    return tuple(sorted(packages, key=lambda package: (package.deb.name != FIRST, package.deb.name)))


def owners_of(packages: Sequence[DebPackage]) -> Owners:
    """Find who has which path, in the order of the packages."""
    owners: Owners = {}
    for package in packages:
        for entry in package.entries:
            owners.setdefault(entry.path, []).append((package, entry))
    return owners


@dataclass(frozen=True, slots=True)
class Tree:
    """All packages and their paths.

    Attributes:
        packages: base-files first, the others by name.
        target: what they are installed for.
        owners: who has which path, in the order of `packages`.
        beneath: what the base holds that they are added to; None: they are the base.

    """

    packages: tuple[DebPackage, ...]
    target: Target
    owners: Owners
    beneath: Inventory | None = None

    @classmethod
    def of(cls, packages: Sequence[DebPackage], target: Target, beneath: Inventory | None = None) -> Tree:
        """Look at packages as one tree."""
        ordered = in_order(packages)
        return cls(ordered, target, owners_of(ordered), beneath)

    def package(self, name: str) -> DebPackage | None:
        """Give a package by its name."""
        return next((package for package in self.packages if package.deb.name == name), None)

    def find(self, path: str) -> Entry | None:
        """Give the entry at a path."""
        owners = self.owners.get(path)
        return owners[0][1] if owners else None

    def exists(self, path: str) -> bool:
        """Say whether a path is in a package, or a directory above one that is."""
        return path in self.owners or any(other.startswith(f"{path}/") for other in self.owners)

    def read(self, path: str) -> bytes | None:
        """Give a file's content; a hard link's is its target's. None where there is no such file."""
        entry = self.find(path)
        if entry is not None and entry.kind is Kind.HARDLINK:
            entry = self.find(entry.link)
        if entry is None or entry.kind is not Kind.FILE:
            return None
        return b"" if entry.content is None else bytes(entry.content.data)

    def is_beneath(self, path: str) -> bool:
        """Say whether the base that the packages are added to has something at a path."""
        return self.beneath is not None and self.beneath.resolve(path) is not None

    def text_beneath(self, path: str) -> bytes | None:
        """Give the content of one of the base's own files; None where it has no such file."""
        return None if self.beneath is None else self.beneath.read(path)

    def below(self, folder: str) -> list[str]:
        """Give the paths below a folder, in the order of their bytes."""
        prefix = folder + "/"
        return sorted((path for path in self.owners if path.startswith(prefix)), key=str.encode)
