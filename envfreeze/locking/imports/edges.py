"""Who needs whom among the chosen packages of a lock that is a list, from the dependency tables it has."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from envfreeze.locking.imports.model import Dependency, ImportedPackage

    Holds = Callable[[str | None, frozenset[str]], bool]
    """Evaluates a marker for the target, under extras of the package that states it."""


def needs(
    packages: Collection[ImportedPackage], asked: Mapping[str, Collection[str]], holds: Holds
) -> Mapping[str, tuple[str, ...]] | None:
    """Tell what each package needs.

    An extra counts where another package's edge, or somebody's own line, asks for it. Which extras the
    project itself asked for a list often does not say: so of a package that nothing else needs, an optional
    edge to it tells that its extra was asked for.

    Args:
        packages: the chosen ones.
        asked: by name, the extras that are known to be asked for.
        holds: evaluates markers.

    Returns:
        By name the names of what it needs, sorted; None where the lock has no such tables.

    """
    if not packages or all(package.dependencies is None for package in packages):
        return None
    names = {package.name for package in packages}
    extras = {package.name: {*package.asked_extras, *asked.get(package.name, ())} for package in packages}
    found = _edges(packages, extras, holds)
    reached = {name for needed in found.values() for name in needed}
    bringing = [
        (package.name, extra)
        for package in packages
        for extra, edge in _optional(package)
        if edge.name in names - reached and holds(edge.marker, frozenset({extra}))
    ]
    if bringing:
        for name, extra in bringing:
            extras[name].add(extra)
        found = _edges(packages, extras, holds)
    return {name: tuple(sorted(needed & names)) for name, needed in found.items()}


def _edges(
    packages: Iterable[ImportedPackage], extras: dict[str, set[str]], holds: Holds
) -> dict[str, set[str]]:
    """Follow the edges, and with them the extras that they ask for, until nothing new comes."""
    while True:
        known = sum(map(len, extras.values()))
        found: dict[str, set[str]] = {}
        for package in packages:
            active = frozenset(extras[package.name])
            for edge in _active(package, active):
                if holds(edge.marker, active):
                    found.setdefault(package.name, set()).add(edge.name)
                    extras.get(edge.name, set()).update(edge.extras)
        if sum(map(len, extras.values())) == known:
            return found


def _active(package: ImportedPackage, extras: frozenset[str]) -> Iterable[Dependency]:
    yield from (edge for edge in package.dependencies or () if not edge.optional)
    yield from (edge for extra, edge in _optional(package) if extra in extras)


def _optional(package: ImportedPackage) -> Iterable[tuple[str, Dependency]]:
    for extra, edges in (package.extras or {}).items():
        yield from ((extra, edge) for edge in edges)
