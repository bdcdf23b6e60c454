"""What a target takes of an imported lock: markers, forks, extras and groups decided, nothing resolved."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from packaging.markers import InvalidMarker, Marker, UndefinedComparison, UndefinedEnvironmentName
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from envfreeze.errors import ResolutionError, UsageError
from envfreeze.locking.imports import edges
from envfreeze.locking.way_out import python

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from envfreeze.locking.imports.model import (
        Dependency,
        ImportedConda,
        ImportedLock,
        ImportedPackage,
        Roots,
    )
    from envfreeze.locking.pip import PipTarget

SUBDIRS = {"amd64": "linux-64", "arm64": "linux-aarch64"}
"""conda's name of a platform by the image's architecture."""

_EXTRA = re.compile(r"""\bextra\s*(==|!=)\s*("[^"]*"|'[^']*')|("[^"]*"|'[^']*')\s*(==|!=)\s*extra\b""")


@dataclass(frozen=True, slots=True)
class Choice:
    """What of a lock is wanted.

    Attributes:
        extras: of the project that was locked, normalised.
        groups: likewise; empty: the lock's default ones.

    """

    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Selected:
    """What a target takes.

    Attributes:
        packages: the Python packages, one of each name, sorted by name.
        requested: names that are asked for; None: the lock does not tell.
        needs: by name, the names of what each needs on the target; None: the lock does not tell.
        asked_extras: by name, the extras that the project's own requirements ask for.

    """

    packages: tuple[ImportedPackage, ...]
    requested: frozenset[str] | None
    needs: Mapping[str, Collection[str]] | None = None
    asked_extras: Mapping[str, Collection[str]] = field(default_factory=dict)


def environment_of(target: PipTarget) -> dict[str, str]:
    """Give the values of the environment markers (PEP 508) in the target's image."""
    return {
        "implementation_name": "cpython",
        "implementation_version": target.python,
        "os_name": "posix",
        "platform_machine": target.platform.machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": target.python,
        "python_version": ".".join(target.python.split(".")[:2]),
        "sys_platform": "linux",
    }


def select(
    imported: ImportedLock,
    target: PipTarget,
    choice: Choice,
    asked: Mapping[str, Collection[str]] | None = None,
) -> Selected:
    """Choose the Python packages that a target takes.

    Args:
        imported: the lock.
        target: whose platform and exact Python markers are evaluated for.
        choice: extras and groups.
        asked: by name, the extras that the project's own requirements ask for.

    Raises:
        UsageError: an extra or group is not in the lock, or a marker cannot be read.
        ResolutionError: the lock is not for this target, or takes two versions of a package.

    """
    _check_choice(imported, choice)
    markers = _Markers(imported.file, environment_of(target))
    _check_environment(imported, target, markers)
    needs: Mapping[str, Collection[str]] | None = None
    if imported.roots is None:
        chosen, requested = _flat(imported, target, choice, markers), imported.requested
    else:
        walk = _Walk(imported, markers)
        chosen, requested = walk.run(imported.roots, choice)
        needs = walk.needs
    packages = tuple(sorted(_unique(imported, chosen, target), key=lambda one: one.name))
    if imported.roots is None:
        needs = edges.needs(packages, asked or {}, markers.hold)
    return Selected(packages, requested, needs, asked or {})


def select_conda(imported: ImportedLock, target_platform: str, choice: Choice) -> tuple[ImportedConda, ...]:
    """Choose the conda packages that a target takes, in the file's order.

    Args:
        imported: the lock.
        target_platform: the image's architecture, `amd64` or `arm64`.
        choice: `groups` are categories or environments.

    Raises:
        UsageError: a group is not in the lock.
        ResolutionError: the lock is not for this platform.

    """
    _check_choice(imported, choice)
    subdir = SUBDIRS[target_platform]
    _check_subdir(imported, subdir)
    groups = _groups(imported, choice)
    fits = [one for one in imported.conda if (one.platform or one.subdir) in {subdir, "noarch"}]
    return tuple(one for one in fits if not one.groups or groups & set(one.groups))


