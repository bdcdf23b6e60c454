"""The closure: what has to be installed for what was asked for, and nothing else.

`Pre-Depends` and `Depends` are followed, `Recommends` are not. The rules, which make the answer a function
of the set of requests and of the indexes, whatever order either comes in:

1. What is asked for by name is chosen first.
2. A dependency that something chosen satisfies adds nothing.
3. A dependency that only one package can satisfy is settled before any that leaves a choice, so that no
   choice is made which a later need would have made for us.
4. Of several alternatives the first that can be had is taken; of several providers of a virtual package,
   the real package of that name, then the distribution's, then the one of the highest priority, then the
   first by name. One that
   conflicts with something chosen is passed over while another can be had.
5. A dependency that no candidate's version satisfies, and a further archive's does, pins that version, and
   everything is chosen again.
6. Otherwise nothing chosen is taken back. Where that leads to a conflict it is an error that names both.

What is installed already counts as chosen and adds nothing. It gives way to its candidate where a version is
asked for that it is not, where the candidate of another installed package leaves it without what it needs, or
where something chosen breaks it; never to an older version.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.errors import ResolutionError
from envfreeze.locking.apt.relations import sort_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from envfreeze.locking.apt.index import Package, Universe
    from envfreeze.locking.apt.relations import Group, Relation


def close(
    universe: Universe, requested: Iterable[str], *, suite: str, installed: Iterable[Package] = ()
) -> tuple[Package, ...]:
    """Return the closure of packages asked for by name, sorted by name.

    Args:
        universe: what can be chosen from.
        requested: names of real packages.
        suite: reference of the suite, for messages.
        installed: what is there already; of the answer are only those that replace one of another version.

    Raises:
        ResolutionError: a package is not known, a dependency cannot be satisfied, or two packages of the
            closure exclude each other.

    """
    names = sorted(set(requested))
    there = tuple(installed)
    while True:
        try:
            return _Closure(universe, suite, there).run(names)
        except _OtherVersionError as need:
            # Each turn pins one name more, and no name twice.
            universe = universe.pinned(need.name, need.version)


def settled_by(packages: Iterable[Package], architecture: str) -> dict[str, tuple[str, ...]]:
    """Return which packages of a closure settle each one's `Pre-Depends` and `Depends`, by name, sorted.

    Where alternatives or several providers are in the closure, all of them count: each is a reason why the
    package works, and each has a use for it.
    """
    standing: dict[str, list[Package]] = {}
    for package in packages:
        for name in {package.name, *(provision.name for provision in package.provides)}:
            standing.setdefault(name, []).append(package)
    return {
        package.name: tuple(
            sorted(
                {
                    other.name
                    for group in package.depends
                    for relation in group
                    if relation.reaches(architecture)
                    for other in standing.get(relation.name, ())
                    if other.name != package.name and other.satisfies(relation)
                }
            )
        )
        for package in packages
    }


class _OtherVersionError(Exception):
    """A dependency that only another version than the candidate can settle."""

    def __init__(self, name: str, version: str) -> None:
        super().__init__(name)
        self.name = name
        self.version = version


@dataclass(frozen=True, slots=True)
class _Need:
    """A dependency that waits to be settled."""

    package: Package
    group: Group


class _Closure:
    def __init__(self, universe: Universe, suite: str, installed: Iterable[Package]) -> None:
        self._universe = universe
        self._suite = suite
        self._chosen: dict[str, Package] = {}
        self._because: dict[str, str | None] = {}
        # Which chosen packages stand for a name, real or virtual.
        self._standing: dict[str, list[Package]] = {}
        self._installed: dict[str, Package] = {}
        for package in installed:
            self._installed[package.name] = self._choose(package, None)
        # Images are made with needs left open; those stay open.
        self._open_before = {id(need.group) for need in self._open_needs()}

    def run(self, requested: list[str]) -> tuple[Package, ...]:
        asked = [self._choose(self._named(name), None) for name in requested if not self._is_there(name)]
        while asked:
            self._settle(asked)
            asked = self._give_way()
        self._refuse_conflicts()
        return tuple(
            self._chosen[name]
            for name in sorted(self._chosen)
            if self._chosen[name] is not self._installed.get(name)
        )

    def _settle(self, packages: list[Package]) -> None:
        """Choose whatever packages need, and what that needs."""
        fresh = [_Need(package, group) for package in packages for group in package.depends]
        open_choices: list[_Need] = []
        while fresh or open_choices:
            added: list[Package] = []
            if fresh:
                for need in fresh:
                    options = self._options(need)
                    if len(options) > 1:
                        open_choices.append(need)
                    elif options:
                        added.append(self._choose(options[0], need.package.name))
            else:
                need = open_choices.pop(0)
                options = self._options(need)
                if options:
                    peaceful = (option for option in options if not self._opposed(option))
                    added.append(self._choose(next(peaceful, options[0]), need.package.name))
            added.sort(key=lambda package: package.name)
            fresh = [_Need(package, group) for package in added for group in package.depends]

    def _is_there(self, name: str) -> bool:
        package = self._installed.get(name)
        return package is not None and self._universe.pins.get(name) in {None, package.version}

    def _open_needs(self) -> Iterator[_Need]:
        """Give the needs of installed packages that nothing settles."""
        for name, package in self._installed.items():
            if self._chosen[name] is package:
                for group in package.depends:
                    if not self._settled(group):
                        yield _Need(package, group)

    def _give_way(self) -> list[Package]:
        """Replace installed packages that can no longer stay as they are; what was chosen for them."""
        if all(self._chosen[name] is package for name, package in self._installed.items()):
            hurt: dict[str, str] = {}
        else:
            hurt = {
                need.package.name: _text(need.group)
                for need in self._open_needs()
                if id(need.group) not in self._open_before
            }
        fresh = [
            package for name, package in self._chosen.items() if package is not self._installed.get(name)
        ]
        for package in fresh:
            for _, relation in package.conflicts:
                for other in self._standing.get(relation.name, ()):
                    if self._installed.get(other.name) is other and self._exclusion(package, other):
                        hurt.setdefault(other.name, "")
        chosen = []
        for name, missing in sorted(hurt.items()):
            candidate = self._universe.candidate(name)
            if candidate is not None and candidate.version != self._installed[name].version:
                chosen.append(self._choose(candidate, None))
            elif missing:
                raise ResolutionError(
                    f"{name} {self._installed[name].version} of the base needs {missing}, and what is added "
                    f"takes that away; {self._suite} has no other {name}",
                    hint="leave a package out, or choose a newer base",
                )
        return chosen

    def _named(self, name: str) -> Package:
        package = self._universe.candidate(name)
        if package is not None:
            return package
        where = f"in {self._suite} for {self._universe.architecture}"
        versions = self._universe.versions(name)
        if versions:
            raise ResolutionError(
                f"there is no {name} {self._universe.pins[name]} {where}",
                hint=f"there is {' and '.join(f'{version} ({archive})' for version, archive in versions)}",
            )
        providers = self._universe.providers(name)
        if providers:
            names = ", ".join(provider.name for provider in providers)
            raise ResolutionError(
                f"{name} is a virtual package {where}", hint=f"name one that provides it: {names}"
            )
        # Comparing with 69,000 names takes a second; those with the same first letters take none.
        alike = [known for known in self._universe.names() if known[:2] == name[:2]]
        near = difflib.get_close_matches(name, sorted(alike), n=3)
        raise ResolutionError(
            f"there is no package {name} {where}",
            hint=f"did you mean {' or '.join(near)}?" if near else "check [image] packages",
        )

    def _choose(self, package: Package, because: str | None) -> Package:
        before = self._chosen.get(package.name)
        if before is not None and before is self._installed.get(package.name):
            self._replace(before, package)
            before = None
        if before is None:
            self._chosen[package.name] = package
            self._because[package.name] = because
            for name in {package.name, *(provision.name for provision in package.provides)}:
                self._standing.setdefault(name, []).append(package)
        return package

    def _replace(self, before: Package, package: Package) -> None:
        """Make room for another version of an installed package."""
        if sort_key(package.version) < sort_key(before.version):
            raise ResolutionError(
                f"the base has {before.name} {before.version}, and what is asked for needs "
                f"{package.version}, which is older",
                hint="choose a base that is not newer than the archive, or another mirror",
            )
        del self._chosen[before.name]
        for name in {before.name, *(provision.name for provision in before.provides)}:
            self._standing[name].remove(before)

    def _settled(self, group: Group) -> bool:
        return any(
            package.satisfies(relation)
            for relation in group
            if relation.reaches(self._universe.architecture)
            for package in self._standing.get(relation.name, ())
        )

    def _options(self, need: _Need) -> list[Package]:
        """Return what can settle a need, the best first; empty where it is settled."""
        if self._settled(need.group):
            return []
        options = {
            package.name: package
            for relation in need.group
            if relation.reaches(self._universe.architecture)
            for package in self._satisfying(relation)
        }
        if not options:
            self._look_elsewhere(need)
            raise ResolutionError(
                f"{need.package.name} {need.package.version} needs {_text(need.group)}, "
                f"which {self._suite} does not have for {self._universe.architecture}",
                details=(
                    f"{need.package.name} is needed by: {self._chain(need.package.name)}",
                    *self._pins_of(need),
                ),
                hint="leave the package out, or add the archive that has it as [[apt]]",
            )
        return list(options.values())

    def _look_elsewhere(self, need: _Need) -> None:
        """Pin the newest version that settles a need and is not the candidate, where there is one."""
        for relation in need.group:
            if relation.name in self._universe.pins or not relation.reaches(self._universe.architecture):
                continue
            for version, _ in self._universe.versions(relation.name, further=True):
                if relation.holds_for(version):
                    raise _OtherVersionError(relation.name, version)

    def _pins_of(self, need: _Need) -> Iterator[str]:
        for relation in need.group:
            if (version := self._universe.pins.get(relation.name)) is not None:
                yield f"{relation.name} is held at {version}"

    def _satisfying(self, relation: Relation) -> Iterator[Package]:
        real = self._universe.candidate(relation.name)
        if real is not None and real.satisfies(relation):
            yield real
        for provider in self._universe.providers(relation.name):
            if provider.satisfies(relation):
                yield provider

    def _opposed(self, package: Package) -> bool:
        """Whether it excludes something chosen, or is excluded by it."""
        return any(
            self._exclusion(package, other) or self._exclusion(other, package)
            for other in self._chosen.values()
            if other.name != package.name
        )

    def _refuse_conflicts(self) -> None:
        for _, package in sorted(self._chosen.items()):
            for _, relation in package.conflicts:
                for other in self._standing.get(relation.name, ()):
                    if self._installed.get(package.name) is package and (
                        self._installed.get(other.name) is other
                    ):
                        continue  # what the base was made with is not judged here
                    if other.name != package.name and (found := self._exclusion(package, other)):
                        raise ResolutionError(
                            f"{package.name} and {other.name} exclude each other: {package.name} "
                            f"{package.version} {found}, and that is {other.name} {other.version}",
                            details=tuple(
                                f"{name} is needed by: {self._chain(name)}"
                                for name in (package.name, other.name)
                            ),
                            hint="leave one of them out of [image] packages",
                        )

    def _exclusion(self, package: Package, other: Package) -> str:
        """Return the words with which a package excludes another (`Breaks: x (<< 2)`), or nothing."""
        for field, relation in package.conflicts:
            if relation.reaches(self._universe.architecture) and other.satisfies(relation):
                return f"{field}: {relation}"
        return ""

    def _chain(self, name: str) -> str:
        """Return why a package was chosen: `a -> b -> c`, from what was asked for to the package."""
        chain = [name]
        while (parent := self._because[chain[-1]]) is not None:
            chain.append(parent)
        return " -> ".join(reversed(chain))


def _text(group: Group) -> str:
    return " | ".join(str(relation) for relation in group)
