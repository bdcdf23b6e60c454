"""`lock`: from what the project asks for to what exactly it gets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from envfreeze.digest import Digest
from envfreeze.errors import UsageError
from envfreeze.locking import cutoffs, files
from envfreeze.progress import SILENT
from envfreeze.project.taken import ENVIRONMENT, USUAL
from envfreeze.replacing import replace
from envfreeze.store.cache import Cache
from envfreeze.verbs.resolve import digests, resolve
from envfreeze.verbs.seal import sealed
from envfreeze.verbs.wish import Wish, names

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from envfreeze.locking.changes import Change
    from envfreeze.locking.imports.model import ImportedLock
    from envfreeze.locking.model import Devel, Lock, Target
    from envfreeze.progress import Progress
    from envfreeze.project.model import Project


_NO_TABLES = Digest.of(b"")


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
    solve_gpu: bool = False,
    folder: Path | None = None,
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
        solve_gpu: where the machines of `[gpu]` cannot run the newest versions, look for the newest that they
            can.
        folder: where the lock files are; None: in the project's folder.

    Raises:
        UsageError: the project asks for what cannot be.
        ResolutionError: the requirements cannot be resolved, or packages have no wheel for the target.
        IncompatibleError: a machine of `[gpu]` cannot run what was resolved.
        NetworkError: an index or a file cannot be had.
        UntrustedError: a signature, a hash or an index's date is wrong.

    """
    upgraded = names(upgrade_packages)
    wish = Wish(
        cache or Cache.open(),
        progress,
        upgrade,
        upgraded,
        offline,
        allow_stale,
        environment=environment,
        solve_gpu=solve_gpu,
    )
    if solve_gpu:
        _check_solvable(project)
    folder = folder or project.root
    before = _last(folder, project.root, progress)
    _check_source(project, before, upgraded, progress)
    inputs = digests(project, before)
    moving = upgrade or bool(upgraded) or exclude_newer is not None
    untouched = before is not None and before.inputs == inputs and not moving and environment is None
    for warning in () if untouched else project.warnings:
        progress.warn(warning)
    locked = None if before is None else before.exclude_newer
    project = cutoffs.fixed(project, locked, moving=moving, asked=exclude_newer)
    made = before if before is not None and untouched else resolve(project, inputs, before, wish)
    if before is not None and _says_the_same(before, made):
        made = _explained(before, made)
    if seal:
        made = sealed(made, project, wish, workers)
    elif before is not None and before.sealed and not made.sealed:
        progress.warn(
            "the lock was sealed and no longer is, since it changed; seal it: envfreeze lock --seal"
        )
    written = files.write(made, folder, project.root)
    if project.docker.build:
        written = (*written, *_wheelhouse(made, project, wish))
    if project.docker.output is not None:
        written = (*written, *_build_folder(made, project, wish, changed=bool(written)))
    notes = sorted({note for target in made.targets for note in (*target.base.notes, *_build_notes(target))})
    from envfreeze.locking import changes  # noqa: PLC0415 - not before the packages are asked for

    return LockOutcome(made, folder, written, changes.between(before, made), tuple(notes))


def _wheelhouse(made: Lock, project: Project, wish: Wish) -> tuple[Path, ...]:
    """Write the wheels that were compiled into the project, for machines that cannot compile."""
    from envfreeze.locking.sources import wheelhouse  # noqa: PLC0415 - only where something is compiled

    wheels = {wheel.digest: wheel for target in made.targets for wheel in target.wheels}
    return wheelhouse.put(wheels.values(), project, wish.cache)


def _build_folder(made: Lock, project: Project, wish: Wish, *, changed: bool) -> tuple[Path, ...]:
    """Write the build folder that `[docker] output` names where the lock changed, or it is not there."""
    from envfreeze.engines import dockerfile  # noqa: PLC0415 - only where asked
    from envfreeze.verbs import compiling  # noqa: PLC0415 - with it

    into = project.root / (project.docker.output or "")
    if not changed and (into / dockerfile.DOCKERFILE).exists():
        return ()
    compiling.ensure(made, project, cache=wish.cache, progress=wish.progress, offline=wish.offline)
    folder = dockerfile.write(
        made, project, into, cache=wish.cache, progress=wish.progress, offline=wish.offline
    )
    return (folder.dockerfile,)


def _check_solvable(project: Project) -> None:
    """Refuse to look for versions where no machine is named, or where another lock decides them."""
    asked = project.gpu
    if asked is None or (asked.driver is None and not asked.gpus):
        raise UsageError(
            "--solve-gpu looks for what the machines of [gpu] run, and the project names none",
            hint='name them, for example: [gpu] driver = ">=550.54"',
        )
    if project.pip.lock is not None:
        shown = "an environment" if project.pip.lock == ENVIRONMENT else project.pip.lock
        raise UsageError(
            f"--solve-gpu looks for other versions, and those of the lock come from {shown}",
            hint="take other versions there, or leave it: `envfreeze lock --resolve --solve-gpu`",
        )


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
    for name in upgrade_packages:
        if canonicalize_name(name) in locked:
            shown = "an environment" if source == ENVIRONMENT else source
            raise UsageError(
                f"{name} comes from {shown}, and its version with it",
                hint=f"change {shown} with its own tool and run `envfreeze lock`, or leave it: "
                "`envfreeze lock --resolve`",
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
                workdir_free=False,
                layers=tuple(replace(layer, seal=None) for layer in target.layers),
                base=replace(
                    target.base,
                    indexes=(),
                    archives=(),
                    packages=tuple(replace(deb, depends=()) for deb in target.base.packages),
                ),
                wheels=tuple(replace(wheel, dependencies=()) for wheel in target.wheels),
                gpu=None if target.gpu is None else replace(target.gpu, tables=_NO_TABLES),
                standalone=None if target.standalone is None else replace(target.standalone, urls=()),
                devel=None if target.devel is None else _bare_devel(target.devel),
            )
            for target in lock.targets
        )
        return replace(lock, targets=tuple(targets))

    return bare(before) == bare(made)


def _bare_devel(devel: Devel) -> Devel:
    packages = tuple(replace(deb, depends=()) for deb in devel.base.packages)
    return replace(devel, base=replace(devel.base, archives=(), packages=packages))


def _explained(before: Lock, made: Lock) -> Lock:
    """The older lock with what the newer one knows of who needs whom, and of where Python is.

    That moves no image and no seal.
    """
    targets = (
        replace(
            old,
            wheels=new.wheels,
            standalone=new.standalone,
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


def _last(folder: Path, root: Path, progress: Progress) -> Lock | None:
    try:
        return files.read(folder, root)
    except UsageError:
        return None
    except files.EditedError as error:
        progress.warn(f"{error.message}; it is made anew")
        return None
