"""`lock`: from what the project asks for to what exactly it gets; and the questions about a lock."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from envfreeze.digest import Digest
from envfreeze.errors import UsageError
from envfreeze.locking import cutoffs, entropy, files, indexes
from envfreeze.locking.model import SCHEMA, WRITER, Lock, Runtime, Target, Wheel
from envfreeze.progress import SILENT
from envfreeze.store.cache import Cache

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from envfreeze.locking.model import AptBase
    from envfreeze.oci.platform import Platform
    from envfreeze.progress import Progress
    from envfreeze.project.model import Project


@dataclass(frozen=True, slots=True)
class Change:
    """What a new lock has that the last one had not, or had otherwise.

    Attributes:
        kind: `added`, `removed` or `moved`.
        side: `pip` or `os`.
        platform: `linux/amd64`.
        name: of the package.
        before: version in the last lock, None where added.
        after: version in this lock, None where removed.

    """

    kind: str
    side: str
    platform: str
    name: str
    before: str | None
    after: str | None


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

    Raises:
        UsageError: the project asks for what cannot be.
        ResolutionError: the requirements cannot be resolved, or packages have no wheel for the target.
        NetworkError: an index or a file cannot be had.
        UntrustedError: a signature, a hash or an index's date is wrong.

    """
    wish = _Wish(cache or Cache.open(), progress, upgrade, tuple(upgrade_packages), offline, allow_stale)
    before = _last(project.root, progress)
    inputs = _digests(project)
    moving = upgrade or bool(upgrade_packages) or exclude_newer is not None
    untouched = before is not None and before.inputs == inputs and not moving
    for warning in () if untouched else project.warnings:
        progress.warn(warning)
    locked = None if before is None else before.exclude_newer
    project = cutoffs.fixed(project, locked, moving=moving, asked=exclude_newer)
    made = before if before is not None and untouched else _resolve(project, inputs, before, wish)
    if before is not None and _says_the_same(before, made):
        made = before
    if seal:
        made = _sealed(made, project, wish, workers)
    elif before is not None and before.sealed and not made.sealed:
        progress.warn(
            "the lock was sealed and no longer is, since it changed; seal it: envfreeze lock --seal"
        )
    written = files.write(made, project.root)
    notes = sorted({note for target in made.targets for note in target.base.notes})
    return LockOutcome(made, project.root, written, tuple(_changes(before, made)), tuple(notes))


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
    causes = [] if locked.inputs == _digests(project) else list(_drift(project, locked, wish))
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
        for change in _changes(locked, newest)
        if change.kind == "moved" and change.before is not None and change.after is not None
    )


def _says_the_same(before: Lock, made: Lock) -> bool:
    """Whether two locks lead to the same image: then the older one stays, with its dates and its seal."""

    def bare(lock: Lock) -> Lock:
        targets = (
            replace(
                target,
                manifest=None,
                layers=tuple(replace(layer, seal=None) for layer in target.layers),
                base=replace(target.base, indexes=(), archives=()),
            )
            for target in lock.targets
        )
        return replace(lock, targets=tuple(targets))

    return bare(before) == bare(made)


def _last(root: Path, progress: Progress) -> Lock | None:
    try:
        return files.read(root)
    except UsageError:
        return None
    except files.EditedError as error:
        progress.warn(f"{error.message}; it is made anew")
        return None


def _digests(project: Project) -> dict[str, Digest]:
    return {name: Digest.of(content) for name, content in project.inputs.items()}


def _resolve(project: Project, inputs: dict[str, Digest], before: Lock | None, wish: _Wish) -> Lock:
    from envfreeze.layers.plan import plan  # noqa: PLC0415 - not needed where nothing moves
    from envfreeze.locking import pip  # noqa: PLC0415 - not needed where nothing moves

    last = {target.platform: target for target in before.targets} if before is not None else {}
    targets = [_target(project, platform, last.get(platform), wish) for platform in project.image.platforms]
    _check_upgraded(wish.upgrade_packages, targets)
    return Lock(
        schema=SCHEMA,
        writer=WRITER,
        inputs=inputs,
        exclude_newer=pip.cutoff(project),
        runtime=_runtime(project, {wheel.name for target in targets for wheel in target.wheels}),
        targets=tuple(replace(target, layers=plan(target)) for target in targets),
    )


