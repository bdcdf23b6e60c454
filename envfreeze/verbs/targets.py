"""One platform of a lock: its conda side, its OS side, then its Python packages."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from envfreeze.errors import ResolutionError
from envfreeze.locking import conda, indexes, toolchain
from envfreeze.locking.apt.suites import is_suite
from envfreeze.locking.model import Target
from envfreeze.project.taken import ENVIRONMENT
from envfreeze.verbs import cuda_base, fitting
from envfreeze.verbs.wish import BASE

if TYPE_CHECKING:
    from collections.abc import Callable

    from envfreeze.locking.image.resolution import Means
    from envfreeze.locking.model import AptBase, ImageBase, Wheel
    from envfreeze.locking.pip import PipTarget
    from envfreeze.oci.platform import Platform
    from envfreeze.project.model import Project
    from envfreeze.verbs.wish import Wish


def resolved(project: Project, platform: Platform, last: Target | None, wish: Wish) -> Target:
    """Resolve one platform of a project; `last` is what was locked of it before."""
    if cuda_base.asked(project):
        return cuda_base.resolved(project, platform, last, wish, resolved)
    from envfreeze.locking import pip  # noqa: PLC0415 - not needed where nothing moves
    from envfreeze.verbs import beside  # noqa: PLC0415 - with it

    if project.pip.lock is not None:
        return imported(project, platform, last, wish)

    def packages(
        pip_target: pip.PipTarget,
        below: _Sides | None,
        meanwhile: Callable[[], None] | None,
        asking: Project = project,
    ) -> tuple[Wheel, ...]:
        return pip.resolve(
            asking,
            pip_target,
            pins=() if last is None else last.wheels,
            upgrade=wish.upgrade,
            upgrade_packages=[name for name in wish.upgrade_packages if name != BASE],
            offline=wish.offline,
            provided=() if below is None else below.side.provided,
            cache=wish.cache,
            meanwhile=meanwhile,
            progress=wish.progress,
        )

    below = _with_compiler(project, last)
    found, wheels = beside.resolve(
        beside.guess(below, platform, last, wish.cache),
        lambda: _sides(below, platform, last, wish),
        lambda below: below.target,
        packages,
    )
    target = Target(
        platform=platform,
        python=found.target.python,
        glibc=found.os.glibc,
        manylinux=found.target.manylinux,
        base=found.os.base,
        wheels=wheels,
        conda=found.side.packages,
        image=found.os.image,
    )
    target = fitting.fitted(project, target, wish, lambda asking: packages(found.target, found, None, asking))
    conda.check_once(found.side.provided, target.wheels)
    return _settled(project, target, found.os, last, wish)


@dataclass(frozen=True, slots=True)
class _Sides:
    """What is below the Python packages of a target, and what it asks of them."""

    side: conda.Side
    os: _Os
    target: PipTarget


def _sides(project: Project, platform: Platform, last: Target | None, wish: Wish) -> _Sides:
    from envfreeze.locking.pip import PipTarget  # noqa: PLC0415 - not needed where nothing moves
    from envfreeze.verbs import beside  # noqa: PLC0415 - with it

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
    target = PipTarget(platform=platform, python=python, glibc=os.glibc)
    if os.fresh:
        beside.remember(project, target, wish.cache)
        # Needed later; here it is imported while uv runs.
        import envfreeze.engines.native.review  # noqa: F401, PLC0415 - heavy
    fitting.prepare()
    return _Sides(side, os, target)


def imported(project: Project, platform: Platform, last: Target | None, wish: Wish) -> Target:
    """Take the packages of another tool's lock file, or of an environment."""
    from envfreeze.locking.imports import os_packages, take  # noqa: PLC0415 - only where there is one
    from envfreeze.locking.pip import PipTarget  # noqa: PLC0415 - not needed where nothing moves

    imported = wish.environment if project.pip.lock == ENVIRONMENT else take.read(project)
    if imported is None:
        own = last is not None and conda.python_of(last.conda) is not None
    else:
        own = take.names_python(project, imported, platform)
    os = _os(_with_compiler(project, last), platform, last, wish, python=not own)
    if imported is None:
        made = take.again(last, platform, os.python, os.glibc)
    else:
        pip_target = PipTarget(platform=platform, python=os.python or "3", glibc=os.glibc)
        means = take.Means(wish.cache, wish.offline, wish.progress)
        for sentence in os_packages.missing(imported, os.base):
            wish.progress.warn(sentence)
        made = take.take(project, imported, pip_target, means, last)
    target = Target(
        platform=platform,
        python=made.python,
        glibc=os.glibc,
        manylinux=PipTarget(platform=platform, python=made.python, glibc=os.glibc).manylinux,
        base=os.base,
        wheels=made.wheels,
        conda=made.conda,
        image=os.image,
    )
    return _settled(project, fitting.fitted(project, target, wish), os, last, wish)