def _check_subdir(imported: ImportedLock, subdir: str) -> None:
    if imported.platforms and subdir not in imported.platforms:
        raise ResolutionError(
            f"{imported.file} is not for {subdir}, only for {', '.join(imported.platforms)}",
            hint=f"add {subdir} to its platforms and write it anew with its own tool",
        )


def _groups(imported: ImportedLock, choice: Choice) -> frozenset[str]:
    """Groups that are taken: the chosen ones, and the main one where the format has no default ones."""
    if imported.default_groups:
        return frozenset(choice.groups or imported.default_groups)
    return frozenset({"main", *choice.groups})


def _check_choice(imported: ImportedLock, choice: Choice) -> None:
    for key, wanted, known in (
        ("extras", choice.extras, imported.extras),
        ("groups", choice.groups, imported.groups),
    ):
        if known is None:
            continue
        for name in wanted:
            if name not in known:
                has = ", ".join(sorted(known)) or "none"
                raise UsageError(
                    f"{imported.file} has no {key.removesuffix('s')} {name!r} (it has {has})",
                    hint=f"change [pip] {key}, or write {imported.file} anew with its own tool",
                )


def _check_environment(imported: ImportedLock, target: PipTarget, markers: _Markers) -> None:
    if imported.platforms:
        _check_subdir(imported, SUBDIRS[target.platform.architecture])
    if imported.requires_python is not None:
        try:
            fits = SpecifierSet(imported.requires_python).contains(target.python, prereleases=True)
        except InvalidSpecifier as error:
            raise UsageError(f"{imported.file}: {error}") from error
        if not fits:
            raise ResolutionError(
                f"{imported.file} is for Python {imported.requires_python}; the image has {target.python}",
                hint=f"ask for such a Python{python(imported.requires_python)}, or write the lock anew",
            )
    if imported.environments and not any(markers.hold(text) for text in imported.environments):
        raise ResolutionError(
            f"{imported.file} is not for {target}",
            details=tuple(f"it is for: {text}" for text in imported.environments),
            hint="write it anew with its own tool for this platform and Python",
        )


class _Markers:
    """Markers of a file, evaluated in the target's environment."""

    def __init__(self, file: str, environment: Mapping[str, str]) -> None:
        self._file = file
        self._environment = environment
        self._known: dict[tuple[str, frozenset[str], frozenset[str]], bool] = {}

    def hold(
        self,
        text: str | None,
        extras: frozenset[str] = frozenset(),
        groups: frozenset[str] = frozenset(),
    ) -> bool:
        """Evaluate a marker. `extra == 'x'` means that x is among several extras."""
        if text is None:
            return True
        key = (text, extras, groups)
        if key not in self._known:
            self._known[key] = self._evaluate(text, extras, groups)
        return self._known[key]

    def _evaluate(self, text: str, extras: frozenset[str], groups: frozenset[str]) -> bool:
        # PEP 751's way to say it knows sets; PEP 508's knows one extra at a time.
        plain = _EXTRA.sub(
            lambda found: (
                f"{found[2] or found[3]} {'in' if (found[1] or found[4]) == '==' else 'not in'} extras"
            ),
            text,
        )
        environment: dict[str, str | AbstractSet[str]] = {
            **self._environment,
            "extras": extras,
            "dependency_groups": groups,
        }
        try:
            return Marker(plain).evaluate(environment, context="lock_file")
        except (InvalidMarker, UndefinedComparison, UndefinedEnvironmentName, ValueError, TypeError) as error:
            reason = str(error).partition("\n")[0]
            raise UsageError(f"{self._file}: the marker {text!r} cannot be evaluated: {reason}") from error


def _flat(
    imported: ImportedLock, target: PipTarget, choice: Choice, markers: _Markers
) -> list[ImportedPackage]:
    extras, groups = frozenset(choice.extras), _groups(imported, choice)
    subdir = SUBDIRS[target.platform.architecture]
    return [
        package
        for package in imported.packages
        if package.platform in {None, subdir}
        and (not package.groups or groups & set(package.groups))
        and markers.hold(package.marker, extras, groups - {"main"})
    ]


