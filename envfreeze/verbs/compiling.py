"""Compiling wheels that need a compiler (`[docker] build`): the devel stage is locked, Docker runs it.

`compiling_for` is what locking asks, `ensure` what comes before a build: it has every compiled wheel in the
cache, from the wheelhouse or compiled again.
"""

from __future__ import annotations

import functools
from functools import partial
from typing import TYPE_CHECKING

from envfreeze.errors import MachineError, ResolutionError
from envfreeze.locking import indexes
from envfreeze.locking.model import Devel, Target
from envfreeze.replacing import replace
from envfreeze.verbs import os_side

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from envfreeze.locking.model import CondaPackage, Lock, StandalonePython, Wheel
    from envfreeze.locking.pip import Compiling, PipTarget
    from envfreeze.locking.sources.compiled import Compiler, Job
    from envfreeze.locking.sources.workshop import Workshop
    from envfreeze.progress import Progress
    from envfreeze.project.model import Project
    from envfreeze.store.cache import Cache
    from envfreeze.verbs.os_side import OsSide
    from envfreeze.verbs.wish import Wish

_ENGINE = "docker"
_WITHOUT = "a machine that cannot compile takes the wheel from the project's wheelhouse"


class Stage:
    """The devel stage of a platform, resolved when it is first asked for.

    Args:
        project: what `[docker]` asks for.
        target: what the wheels have to fit.
        os: the OS side of the image.
        conda: the packages that bring the target's Python; () where they do not.
        last: what was locked before.
        wish: what may move, and what may be used.

    """

    def __init__(
        self,
        project: Project,
        target: PipTarget,
        os: OsSide,
        conda: tuple[CondaPackage, ...],
        last: Target | None,
        wish: Wish,
    ) -> None:
        self._project = project
        self._target = target
        self._os = os
        self._conda = conda
        self._last = last
        self._wish = wish
        self._devel: Devel | None = None

    def __call__(self) -> Devel:
        """Give it.

        Raises:
            ResolutionError: it cannot be resolved, or what it compiles would not run in the image.
            NetworkError: an index or a registry cannot be had.

        """
        if self._devel is None:
            self._devel = self._checked(self._resolved())
        return self._devel

    @property
    def used(self) -> Devel | None:
        """It, where it was asked for."""
        return self._devel

    def _resolved(self) -> Devel:
        docker = self._project.docker
        base = docker.build_image or self._own_base()
        same = base == self._own_base()
        packages = [*(self._project.image.packages if same else ()), *docker.build_packages]
        found = self._system(base, packages)
        if not self._conda and self._os.standalone is None and _is_debian_s(found, self._minor):
            found = self._system(base, [*packages, f"libpython{self._minor}-dev"])
        return Devel(
            python=found.python or self._target.python,
            glibc=found.glibc,
            base=replace(found.base, notes=()),
            image=found.image,
            env=dict(sorted(docker.build_env.items())),
        )

    @property
    def _minor(self) -> str:
        return ".".join(self._target.python.split(".")[:2])

    def _own_base(self) -> str:
        """What the image itself is based on; `cuda` has been chosen by now."""
        return self._project.image.base if self._os.image is None else self._os.image.reference

    def _system(self, base: str, packages: Sequence[str]) -> OsSide:
        brings = not self._conda and self._os.standalone is None
        asking = replace(
            self._project,
            image=replace(
                self._project.image,
                base=base,
                packages=tuple(dict.fromkeys(packages)),
                python=self._minor if brings else None,
            ),
        )
        try:
            return os_side.resolved(
                asking, self._target.platform, self._last_stage(), self._wish, python=brings
            )
        except ResolutionError as error:
            error.message = f"the stage that [docker] build compiles in: {error.message}"
            raise

    def _last_stage(self) -> Target | None:
        """What was locked of the stage, as a target."""
        last = self._last
        if last is None or last.devel is None:
            return None
        devel = last.devel
        return replace(
            last,
            python=devel.python,
            glibc=devel.glibc,
            base=devel.base,
            image=devel.image,
            wheels=(),
            conda=(),
        )

    def _checked(self, devel: Devel) -> Devel:
        minor = ".".join(devel.python.split(".")[:2])
        if minor != self._minor:
            raise ResolutionError(
                f"[docker] build compiles with Python {devel.python}; the image has {self._target.python}",
                hint=f"choose a build-image with Python {self._minor}",
            )
        if _numbers(devel.glibc) > _numbers(self._target.glibc):
            raise ResolutionError(
                f"[docker] build compiles against glibc {devel.glibc}; the image has {self._target.glibc}",
                hint="choose a build-image whose C library is not newer than the image's",
            )
        return devel


def compiling_for(
    stage: Stage, project: Project, conda: tuple[CondaPackage, ...], os: OsSide, wish: Wish
) -> Compiling:
    """Give what makes the compiler of a target."""

    def compiling(
        target: PipTarget, workshop: Workshop, tools: Callable[[Sequence[str]], tuple[Wheel, ...]]
    ) -> Compiler:
        return _compiler(
            project, target, workshop, tools, stage=stage, conda=conda, standalone=os.standalone, wish=wish
        )

    return compiling


def of_lock(project: Project, target: Target, wish: Wish) -> tuple[tuple[str, ...], Compiling | None]:
    """Hold the locked devel stage of a target against what `[docker]` asks for.

    Gives why it is no longer that, and what makes the compiler of the stage as it is asked for now; None
    where nothing is compiled.

    Raises:
        EnvfreezeError: as `Stage`.

    """
    if not project.docker.build:
        return (), None
    from envfreeze.locking.pip import PipTarget  # noqa: PLC0415 - only where something is compiled

    conda = _python_s(target)
    os = os_side.OsSide(
        target.base,
        target.python,
        target.glibc,
        fresh=False,
        image=target.image,
        standalone=target.standalone,
    )
    fits = PipTarget(target.platform, target.python, target.glibc)
    stage = Stage(project, fits, os, conda, target, wish)
    moved = target.devel is not None and stage().digest != target.devel.digest
    causes = ("the stage that [docker] build compiles in is another than the locked one",) if moved else ()
    return causes, compiling_for(stage, project, conda, os, wish)


