"""`lock`: from what the project asks for to what exactly it gets; and the questions about a lock."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from envfreeze.digest import Digest
from envfreeze.errors import ResolutionError, UsageError
from envfreeze.locking import changes, conda, cutoffs, entropy, files, indexes
from envfreeze.locking.model import SCHEMA, WRITER, CondaSources, Lock, Runtime, Target, Wheel
from envfreeze.progress import SILENT
from envfreeze.project import folders
from envfreeze.project.taken import ENVIRONMENT, USUAL
from envfreeze.store.cache import Cache

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from envfreeze.locking.changes import Change
    from envfreeze.locking.imports.model import ImportedLock
    from envfreeze.locking.model import AptBase, CondaPackage
    from envfreeze.oci.platform import Platform
    from envfreeze.progress import Progress
    from envfreeze.project.model import Project


@dataclass(frozen=True, slots=True)
class LockOutcome:
    """What `lock` did.

    Attributes:
        lock: the lock.
        folder: where its files are.
        written: files that changed; () where the lock was up to date.
        changes: packages against the last lock; () where there was none.
        notes: what the user should know, one sentence each.

    """

    lock: Lock
    folder: Path
    written: tuple[Path, ...]
    changes: tuple[Change, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outdated:
    """A locked package that the indexes have a newer version of, which the project would accept."""

    side: str
    platform: str
    name: str
    locked: str
    newest: str


@dataclass(frozen=True, slots=True)
class _Wish:
    """How to resolve: what may move, and what may be used."""

    cache: Cache
    progress: Progress
    upgrade: bool = False
    upgrade_packages: tuple[str, ...] = ()
    offline: bool = False
    allow_stale: bool = False
    review: bool = True
    environment: ImportedLock | None = None


def lock(
    project: Project,
    *,
    cache: Cache | None = None,
    upgrade: bool = False,
    upgrade_packages: Sequence[str] = (),
    offline: bool = False,
    seal: bool = False,
    allow_stale: bool = False,
    exclude_newer: datetime | None = None,
    workers: int | None = None,
    progress: Progress = SILENT,
    environment: ImportedLock | None = None,
) -> LockOutcome:
    """Lock a project and write the lock files into its folder.

    With unchanged inputs nothing is resolved and no byte changes. With changed inputs versions stay where
    they still fit, unless `upgrade` or `upgrade_packages` let them move.

    Args:
        project: the project.
        cache: for indexes and artifacts; None: the user's.
        upgrade: take the newest of everything.
        upgrade_packages: take the newest of these and keep the others.
        offline: use only what the cache has.
        seal: assemble the images and write their digests into the lock.
        allow_stale: accept an OS package index that has expired or is older than the locked one.
        exclude_newer: take no file uploaded after this moment, whatever the project says; the project is
            resolved although its inputs are unchanged.
        workers: threads for assembling; None: one per processor.
        progress: told what happens.
        environment: the packages of an environment (`imports.environment.read`), where the project was loaded
            with `source=taken.ENVIRONMENT`; None: those that the last lock took.

    Raises:
        UsageError: the project asks for what cannot be.
        ResolutionError: the requirements cannot be resolved, or packages have no wheel for the target.
        NetworkError: an index or a file cannot be had.
        UntrustedError: a signature, a hash or an index's date is wrong.

    """
    wish = _Wish(
        cache or Cache.open(),
        progress,
        upgrade,
        tuple(upgrade_packages),
        offline,
        allow_stale,
        environment=environment,
    )
    before = _last(project.root, progress)
    _check_source(project, before, upgrade_packages, progress)
    inputs = _digests(project, before)
    moving = upgrade or bool(upgrade_packages) or exclude_newer is not None
    untouched = before is not None and before.inputs == inputs and not moving and environment is None
    for warning in () if untouched else project.warnings:
        progress.warn(warning)
    locked = None if before is None else before.exclude_newer
    project = cutoffs.fixed(project, locked, moving=moving, asked=exclude_newer)
    made = before if before is not None and untouched else _resolve(project, inputs, before, wish)
    if before is not None and _says_the_same(before, made):
        made = _explained(before, made)
    if seal:
        made = _sealed(made, project, wish, workers)
    elif before is not None and before.sealed and not made.sealed:
        progress.warn(
            "the lock was sealed and no longer is, since it changed; seal it: envfreeze lock --seal"
        )
    written = files.write(made, project.root)
    notes = sorted({note for target in made.targets for note in (*target.base.notes, *_build_notes(target))})
    return LockOutcome(made, project.root, written, changes.between(before, made), tuple(notes))


def _check_source(
    project: Project, before: Lock | None, upgrade_packages: Sequence[str], progress: Progress
) -> None:
    """Refuse to move what a lock file decides, and tell of one that is there and not read."""
    source = project.pip.lock
    if source is None:
        if project.pip.dependencies and before is None:
            for name in USUAL:
                if (project.root / name).exists():
                    progress.note(
                        f"{name} is not read, since pyproject.toml says what is wanted; take its versions as "
                        f"they are: envfreeze lock --from {name}"
                    )
        return
    locked = {wheel.name for target in (before.targets if before else ()) for wheel in target.wheels}
    for text in upgrade_packages:
        if canonicalize_name(Requirement(text).name) in locked:
            shown = "an environment" if source == ENVIRONMENT else source
            raise UsageError(
                f"{Requirement(text).name} comes from {shown}, and its version with it",
                hint=f"change {shown} with its own tool and run `envfreeze lock`, or leave it: "
                "`envfreeze lock --resolve`",
            )


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
    wish = _Wish(cache or Cache.open(), progress, offline=offline)
    try:
        locked = files.read(project.root)
    except files.EditedError as error:
        return (error.message,)
    project = cutoffs.fixed(project, locked.exclude_newer)
    causes = [] if locked.inputs == _digests(project, locked) else list(_drift(project, locked, wish))
    if seal:
        from envfreeze.engines import native  # noqa: PLC0415 - only where asked

        if not locked.sealed:
            raise UsageError("the lock is not sealed", hint="envfreeze lock --seal")
        assembly = native.assemble(
            _without_files(locked),
            root=project.root,
            cache=wish.cache,
            progress=progress,
            reuse=False,
            offline=offline,
            workers=workers,
            authenticate=partial(indexes.authenticate, project=project),
        )
        causes.extend(native.differences(locked, assembly))
    return tuple(causes)


def outdated(
    project: Project, *, cache: Cache | None = None, progress: Progress = SILENT
) -> tuple[Outdated, ...]:
    """Say which locked packages could move to a newer version. Writes nothing.

    Raises:
        UsageError: there is no lock.
        NetworkError: an index cannot be had.

    """
    locked = files.read(project.root)
    wish = _Wish(cache or Cache.open(), progress, upgrade=True, review=False)
    project = cutoffs.fixed(project, locked.exclude_newer, moving=True)
    newest = _resolve(project, _digests(project), locked, wish)
    return tuple(
        Outdated(change.side, change.platform, change.name, change.before, change.after)
        for change in changes.between(locked, newest)
        if change.kind == "moved" and change.before is not None and change.after is not None
    )


def _build_notes(target: Target) -> Iterator[str]:
    for wheel in target.wheels:
        if wheel.source is not None:
            yield from (f"{wheel.name} {wheel.version}: {note}" for note in wheel.source.notes)


def _says_the_same(before: Lock, made: Lock) -> bool:
    """Whether two locks lead to the same image: then the older one stays, with its dates and its seal."""

    def bare(lock: Lock) -> Lock:
        targets = (
            replace(
                target,
                manifest=None,
                layers=tuple(replace(layer, seal=None) for layer in target.layers),
                base=replace(
                    target.base,
                    indexes=(),
                    archives=(),
                    packages=tuple(replace(deb, depends=()) for deb in target.base.packages),
                ),
                wheels=tuple(replace(wheel, dependencies=()) for wheel in target.wheels),
            )
            for target in lock.targets
        )
        return replace(lock, targets=tuple(targets))

    return bare(before) == bare(made)


def _explained(before: Lock, made: Lock) -> Lock:
    """The older lock with what the newer one knows of who needs whom: that moves no image and no seal."""
    targets = (
        replace(
            old,
            wheels=new.wheels,
            base=replace(
                old.base,
                packages=tuple(
                    replace(deb, depends=again.depends or deb.depends)
                    for deb, again in zip(old.base.packages, new.base.packages, strict=True)
                ),
            ),
        )
        for old, new in zip(before.targets, made.targets, strict=True)
    )
    return replace(before, targets=tuple(targets))


def _last(root: Path, progress: Progress) -> Lock | None:
    try:
        return files.read(root)
    except UsageError:
        return None
    except files.EditedError as error:
        progress.warn(f"{error.message}; it is made anew")
        return None


def _digests(project: Project, last: Lock | None = None) -> dict[str, Digest]:
    """Digest the inputs; of a lock that was taken from elsewhere also the folders that it was built from."""
    found = {name: Digest.of(content) for name, content in project.inputs.items()}
    if project.pip.lock is not None and last is not None:
        found |= _folders(project, last.targets)
    return found


def _folders(project: Project, targets: Iterable[Target]) -> dict[str, Digest]:
    """Digest the folders that wheels were built from, as `project.load` does for those that it finds."""
    sources = (wheel.source for target in targets for wheel in target.wheels)
    paths = {source.url for source in sources if source is not None and source.kind == "directory"}
    return {
        f"<folder {path}>": Digest.of(folders.listing(project.root / path))
        for path in sorted(paths)
        if (project.root / path).is_dir()
    }


def _resolve(project: Project, inputs: dict[str, Digest], before: Lock | None, wish: _Wish) -> Lock:
    from envfreeze.layers.plan import plan  # noqa: PLC0415 - not needed where nothing moves
    from envfreeze.locking import pip  # noqa: PLC0415 - not needed where nothing moves

    last = {target.platform: target for target in before.targets} if before is not None else {}
    targets = [_target(project, platform, last.get(platform), wish) for platform in project.image.platforms]
    _check_upgraded(wish.upgrade_packages, targets)
    if project.pip.lock is not None:
        inputs = {name: Digest.of(content) for name, content in project.inputs.items()}
        inputs |= _folders(project, targets)
    made = Lock(
        schema=SCHEMA,
        writer=WRITER,
        inputs=inputs,
        exclude_newer=pip.cutoff(project),
        runtime=_runtime(project, {wheel.name for target in targets for wheel in target.wheels}),
        targets=tuple(replace(target, layers=plan(target)) for target in targets),
    )
    return _with_conda_sources(made, project)


def _with_conda_sources(made: Lock, project: Project) -> Lock:
    """The lock with what conda-lock says of its inputs, after conda-lock has read what was locked."""
    subdirs = [target.platform.conda_subdir for target in made.targets if target.conda]
    if not subdirs:
        return made
    from envfreeze.locking.conda import judged  # noqa: PLC0415 - heavy
    from envfreeze.locking.conda import lockfile as conda_lockfile  # noqa: PLC0415 - with it

    if project.pip.lock is None:
        made = replace(made, conda=judged.sources(project, subdirs))
    else:
        made = replace(made, conda=_imported_sources(made, project.pip.lock, subdirs))
    judged.check(conda_lockfile.render(made, project.root))
    return made


def _imported_sources(made: Lock, source: str, subdirs: Sequence[str]) -> CondaSources:
    """What conda-lock.yml says of packages that another lock, not an environment file, asked for."""
    digest = made.inputs[source]
    packages = [package for target in made.targets for package in target.conda]
    return CondaSources(
        environment=source,
        channels=tuple(dict.fromkeys(package.channel for package in packages)),
        content_hash=dict.fromkeys(sorted(subdirs), digest.hex),
    )


def _check_upgraded(names: Sequence[str], targets: Sequence[Target]) -> None:
    known = {wheel.name for target in targets for wheel in target.wheels}
    known |= {deb.name for target in targets for deb in target.base.packages}
    known |= {package.name for target in targets for package in target.conda}
    for text in names:
        name = Requirement(text).name
        if not {name, canonicalize_name(name)} & known:
            raise UsageError(f"{name} cannot be upgraded: nothing that is locked has that name")


def _target(project: Project, platform: Platform, last: Target | None, wish: _Wish) -> Target:
    from envfreeze.locking import pip  # noqa: PLC0415 - not needed where nothing moves

    if project.pip.lock is not None:
        return _imported(project, platform, last, wish)
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


def _imported(project: Project, platform: Platform, last: Target | None, wish: _Wish) -> Target:
    """Take the packages of another tool's lock file, or of an environment."""
    from envfreeze.locking.imports import take  # noqa: PLC0415 - only where there is one
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
    project: Project, platform: Platform, last: Target | None, wish: _Wish, *, own: bool
) -> tuple[conda.Side, _Os]:
    """The conda side and the OS side, for a Python that is conda's own or the base's."""
    os = _os(project, platform, last, wish, python=not own)
    asked = conda.Wish(
        wish.cache, wish.upgrade, tuple(wish.upgrade_packages), offline=wish.offline, progress=wish.progress
    )
    side = conda.side(project, platform, os.glibc, asked, pins=() if last is None else last.conda)
    return side, os


