"""`lock --check`: why a lock no longer is what the project asks for."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from envfreeze.errors import IncompatibleError, UsageError
from envfreeze.locking import conda, cutoffs, files, indexes
from envfreeze.progress import SILENT
from envfreeze.store.cache import Cache
from envfreeze.verbs import fitting, os_side
from envfreeze.verbs import targets as sides
from envfreeze.verbs.resolve import digests, runtime
from envfreeze.verbs.seal import without_files
from envfreeze.verbs.wish import Wish

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from envfreeze.locking.model import CondaPackage, Lock, Target, Wheel
    from envfreeze.locking.pip import Compiling
    from envfreeze.progress import Progress
    from envfreeze.project.model import Project


def check(
    project: Project,
    *,
    cache: Cache | None = None,
    seal: bool = False,
    offline: bool = False,
    workers: int | None = None,
    progress: Progress = SILENT,
) -> tuple[str, ...]:
    """Say why the lock no longer is what the project asks for; () where it is. Writes nothing.

    A newer release in an index is no cause. With unchanged inputs nothing is resolved.

    Args:
        project: the project.
        cache: as in `lock`.
        seal: also assemble the images from their artifacts and hold them against the seal.
        offline: use only what the cache has.
        workers: as in `lock`.
        progress: told what happens.

    Raises:
        UsageError: there is no lock, or it is to be held against a seal that it does not have.
        UntrustedError: the lock was written by a newer envfreeze.

    """
    wish = Wish(cache or Cache.open(), progress, offline=offline)
    try:
        locked = files.read(project.root)
    except files.EditedError as error:
        return (error.message,)
    project = cutoffs.fixed(project, locked.exclude_newer)
    causes = [] if locked.inputs == digests(project, locked) else list(_drift(project, locked, wish))
    if seal:
        from envfreeze.engines import native  # noqa: PLC0415 - only where asked
        from envfreeze.verbs import compiling  # noqa: PLC0415 - with it

        if not locked.sealed:
            raise UsageError("the lock is not sealed", hint="envfreeze lock --seal")
        assembly = native.assemble(
            without_files(locked),
            root=project.root,
            cache=wish.cache,
            progress=progress,
            reuse=False,
            offline=offline,
            workers=workers,
            authenticate=partial(indexes.authenticate, project=project),
            compiled=partial(
                compiling.compiled, project, cache=wish.cache, progress=progress, offline=offline
            ),
        )
        causes.extend(native.differences(locked, assembly))
    return tuple(causes)


def _drift(project: Project, locked: Lock, wish: Wish) -> Iterator[str]:
    from envfreeze.locking import pip  # noqa: PLC0415 - not needed where nothing moved

    platforms = tuple(target.platform for target in locked.targets)
    if platforms != project.image.platforms:
        asked = ", ".join(str(platform) for platform in project.image.platforms)
        yield f"the project asks for {asked}, the lock is for {', '.join(map(str, platforms))}"
        return
    now, then = runtime(project, locked.targets), locked.runtime
    for name in ("env", "labels", "include", "user", "workdir", "entrypoint", "cmd"):
        if getattr(now, name) != getattr(then, name):
            yield f"[image] {name} is not what the lock has"
    for target in locked.targets:
        yield from _gpu_drift(project, target)
        if project.pip.lock is not None:
            yield from _imported_drift(project, target, wish)
            continue
        keeping = conda.Wish(wish.cache, offline=wish.offline, progress=wish.progress)
        side = conda.side(
            project,
            target.platform,
            target.glibc,
            keeping,
            pins=target.conda,
            cuda=fitting.newest_cuda(project),
        )
        moved = list(_conda_drift(target, side.packages))
        yield from moved
        own = conda.python_of(side.packages) is None
        causes = os_side.drift(project, target, wish, python=own)
        yield from (f"{target.platform}: {cause}" for cause in causes)
        if causes or moved:
            continue
        causes, compiling = _compiling(project, target, wish)
        yield from (f"{target.platform}: {cause}" for cause in causes)
        if causes:
            continue
        pip_target = pip.PipTarget(platform=target.platform, python=target.python, glibc=target.glibc)
        wheels = pip.resolve(
            project,
            pip_target,
            pins=target.wheels,
            offline=wish.offline,
            provided=side.provided,
            cache=wish.cache,
            compiling=compiling,
            progress=wish.progress,
        )
        yield from _wheel_drift(target, wheels)


def _compiling(project: Project, target: Target, wish: Wish) -> tuple[tuple[str, ...], Compiling | None]:
    """Why the stage that wheels are compiled in is another than the locked one, and what compiles."""
    if not project.docker.build:
        return (), None
    from envfreeze.verbs import compiling  # noqa: PLC0415 - only where something is compiled

    return compiling.of_lock(project, target, wish)


def _gpu_drift(project: Project, target: Target) -> Iterator[str]:
    """Say where the machines that the project names now say something else to what is locked."""
    try:
        facts = fitting.facts(project, target)
    except IncompatibleError as error:
        yield "; ".join((error.message, *error.details))
        return
    before, now = (() if one is None else one.fleet for one in (target.gpu, facts))
    if before != now:
        yield f"{target.platform}: [gpu] names other machines than the lock was made for"


def _imported_drift(project: Project, target: Target, wish: Wish) -> Iterator[str]:
    causes = os_side.drift(project, target, wish, python=conda.python_of(target.conda) is None)
    yield from (f"{target.platform}: {cause}" for cause in causes)
    if not causes:
        fresh = sides.imported(project, target.platform, target, wish)
        yield from _conda_drift(target, fresh.conda)
        yield from _wheel_drift(target, fresh.wheels)


def _conda_drift(target: Target, packages: Sequence[CondaPackage]) -> Iterator[str]:
    locked = {package.name: package for package in target.conda}
    fresh = {package.name: package for package in packages}
    for name in sorted(locked.keys() | fresh.keys()):
        before, after = locked.get(name), fresh.get(name)
        where = f"{target.platform}: conda's {name}"
        if before is None and after is not None:
            yield f"{where} {after.version} is needed and not locked"
        elif after is None and before is not None:
            yield f"{where} {before.version} is locked and not needed"
        elif before is not None and after is not None:
            was, now = f"{before.version} {before.build}", f"{after.version} {after.build}"
            if was != now:
                yield f"{where} {was} no longer fits; {now} would"
            elif before.channel != after.channel:
                yield f"{where} {was} comes from {after.channel} instead of {before.channel}"
            elif before.requested != after.requested:
                yield f"{where}: whether it is asked for by name has changed"


def _wheel_drift(target: Target, wheels: Sequence[Wheel]) -> Iterator[str]:
    locked = {wheel.name: wheel for wheel in target.wheels}
    fresh = {wheel.name: wheel for wheel in wheels}
    for name in sorted(locked.keys() | fresh.keys()):
        before, after = locked.get(name), fresh.get(name)
        if before is None and after is not None:
            yield f"{target.platform}: {name} {after.version} is needed and not locked"
        elif after is None and before is not None:
            yield f"{target.platform}: {name} {before.version} is locked and not needed"
        elif before is not None and after is not None and before.version != after.version:
            yield f"{target.platform}: {name} {before.version} no longer fits; {after.version} would"
        elif before is not None and after is not None:
            if before.requested != after.requested:
                yield f"{target.platform}: whether {name} is asked for by name has changed"
            if cause := _origin_drift(before, after):
                yield f"{target.platform}: {name} {cause}"


def _origin_drift(before: Wheel, after: Wheel) -> str | None:
    """Say how the same version comes from elsewhere; None where it does not."""
    if before.direct == after.direct and before.source is not None and after.source is not None:
        same = before.source.is_of(after.source)
        return None if same else "is built from other files than the locked ones"
    moved = before.direct != after.direct or (before.source is None) != (after.source is None)
    moved = moved or (after.direct and before.digest != after.digest)
    return "comes from another URL than the locked one" if moved else None
