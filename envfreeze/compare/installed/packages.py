"""The packages of the lock against those that the image says it has."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from envfreeze.compare import causes, listings
from envfreeze.compare.entries import REBUILT, REFERENCE
from envfreeze.compare.installed import origins
from envfreeze.compare.installed.origins import Origin
from envfreeze.compare.model import Finding, Kind, finding
from envfreeze.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from envfreeze.compare.entries import Package
    from envfreeze.compare.installed.sides import Sides


@dataclass(slots=True)
class Moved:
    """A package that the image has not, or has in another version.

    Attributes:
        origin: what the lock has; None: the lock has none of that name.
        kind: of the package.
        name: of it.
        found: versions that the image has; empty: none.
        root: the folder that it is installed in; empty for the whole system.
        missing: how many of its files are not there.
        changed: how many are others.
        further: how many files the image has of it that the lock does not know.

    """

    origin: Origin | None
    kind: str
    name: str
    found: tuple[str, ...]
    root: str = ""
    missing: int = 0
    changed: int = 0
    further: int = 0

    def finding(self) -> Finding:
        """What to say of it."""
        was = "none" if self.origin is None else self.origin.version
        now = ", ".join(self.found) or "none"
        where = f" in {self.root}" if self.root else ""
        numbers = (("missing", self.missing), ("changed", self.changed), ("further", self.further))
        files = [f"{count} {word}" for word, count in numbers if count]
        told = f"; files: {', '.join(files)}" if files else ""
        what = f"{origins.SHOWN[self.kind]}{where}: {was} -> {now}{told}"
        if self.origin is None:
            kind, cause = Kind.PACKAGE_ADDED, causes.FLOATING_PACKAGE
        elif self.found:
            kind, cause = Kind.PACKAGE_VERSION, causes.FLOATING_PACKAGE
        else:
            kind, cause = Kind.PACKAGE_REMOVED, causes.NOT_INSTALLED
        return finding(kind, "packages", what, cause, package=self.name)


@dataclass(slots=True)
class Sets:
    """Where the two sets of packages differ.

    Attributes:
        lacking: by the origin, those of the lock that are not there as locked.
        further: by kind and name, those that the lock does not have.

    """

    lacking: dict[Origin, Moved] = field(default_factory=dict)
    further: dict[tuple[str, str], Moved] = field(default_factory=dict)
    _named: dict[tuple[str, str], Moved] = field(default_factory=dict)

    def add(self, one: Moved) -> None:
        """Take one."""
        self._named[one.kind, one.name] = one
        if one.origin is None:
            self.further[one.kind, one.name] = one
        else:
            self.lacking[one.origin] = one

    def of_name(self, kind: str, name: str) -> Moved | None:
        """A package that differs, by the name that the image's own lists have for it."""
        return self._named.get((kind, name))

    def __iter__(self) -> Iterator[Moved]:
        yield from self.lacking.values()
        yield from self.further.values()


def compared(sides: Sides, *, lost: Collection[Origin], whole_base: bool) -> Sets:
    """Compare the sets of packages.

    Args:
        sides: both sides, settled.
        lost: packages whose files cannot be had to compare with.
        whole_base: whether what the base has is known, so that any further OS package is one too many.

    """
    listed = [(_named(package), listing) for package, _, listing in sides.packages(REBUILT)]
    debs = {package.name: package.version for package, _ in listed if package.source == origins.DPKG}
    others: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for package, _ in listed:
        if package.source != origins.DPKG:
            found_in = others.setdefault((package.source, package.name), set())
            found_in.add((package.root, package.version))
    found = Sets()
    for origin in (*sides.origins, *lost):
        moved = _lacking(sides, origin, debs, others)
        if moved is not None:
            found.add(moved)
    known = {(origin.kind, origin.name) for origin in lost}
    for package, listing in listed:
        if package.source == origins.DPKG or sides.find(REFERENCE, listing) is not None:
            continue
        # What conda or dpkg installed is told of as theirs.
        theirs = package.source == origins.PIP and any(
            sides.is_of(source, name)
            for source in (origins.CONDA, origins.DPKG)
            for name in listings.other_names(listing)
        )
        if not theirs:
            _further(package, found, known)
    _debs(sides, debs, {name for kind, name in known if kind == origins.DPKG}, found, whole_base=whole_base)
    return found


def _named(package: Package) -> Package:
    """A package by the name that locks call it by."""
    return replace(package, name=listings.normal(package.name)) if package.source == origins.PIP else package


def _lacking(
    sides: Sides,
    origin: Origin,
    debs: Mapping[str, str],
    others: Mapping[tuple[str, str], Collection[tuple[str, str]]],
) -> Moved | None:
    """A package of the lock that is not there as locked; None: it is, or the origin is no package."""
    if origin.kind == origins.DPKG:
        version = debs.get(origin.name)
        if version == origin.version:
            return None
        return Moved(origin, origin.kind, origin.name, () if version is None else (version,))
    if origin.kind not in origins.PACKAGES:
        return None
    if origin.marker and sides.find(REBUILT, origin.marker) is not None:
        return None
    root = origin.marker.rpartition("/")[0].rpartition("/")[0]
    there = others.get((origin.kind, origin.name), ())
    versions = sorted({version for place, version in there if place == root or not origin.marker})
    if not origin.marker and origin.version in versions:
        return None
    return Moved(origin, origin.kind, origin.name, tuple(versions), root)


def _further(package: Package, found: Sets, lost: Collection[tuple[str, str]]) -> None:
    """A package of the image that the lock does not have there."""
    key = package.source, package.name
    one = found.of_name(*key)
    if key in lost or (one is not None and package.version in one.found):
        return
    if one is None or one.origin is not None:
        found.add(Moved(None, *key, (package.version,), package.root))
    else:
        one.found = (*one.found, package.version)


def _debs(
    sides: Sides, debs: Mapping[str, str], lost: Collection[str], found: Sets, *, whole_base: bool
) -> None:
    """OS packages that no origin brings: those of a base, and those that nobody locked."""
    locked = {origin.name for origin in sides.origins if origin.kind == origins.DPKG}.union(lost)
    of_base = {
        package.name: package.version
        for package, _, _ in sides.packages(REFERENCE)
        if package.source == origins.DPKG and package.name not in locked
    }
    for name, version in of_base.items():
        now = debs.get(name)
        if now != version:
            origin = Origin(origins.DPKG, name, version)
            found.add(Moved(origin, origins.DPKG, name, () if now is None else (now,)))
    for name in sorted(debs.keys() - locked - of_base.keys()) if whole_base else ():
        found.add(Moved(None, origins.DPKG, name, (debs[name],)))