def _os(project: Project, platform: Platform, last: Target | None, wish: _Wish, *, python: bool) -> _Os:
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


def _reviewed(project: Project, base: AptBase, wish: _Wish) -> AptBase:
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


def _runtime(project: Project, packages: Collection[str]) -> Runtime:
    image = project.image
    env = {**entropy.variables(project.entropy.seed, packages), **image.env}
    return Runtime(
        env={name: env[name] for name in sorted(env)},
        labels={name: image.labels[name] for name in sorted(image.labels)},
        include=image.include,
        user=image.user,
        workdir=image.workdir,
        entrypoint=image.entrypoint,
        cmd=image.cmd,
    )


def _sealed(made: Lock, project: Project, wish: _Wish, workers: int | None) -> Lock:
    from envfreeze.engines import native  # noqa: PLC0415 - only where asked

    assembly = native.assemble(
        _without_files(made),
        root=project.root,
        cache=wish.cache,
        progress=wish.progress,
        offline=wish.offline,
        workers=workers,
        authenticate=partial(indexes.authenticate, project=project),
    )
    return native.seal(made, assembly)


def _without_files(made: Lock) -> Lock:
    """The lock of the environment alone: a seal does not cover the project's files."""
    return replace(made, runtime=replace(made.runtime, include=()))