def _python_s(target: Target) -> tuple[CondaPackage, ...]:
    """The conda packages of a target, where they bring its Python."""
    return target.conda if any(package.name == "python" for package in target.conda) else ()


def _compiler(
    project: Project,
    target: PipTarget,
    workshop: Workshop,
    tools: Callable[[Sequence[str]], tuple[Wheel, ...]],
    *,
    stage: Callable[[], Devel],
    conda: tuple[CondaPackage, ...],
    standalone: StandalonePython | None,
    wish: Wish,
) -> Compiler:
    from envfreeze.locking.sources.compiled import Compiler  # noqa: PLC0415 - only where something compiles

    return Compiler(
        names=frozenset(project.docker.build),
        requires=project.docker.build_requires,
        target=target,
        conda=conda,
        standalone=standalone,
        stage=stage,
        tools=tools,
        run=partial(_run, project, cache=wish.cache, progress=wish.progress, offline=wish.offline),
        workshop=workshop,
    )


def _run(
    project: Project, job: Job, scratch: Path, *, cache: Cache, progress: Progress, offline: bool
) -> tuple[Path, ...]:
    """Have Docker compile a wheel, twice; where the two are, below `scratch`."""
    from envfreeze.engines.dockerfile import compiling  # noqa: PLC0415 - heavy
    from envfreeze.engines.driven.choice import engine  # noqa: PLC0415 - heavy
    from envfreeze.engines.driven.model import Request  # noqa: PLC0415 - with it
    from envfreeze.verbs.driving import LOGS, own_folder  # noqa: PLC0415 - with it

    folder = compiling.write(
        job, project, scratch / "folder", cache=cache, progress=progress, offline=offline
    )
    request = Request(
        folder=folder.path,
        dockerfile=folder.dockerfile.name,
        platforms=folder.platforms,
        stage=compiling.STAGE,
    )
    into = scratch / "built"
    into.mkdir()
    builder = engine(_ENGINE)
    try:
        builder.ready(request)
    except MachineError as error:
        error.hint = f"{_WITHOUT}; {error.hint}" if error.hint else _WITHOUT
        raise
    try:
        files = builder.extract(request, into, logs=own_folder(project.root) / LOGS, progress=progress)
    except MachineError as error:
        # The name of a step is all that it runs; its stage and number are enough.
        what, bracket, _ = error.message.partition("] ")
        what = f"{what}] failed" if bracket else what
        raise ResolutionError(
            f"it cannot be compiled: {what}", hint=error.hint, details=error.details
        ) from error
    found = tuple(sorted(files.glob("[12]/*.whl")))
    if [path.parent.name for path in found] != ["1", "2"]:
        made = ", ".join(str(path.relative_to(files)) for path in found) or "nothing"
        raise ResolutionError(f"its build was to make one wheel, and made {made}")
    return found


def ensure(lock: Lock, project: Project, *, cache: Cache, progress: Progress, offline: bool = False) -> None:
    """Have every compiled wheel of a lock in the cache.

    Raises:
        EnvfreezeError: as `compiled`.

    """
    for target in lock.targets:
        for wheel in target.wheels:
            if wheel.source is not None and wheel.source.devel is not None:
                compiled(project, wheel, target, cache=cache, progress=progress, offline=offline)


def compiled(
    project: Project,
    wheel: Wheel,
    target: Target,
    *,
    cache: Cache,
    progress: Progress,
    offline: bool = False,
) -> Path:
    """Have a compiled wheel in the cache: from the wheelhouse, or compiled again; its file.

    Raises:
        MachineError: nothing here can compile.
        UntrustedError: what was compiled is not what was locked.
        ResolutionError: the build fails.
        NetworkError: a source or a tool cannot be had.

    """
    from envfreeze.locking.pip import PipTarget  # noqa: PLC0415 - only where something was compiled
    from envfreeze.locking.sources import wheelhouse  # noqa: PLC0415 - with it
    from envfreeze.locking.sources.builder import obtain  # noqa: PLC0415 - with it
    from envfreeze.locking.sources.compiled import missing  # noqa: PLC0415 - with it
    from envfreeze.locking.sources.workshop import Workshop  # noqa: PLC0415 - with it
    from envfreeze.verbs.wish import Wish  # noqa: PLC0415 - with it

    present = cache.find(wheel.digest) or wheelhouse.take(wheel, project, cache)
    if present is not None:
        return present
    if target.devel is None or wheel.source is None:
        raise missing(wheel)
    workshop = Workshop(cache, progress, offline, partial(indexes.authenticate, project=project))
    compiler = _compiler(
        project,
        PipTarget(target.platform, target.python, target.glibc),
        workshop,
        lambda _: (),
        stage=functools.partial(_locked, target.devel),
        conda=_python_s(target),
        standalone=target.standalone,
        wish=Wish(cache, progress, offline=offline),
    )
    return compiler.rebuild(wheel, obtain(wheel.source, project.root, workshop))


def _locked(devel: Devel) -> Devel:
    return devel


def _is_debian_s(os: OsSide, minor: str) -> bool:
    """Whether the Python of a system is that of its distribution."""
    return os.image is None or os.image.interpreter in {None, f"/usr/bin/python{minor}"}


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
