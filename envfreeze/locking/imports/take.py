"""What a target takes of the lock file that the project names: its wheels, its conda packages, its Python."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from envfreeze.errors import ResolutionError, UsageError
from envfreeze.locking import conda as conda_side
from envfreeze.locking import pip, requirements
from envfreeze.locking.conda import contents
from envfreeze.locking.conda.provided import provided
from envfreeze.locking.imports import conda, found
from envfreeze.locking.imports.complete import Place, complete
from envfreeze.locking.imports.selection import (
    Choice,
    Selected,
    environment_of,
    select,
    select_conda,
)
from envfreeze.progress import SILENT
from envfreeze.project.taken import ENVIRONMENT, POETRY
from envfreeze.replacing import replace

if TYPE_CHECKING:
    from pathlib import Path

    from envfreeze.locking.imports.model import ImportedLock
    from envfreeze.locking.model import CondaPackage, Target, Wheel
    from envfreeze.locking.pip import PipTarget
    from envfreeze.locking.provided import Provided
    from envfreeze.oci.platform import Platform
    from envfreeze.progress import Progress
    from envfreeze.project.model import Project
    from envfreeze.store.cache import Cache


@dataclass(frozen=True, slots=True)
class Taken:
    """What a target takes.

    Attributes:
        wheels: sorted by name.
        conda: sorted by name; empty where the lock has no conda side.
        python: the exact Python: the base's, or that of the conda packages.

    """

    wheels: tuple[Wheel, ...]
    conda: tuple[CondaPackage, ...]
    python: str


@dataclass(frozen=True, slots=True)
class Means:
    """What may be used.

    Attributes:
        cache: for conda packages that have to be read.
        offline: nothing is fetched.
        progress: told what happens.

    """

    cache: Cache
    offline: bool = False
    progress: Progress = SILENT


def read(project: Project) -> ImportedLock:
    """Read the lock file that the project names.

    Raises:
        UsageError: it is of no known format or version, or damaged.

    """
    name = project.pip.lock or ""
    poetry = project.inputs.get(POETRY)
    pyproject = None if poetry is None else {"tool": {"poetry": json.loads(poetry)}}
    return found.parse(project.inputs[name], name, pyproject)


def take(
    project: Project, imported: ImportedLock, target: PipTarget, means: Means, last: Target | None = None
) -> Taken:
    """Take the packages of a lock for a target. Versions are the lock's; nothing is resolved.

    Args:
        project: whose extras and groups choose, whose indexes are asked, and whose own requirements have to
            be met.
        imported: the lock.
        target: the platform, glibc and Python of the base.
        means: what may be used.
        last: the target in the last lock: while the same versions are taken, its URLs stay.

    Raises:
        UsageError: an extra or group is not in the lock, or a marker in it cannot be read.
        ResolutionError: the lock is not for the target, lacks what is needed, or holds what cannot be taken.
        UntrustedError: a hash of the lock is not that of the file on the index or channel.
        NetworkError: an index or channel that is needed did not answer.

    """
    choice = _choice(project)
    packages, there = _conda_side(project, imported, target, choice, means)
    python = next((one.version for one in packages if one.name == "python"), target.python)
    target = replace(target, python=python)
    selected = select(imported, target, choice, _asked_extras(project, target))
    _check_requirements(project, imported, selected, target)
    if (imported.packages or imported.conda) and not (selected.packages or packages):
        means.progress.warn(f"nothing of {imported.file} is taken: all of it belongs to extras and groups")
    place = Place(project.root, _folder(project), means.offline, means.progress)
    builder = pip.builder_of(
        project,
        target,
        () if last is None else last.wheels,
        cache=means.cache,
        offline=means.offline,
        newest=pip.cutoff(project),
        progress=means.progress,
    )
    wheels = complete(imported, selected, project, target, place, provided=there, builder=builder)
    conda_side.check_once(there, wheels)
    asked = _requested(project, selected, wheels)
    wheels = tuple(replace(wheel, requested=wheel.name in asked) for wheel in wheels)
    return Taken(_kept(wheels, last), packages, python)


def names_python(project: Project, imported: ImportedLock, platform: Platform) -> bool:
    """Whether the lock's conda packages hold the Python of a platform.

    Raises:
        UsageError: as `take`.
        ResolutionError: as `take`.

    """
    packages = select_conda(imported, platform.architecture, _choice(project))
    return any(conda.name_of(package) == "python" for package in packages)


def again(last: Target | None, platform: Platform, python: str | None, glibc: str) -> Taken:
    """Take once more what was taken from an environment, which is not there to be read again.

    Raises:
        UsageError: nothing was taken for this platform and Python.

    """
    exact = last.python if last is not None and python is None else python or ""
    if last is None or last.glibc != glibc or not exact.startswith(f"{last.python_minor}."):
        raise UsageError(
            f"what was taken from an environment was not taken for {platform}, Python {exact or 'unknown'}",
            hint="run `envfreeze lock --from-env` again, or `envfreeze lock --resolve` where the project has "
            "requirements of its own",
        )
    return Taken(last.wheels, last.conda, exact)


def _choice(project: Project) -> Choice:
    return Choice(
        tuple(canonicalize_name(name) for name in project.pip.extras),
        tuple(canonicalize_name(name) for name in project.pip.groups),
    )


def _conda_side(
    project: Project, imported: ImportedLock, target: PipTarget, choice: Choice, means: Means
) -> tuple[tuple[CondaPackage, ...], tuple[Provided, ...]]:
    """The conda packages, and the Python distributions that lie in them."""
    chosen = select_conda(imported, target.platform.architecture, choice)
    if not chosen:
        return (), ()
    packages = conda.complete(
        imported.file, chosen, cache=means.cache, offline=means.offline, progress=means.progress
    )
    looked = contents.look(
        packages,
        cache=means.cache,
        offline=means.offline,
        progress=means.progress,
        authenticate=partial(conda_side.authenticate, project=project),
    )
    allowed = () if project.conda is None else project.conda.allow_link_scripts
    names = {} if project.conda is None else project.conda.name_map
    contents.check_scripts(packages, looked, allowed)
    packages = contents.with_scripts_allowed(contents.with_md5(packages, looked), looked)
    has_python = any(package.name == "python" for package in packages)
    return packages, provided(packages, looked, names, imported.file) if has_python else ()


def _folder(project: Project) -> Path:
    name = project.pip.lock or ""
    return project.root if name == ENVIRONMENT else (project.root / name).parent


def _kept(wheels: tuple[Wheel, ...], last: Target | None) -> tuple[Wheel, ...]:
    """Keep the URL and size of a file that was locked before: a mirror does not change a lock."""
    before = {(wheel.filename, wheel.digest): wheel for wheel in (last.wheels if last is not None else ())}
    return tuple(
        replace(wheel, url=known.url, size=known.size)
        if (known := before.get((wheel.filename, wheel.digest))) is not None and not wheel.direct
        else wheel
        for wheel in wheels
    )


def _requested(project: Project, selected: Selected, wheels: tuple[Wheel, ...]) -> frozenset[str]:
    """Name what is asked for: as the lock says, else the project, else what nothing else needs."""
    if selected.requested is not None:
        return selected.requested
    if named := requirements.requested(project):
        return named
    needed = {name for wheel in wheels for name in wheel.dependencies}
    return frozenset(wheel.name for wheel in wheels if wheel.name not in needed)


def _asked_extras(project: Project, target: PipTarget) -> dict[str, set[str]]:
    environment = {**environment_of(target), "extra": ""}
    found: dict[str, set[str]] = {}
    for requirement in requirements.wanted(project):
        if requirement.extras and (requirement.marker is None or requirement.marker.evaluate(environment)):
            extras = map(canonicalize_name, requirement.extras)
            found.setdefault(canonicalize_name(requirement.name), set()).update(extras)
    return found


def _check_requirements(
    project: Project, imported: ImportedLock, selected: Selected, target: PipTarget
) -> None:
    """Hold the project's own requirements against the lock: one may have changed without the other."""
    versions = {package.name: package.version for package in selected.packages}
    environment = {**environment_of(target), "extra": ""}
    wrong = []
    for requirement in requirements.wanted(project):
        name = canonicalize_name(requirement.name)
        if requirement.marker is not None and not requirement.marker.evaluate(environment):
            continue
        version = versions.get(name)
        if name not in versions:
            wrong.append(f"{requirement} is asked for, and it is not locked")
        elif version is not None and not SpecifierSet(str(requirement.specifier)).contains(
            version, prereleases=True
        ):
            wrong.append(f"{requirement} is asked for, and {version} is locked")
    if wrong:
        raise ResolutionError(
            f"{imported.file} is not what the project asks for",
            details=tuple(sorted(wrong)),
            hint=f"write {imported.file} anew with its own tool, or leave it: `envfreeze lock --resolve`",
        )
