"""One platform of a lock: its conda side, its OS side, then its Python packages."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from envfreeze.errors import ResolutionError
from envfreeze.locking import conda, indexes
from envfreeze.locking.model import Target
from envfreeze.project.taken import ENVIRONMENT

if TYPE_CHECKING:
    from envfreeze.locking.model import AptBase
    from envfreeze.oci.platform import Platform
    from envfreeze.project.model import Project
    from envfreeze.verbs.wish import Wish


def resolved(project: Project, platform: Platform, last: Target | None, wish: Wish) -> Target:
    """Resolve one platform of a project; `last` is what was locked of it before."""
    from envfreeze.locking import pip  # noqa: PLC0415 - not needed where nothing moves

    if project.pip.lock is not None:
        return imported(project, platform, last, wish)
    # Whether the base needs a Python shows when conda has been asked, which needs to know the base's glibc.
    own = conda.names_python(project, platform)
    side, os = _both(project, platform, last, wish, own=own)
    found = conda.python_of(side.packages)
    if (found is not None) != own:
        side, os = _both(project, platform, last, wish, own=found is not None)
        found = conda.python_of(side.packages)
    python = found or os.python
    if python is None:
        raise ResolutionError(
            f"{platform}: whether conda provides Python depends on whether the base does",
            hint="name python in the environment file",
        )
    base = _reviewed(project, os.base, wish) if os.fresh and wish.review else os.base
    pip_target = pip.PipTarget(platform=platform, python=python, glibc=os.glibc)
    wheels = pip.resolve(
        project,
        pip_target,
        pins=() if last is None else last.wheels,
        upgrade=wish.upgrade,
        upgrade_packages=wish.upgrade_packages,
        offline=wish.offline,
        provided=side.provided,
        cache=wish.cache,
        progress=wish.progress,
    )
    conda.check_once(side.provided, wheels)
    return Target(
        platform=platform,
        python=python,
        glibc=os.glibc,
        manylinux=pip_target.manylinux,
        base=base,
        wheels=wheels,
        conda=side.packages,
    )


def imported(project: Project, platform: Platform, last: Target | None, wish: Wish) -> Target:
    """Take the packages of another tool's lock file, or of an environment."""
    from envfreeze.locking.imports import os_packages, take  # noqa: PLC0415 - only where there is one
    from envfreeze.locking.pip import PipTarget  # noqa: PLC0415 - not needed where nothing moves

    imported = wish.environment if project.pip.lock == ENVIRONMENT else take.read(project)
    if imported is None:
        own = last is not None and conda.python_of(last.conda) is not None
    else:
        own = take.names_python(project, imported, platform)
    os = _os(project, platform, last, wish, python=not own)
    base = _reviewed(project, os.base, wish) if os.fresh and wish.review else os.base
    if imported is None:
        made = take.again(last, platform, os.python, os.glibc)
    else:
        pip_target = PipTarget(platform=platform, python=os.python or "3", glibc=os.glibc)
        means = take.Means(wish.cache, wish.offline, wish.progress)
        for sentence in os_packages.missing(imported, base):
            wish.progress.warn(sentence)
        made = take.take(project, imported, pip_target, means, last)
    return Target(
        platform=platform,
        python=made.python,
        glibc=os.glibc,
        manylinux=PipTarget(platform=platform, python=made.python, glibc=os.glibc).manylinux,
        base=base,
        wheels=made.wheels,
        conda=made.conda,
    )


@dataclass(frozen=True, slots=True)
class _Os:
    """The OS side of a target; `fresh` where it was resolved now."""

    base: AptBase
    python: str | None
    glibc: str
    fresh: bool


def _both(
    project: Project, platform: Platform, last: Target | None, wish: Wish, *, own: bool
) -> tuple[conda.Side, _Os]:
    """The conda side and the OS side, for a Python that is conda's own or the base's."""
    os = _os(project, platform, last, wish, python=not own)
    asked = conda.Wish(
        wish.cache, wish.upgrade, tuple(wish.upgrade_packages), offline=wish.offline, progress=wish.progress
    )
    side = conda.side(project, platform, os.glibc, asked, pins=() if last is None else last.conda)
    return side, os


def _os(project: Project, platform: Platform, last: Target | None, wish: Wish, *, python: bool) -> _Os:
    from envfreeze.locking import apt  # noqa: PLC0415 - not needed where nothing moves

    moving = wish.upgrade or (
        last is not None and any(deb.name in wish.upgrade_packages for deb in last.base.packages)
    )
    if last is not None and not moving and not apt.satisfied(project, last.base, platform, python=python):
        was_base = conda.python_of(last.conda) is None
        return _Os(last.base, last.python if was_base and python else None, last.glibc, fresh=False)
    resolution = apt.resolve(
        project,
        platform,
        python=python,
        locked=None if last is None else last.base,
        cache=wish.cache,
        offline=wish.offline,
        allow_stale=wish.allow_stale,
        progress=wish.progress,
    )
    return _Os(resolution.base, resolution.python, resolution.glibc, fresh=True)


def _reviewed(project: Project, base: AptBase, wish: Wish) -> AptBase:
    """The base with a note for everything in its maintainer scripts that no rule covers."""
    from envfreeze.engines.native.review import review_packages  # noqa: PLC0415 - not needed where nothing moves

    notes = review_packages(
        base,
        cache=wish.cache,
        offline=wish.offline,
        progress=wish.progress,
        authenticate=partial(indexes.authenticate, project=project),
    )
    for note in notes:
        wish.progress.warn(note)
    return replace(base, notes=notes)