def _settled(project: Project, target: Target, os: _Os, last: Target | None, wish: Wish) -> Target:
    """The target with the OS packages that its Python packages turn out to need, and these looked into.

    Nothing of a target that cannot run on its machines is downloaded: they have been asked by now.
    """
    own = conda.python_of(target.conda) is None
    needing = toolchain.joined(project, target)
    if needing != _with_compiler(project, last):
        os = _os(needing, target.platform, replace(target, base=os.base), wish, python=own)
    if note := toolchain.missing(project, target):
        wish.progress.note(f"{target.platform}: {note}")
    base = _reviewed(project, os.base, wish) if os.fresh and wish.review else os.base
    return replace(target, base=base)


def _with_compiler(project: Project, last: Target | None) -> Project:
    """The project with the OS packages that the packages locked last need."""
    return project if last is None else toolchain.joined(project, last)


@dataclass(frozen=True, slots=True)
class _Os:
    """The OS side of a target; `fresh` where it was resolved now."""

    base: AptBase
    python: str | None
    glibc: str
    fresh: bool
    image: ImageBase | None = None


def _both(
    project: Project, platform: Platform, last: Target | None, wish: Wish, *, own: bool
) -> tuple[conda.Side, _Os]:
    """The conda side and the OS side, for a Python that is conda's own or the base's."""
    os = _os(project, platform, last, wish, python=not own)
    asked = conda.Wish(
        wish.cache, wish.upgrade, tuple(wish.upgrade_packages), offline=wish.offline, progress=wish.progress
    )
    side = conda.side(
        project,
        platform,
        os.glibc,
        asked,
        pins=() if last is None else last.conda,
        cuda=fitting.newest_cuda(project),
    )
    return side, os


def _os(project: Project, platform: Platform, last: Target | None, wish: Wish, *, python: bool) -> _Os:
    from envfreeze.locking import apt  # noqa: PLC0415 - not needed where nothing moves

    moving = wish.upgrade or (
        last is not None and any(deb.name in wish.upgrade_packages for deb in last.base.packages)
    )
    if not is_suite(project.image.base):
        from envfreeze.locking.image import resolution as image  # noqa: PLC0415 - only for such bases

        found = image.resolve(
            project,
            platform,
            image_means(wish),
            python=python,
            last=last,
            move_image=wish.upgrade or BASE in wish.upgrade_packages,
            move_packages=moving,
        )
        return _Os(found.base, found.python, found.glibc, found.fresh, found.image)
    if last is not None and last.image is not None:
        last = None
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


def image_means(wish: Wish) -> Means:
    """What resolving a base that is an image may use."""
    from envfreeze.locking.image.resolution import Means  # noqa: PLC0415 - only for such bases

    return Means(wish.cache, wish.offline, wish.allow_stale, wish.progress)


def base_drift(project: Project, target: Target, wish: Wish, *, python: bool) -> tuple[str, ...]:
    """Say why the OS side of a target no longer is what the project asks for."""
    from envfreeze.locking import apt  # noqa: PLC0415 - not needed where nothing moved

    project = cuda_base.settled(project, target)
    needing = toolchain.joined(project, target)
    if is_suite(project.image.base):
        return apt.satisfied(needing, target.base, target.platform, python=python)
    from envfreeze.locking.image.resolution import satisfied  # noqa: PLC0415 - only for such bases

    return satisfied(needing, target, image_means(wish), python=python)


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