def _check_upgraded(names: Sequence[str], targets: Sequence[Target]) -> None:
    known = {wheel.name for target in targets for wheel in target.wheels}
    known |= {deb.name for target in targets for deb in target.base.packages}
    for text in names:
        name = Requirement(text).name
        if not {name, canonicalize_name(name)} & known:
            raise UsageError(f"{name} cannot be upgraded: nothing that is locked has that name")


def _target(project: Project, platform: Platform, last: Target | None, wish: _Wish) -> Target:
    from envfreeze.locking import apt, pip  # noqa: PLC0415 - not needed where nothing moves

    moving = wish.upgrade or (
        last is not None and any(deb.name in wish.upgrade_packages for deb in last.base.packages)
    )
    if last is not None and not moving and not apt.satisfied(project, last.base):
        base, python, glibc = last.base, last.python, last.glibc
    else:
        resolution = apt.resolve(
            project,
            platform,
            locked=None if last is None else last.base,
            cache=wish.cache,
            offline=wish.offline,
            allow_stale=wish.allow_stale,
            progress=wish.progress,
        )
        base, python, glibc = resolution.base, resolution.python, resolution.glibc
        if wish.review:
            base = _reviewed(base, wish)
    pip_target = pip.PipTarget(platform=platform, python=python, glibc=glibc)
    wheels = pip.resolve(
        project,
        pip_target,
        pins=() if last is None else last.wheels,
        upgrade=wish.upgrade,
        upgrade_packages=wish.upgrade_packages,
        offline=wish.offline,
        progress=wish.progress,
    )
    return Target(
        platform=platform,
        python=python,
        glibc=glibc,
        manylinux=pip_target.manylinux,
        base=base,
        wheels=wheels,
    )


def _reviewed(base: AptBase, wish: _Wish) -> AptBase:
    """The base with a note for everything in its maintainer scripts that no rule covers."""
    from envfreeze.engines.native.review import review_packages  # noqa: PLC0415 - not needed where nothing moves

    notes = review_packages(base, cache=wish.cache, offline=wish.offline, progress=wish.progress)
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
        causes = apt.satisfied(project, target.base)
        yield from (f"{target.platform}: {cause}" for cause in causes)
        if causes:
            continue
        pip_target = pip.PipTarget(platform=target.platform, python=target.python, glibc=target.glibc)
        wheels = pip.resolve(
            project, pip_target, pins=target.wheels, offline=wish.offline, progress=wish.progress
        )
        yield from _wheel_drift(target, wheels)


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
            if before.direct != after.direct or (after.direct and before.digest != after.digest):
                yield f"{target.platform}: {name} comes from another URL than the locked one"


def _changes(before: Lock | None, after: Lock) -> Iterator[Change]:
    if before is None:
        return
    last = {target.platform: target for target in before.targets}
    for target in after.targets:
        known = last.get(target.platform)
        if known is None:
            continue
        sides = (
            (
                "os",
                {deb.name: deb.version for deb in known.base.packages},
                {deb.name: deb.version for deb in target.base.packages},
            ),
            (
                "pip",
                {wheel.name: wheel.version for wheel in known.wheels},
                {wheel.name: wheel.version for wheel in target.wheels},
            ),
        )
        for side, old, new in sides:
            for name in sorted(old.keys() | new.keys()):
                was, now = old.get(name), new.get(name)
                if was != now:
                    kind = "added" if was is None else "removed" if now is None else "moved"
                    yield Change(kind, side, str(target.platform), name, was, now)