def _unique(
    imported: ImportedLock, chosen: Iterable[ImportedPackage], target: PipTarget
) -> Iterable[ImportedPackage]:
    by_name: dict[str, ImportedPackage] = {}
    for package in chosen:
        other = by_name.setdefault(package.name, package)
        if other is not package and (other.version, other.files) != (package.version, package.files):
            raise ResolutionError(
                f"{imported.file} takes {other} and {package} at once for {target}",
                hint="it was made for several environments: choose one with [pip] extras and groups, "
                "or write it anew",
            )
    return by_name.values()


class _Walk:
    """The part of a graph that is reached from its roots."""

    def __init__(self, imported: ImportedLock, markers: _Markers) -> None:
        self._imported = imported
        self._markers = markers
        self._by_name: dict[str, list[ImportedPackage]] = {}
        for package in imported.packages:
            self._by_name.setdefault(package.name, []).append(package)
        self.needs: dict[str, set[str]] = {}
        """By name, the names of what each of the reached packages needs."""

    def run(self, roots: Sequence[Roots], choice: Choice) -> tuple[list[ImportedPackage], frozenset[str]]:
        """Give the packages that are reached, and the names that the roots ask for."""
        members = {root.name for root in roots}
        active, first = self._begin(roots, choice)
        waiting = deque((edge, frozenset[str](), root) for root, edge in first)
        requested: set[str] = set()
        reached: dict[int, tuple[ImportedPackage, set[str]]] = {}
        while waiting:
            edge, own_extras, needed_by = waiting.popleft()
            if not self._markers.hold(edge.marker, active | own_extras):
                continue
            if needed_by in members:
                requested.add(edge.name)
            self.needs.setdefault(needed_by, set()).add(edge.name)
            package = self._find(edge, needed_by)
            known = reached.setdefault(id(package), (package, set()))
            is_new = len(known[1]) == 0
            fresh = {"", *edge.extras} - known[1]
            known[1].update(fresh)
            extras = frozenset(known[1])
            if is_new:
                waiting.extend(
                    (one, extras, package.name) for one in package.dependencies or () if not one.optional
                )
            for extra in sorted(fresh - {""}):
                brought = (package.extras or {}).get(extra, ())
                waiting.extend((one, extras, package.name) for one in brought)
        chosen = [package for package, _ in reached.values() if package.name not in members]
        return chosen, frozenset(requested - members)

    @staticmethod
    def _begin(roots: Sequence[Roots], choice: Choice) -> tuple[frozenset[str], list[tuple[str, Dependency]]]:
        active: set[str] = set()
        begun: list[tuple[str, Dependency]] = []
        for root in roots:
            begun += [(root.name, edge) for edge in root.dependencies if not edge.optional]
            for kind, wanted, known in (
                ("extra", choice.extras, root.extras),
                ("group", choice.groups, root.groups),
            ):
                for name in wanted:
                    if name in known:
                        active |= {name, f"{kind}-{len(root.name)}-{root.name}-{name}"}
                        begun += [(root.name, edge) for edge in known[name]]
        return frozenset(active), begun

    def _find(self, edge: Dependency, needed_by: str) -> ImportedPackage:
        found = [one for one in self._by_name.get(edge.name, ()) if edge.source in {None, one.source}]
        if edge.version is not None and len(found) > 1:
            found = [one for one in found if _is_version(one.version, edge.version)]
        if len(found) > 1:
            found = [one for one in found if self._markers.hold(one.marker)]
        if len(found) == 1:
            return found[0]
        if found:
            versions = ", ".join(str(one.version) for one in found)
            raise ResolutionError(
                f"{self._imported.file}: which {edge.name} {needed_by} needs is not said ({versions})",
                hint="write the file anew with its own tool",
            )
        version = f" {edge.version}" if edge.version else ""
        raise ResolutionError(
            f"{self._imported.file}: {needed_by} needs {edge.name}{version}, which is not locked in it",
            hint="write the file anew with its own tool",
        )


def _is_version(version: str | None, wanted: str) -> bool:
    """Whether a locked version is the one, or within the specifier, that an edge names."""
    if version is None or version == wanted:
        return version == wanted
    try:
        return any(
            SpecifierSet(part.strip().replace("*", "") if part.strip() == "*" else part.strip()).contains(
                version, prereleases=True
            )
            for part in wanted.split("||")
        )
    except InvalidSpecifier:
        return False
