"""One platform of a lock: its conda side, its OS side, then its Python packages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.locking import conda, toolchain
from envfreeze.locking.model import Target
from envfreeze.project.taken import ENVIRONMENT
from envfreeze.replacing import replace
from envfreeze.verbs import cuda_base
from envfreeze.verbs.wish import BASE, PYTHON

if TYPE_CHECKING:
    from collections.abc import Callable

    from envfreeze.locking.model import Wheel
    from envfreeze.locking.pip import Compiling, PipTarget
    from envfreeze.oci.platform import Platform
    from envfreeze.project.model import Project
    from envfreeze.verbs.below import Sides
    from envfreeze.verbs.compiling import Stage
    from envfreeze.verbs.os_side import OsSide
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
        below: Sides | None,
        meanwhile: Callable[[], None] | None,
        asking: Project = project,
    ) -> tuple[Wheel, ...]:
        return pip.resolve(
            asking,
            pip_target,
            pins=() if last is None else last.wheels,
            upgrade=wish.upgrade,
            upgrade_packages=[name for name in wish.upgrade_packages if name not in {BASE, PYTHON}],
            offline=wish.offline,
            provided=() if below is None else below.side.provided,
            cache=wish.cache,
            meanwhile=meanwhile,
            compiling=None if below is None else devel.compiling(asking, pip_target, below),
            progress=wish.progress,
        )

    devel = _Devel(last, wish)
    below = _with_compiler(project, last)
    found, wheels = beside.resolve(
        # What compiles has to know the system below.
        None if project.docker.build else beside.guess(below, platform, last, wish.cache),
        lambda: _below(below, platform, last, wish),
        lambda sides: sides.target,
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
        standalone=found.os.standalone,
        environment=found.os.prefix,
    )
    from envfreeze.verbs import fitting  # noqa: PLC0415 - imported while uv ran

    target = fitting.fitted(project, target, wish, lambda asking: packages(found.target, found, None, asking))
    conda.check_once(found.side.provided, target.wheels)
    target = devel.added(target)
    return _settled(project, target, found.os, last, wish)


class _Devel:
    """What the wheels of a platform are compiled in, where `[docker] build` names some."""

    def __init__(self, last: Target | None, wish: Wish) -> None:
        self._last = last
        self._wish = wish
        self._stages: dict[PipTarget, Stage] = {}

    def compiling(self, project: Project, target: PipTarget, below: Sides) -> Compiling | None:
        """What compiles for a target; None where nothing is compiled."""
        if not project.docker.build:
            return None
        from envfreeze.verbs import compiling  # noqa: PLC0415 - only where something is compiled

        brings = conda.python_of(below.side.packages) is not None
        packages = below.side.packages if brings else ()
        if target not in self._stages:
            self._stages[target] = compiling.Stage(
                project, target, below.os, packages, self._last, self._wish
            )
        return compiling.compiling_for(self._stages[target], project, packages, below.os, self._wish)

    def added(self, target: Target) -> Target:
        """The target with the stage in it that its wheels were compiled in."""
        digests = {wheel.source.devel for wheel in target.wheels if wheel.source is not None} - {None}
        used = [stage.used for stage in self._stages.values() if stage.used is not None]
        if not digests:
            return target
        from envfreeze.locking.sources.compiled import check_alike  # noqa: PLC0415 - only where compiled

        check_alike(target.wheels)
        return replace(target, devel=next(devel for devel in used if devel.digest in digests))


def _below(project: Project, platform: Platform, last: Target | None, wish: Wish) -> Sides:
    from envfreeze.verbs import below  # noqa: PLC0415 - called while uv runs, and then imported

    return below.resolved(project, platform, last, wish)


def imported(project: Project, platform: Platform, last: Target | None, wish: Wish) -> Target:
    """Take the packages of another tool's lock file, or of an environment."""
    from envfreeze.locking.imports import os_packages, take  # noqa: PLC0415 - only where there is one
    from envfreeze.locking.pip import PipTarget  # noqa: PLC0415 - not needed where nothing moves
    from envfreeze.verbs import fitting, os_side  # noqa: PLC0415 - with it

    imported = wish.environment if project.pip.lock == ENVIRONMENT else take.read(project)
    if imported is None:
        own = last is not None and conda.python_of(last.conda) is not None
    else:
        own = take.names_python(project, imported, platform)
    os_side.check_source(project, conda_provides=own)
    os = os_side.resolved(_with_compiler(project, last), platform, last, wish, python=not own)
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
        standalone=os.standalone,
        environment=os.prefix,
    )
    return _settled(project, fitting.fitted(project, target, wish), os, last, wish)


def _settled(project: Project, target: Target, os: OsSide, last: Target | None, wish: Wish) -> Target:
    """The target with the OS packages that its Python packages turn out to need, and these looked into.

    Nothing of a target that cannot run on its machines is downloaded: they have been asked by now.
    """
    from envfreeze.verbs import os_side  # noqa: PLC0415 - not needed where nothing moves

    own = conda.python_of(target.conda) is None
    needing = toolchain.joined(project, target)
    if needing != _with_compiler(project, last):
        os = os_side.resolved(needing, target.platform, replace(target, base=os.base), wish, python=own)
    if note := toolchain.missing(project, target):
        wish.progress.note(f"{target.platform}: {note}")
    base = os_side.reviewed(project, os.base, wish) if os.fresh and wish.review else os.base
    return replace(target, base=base)


def _with_compiler(project: Project, last: Target | None) -> Project:
    """The project with the OS packages that the packages locked last need."""
    return project if last is None else toolchain.joined(project, last)