def _drift(project: Project, locked: Lock, wish: _Wish) -> Iterator[str]:
    from envfreeze.locking import apt, pip  # noqa: PLC0415 - not needed where nothing moved

    platforms = tuple(target.platform for target in locked.targets)
    if platforms != project.image.platforms:
        asked = ", ".join(str(platform) for platform in project.image.platforms)
        yield f"the project asks for {asked}, the lock is for {', '.join(map(str, platforms))}"
        return
    packages = {wheel.name for target in locked.targets for wheel in target.wheels}
    now, then = _runtime(project, packages), locked.runtime
    for name in ("env", "labels", "include", "user", "workdir", "entrypoint", "cmd"):
        if getattr(now, name) != getattr(then, name):
            yield f"[image] {name} is not what the lock has"
    for target in locked.targets:
        if project.pip.lock is not None:
            yield from _imported_drift(project, target, wish)
            continue
        keeping = conda.Wish(wish.cache, offline=wish.offline, progress=wish.progress)
        side = conda.side(project, target.platform, target.glibc, keeping, pins=target.conda)
        moved = list(_conda_drift(target, side.packages))
        yield from moved
        causes = apt.satisfied(
            project, target.base, target.platform, python=conda.python_of(side.packages) is None
        )
        yield from (f"{target.platform}: {cause}" for cause in causes)
        if causes or moved:
            continue
        pip_target = pip.PipTarget(platform=target.platform, python=target.python, glibc=target.glibc)
        wheels = pip.resolve(
            project,
            pip_target,
            pins=target.wheels,
            offline=wish.offline,
            provided=side.provided,
            cache=wish.cache,
            progress=wish.progress,
        )
        yield from _wheel_drift(target, wheels)


def _imported_drift(project: Project, target: Target, wish: _Wish) -> Iterator[str]:
    from envfreeze.locking import apt  # noqa: PLC0415 - not needed where nothing moved

    own = conda.python_of(target.conda) is not None
    causes = apt.satisfied(project, target.base, python=not own)
    yield from (f"{target.platform}: {cause}" for cause in causes)
    if not causes:
        fresh = _imported(project, target.platform, target, wish)
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
