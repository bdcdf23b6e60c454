"""An image made of a lock, by the native engine or by one that builds a Dockerfile: one value for both."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from envfreeze.engines import native
from envfreeze.errors import UsageError
from envfreeze.locking import indexes
from envfreeze.verbs import compiling, driving

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from envfreeze.digest import Digest
    from envfreeze.engines.native import Assembly
    from envfreeze.engines.native.ready import ReadyLayers
    from envfreeze.locking.model import Lock
    from envfreeze.oci.image import Image
    from envfreeze.progress import Progress
    from envfreeze.project.model import Project
    from envfreeze.store.cache import Cache


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every engine works with.

    Attributes:
        root: the project's folder.
        project: the project of the lock; None: it cannot be read, and the native engine does without.
        cache: where artifacts and layers are.
        scratch: an empty folder, where an image may lie for as long as it is used.
        progress: told what happens.
        offline: fetch nothing.
        workers: threads; None: one per processor.

    """

    root: Path
    project: Project | None
    cache: Cache
    scratch: Path
    progress: Progress
    offline: bool = False
    workers: int | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """What an engine made of a lock.

    Attributes:
        images: one per platform.
        notes: what the user should know, one sentence each.
        assembly: how the native engine made it; None: another did.
        tools: the other engine's programs, each with its version.
        log: all that the other engine said.

    """

    images: tuple[Image, ...]
    notes: tuple[str, ...]
    assembly: Assembly | None = None
    tools: Mapping[str, str] = field(default_factory=dict)
    log: Path | None = None

    @property
    def ready(self) -> tuple[Digest, ...]:
        """Layers that were taken ready-made from a registry."""
        return () if self.assembly is None else self.assembly.ready

    @property
    def built(self) -> int:
        """Layers that the native engine made."""
        return 0 if self.assembly is None else self.assembly.built

    @property
    def reused(self) -> int:
        """Layers that the native engine had in its cache."""
        return 0 if self.assembly is None else self.assembly.reused


def make(
    engine: str,
    lock: Lock,
    at: Surroundings,
    *,
    options: driving.Options,
    ready: ReadyLayers | None = None,
    lean: bool = False,
) -> Made:
    """Make the images of a lock.

    Args:
        engine: `driving.NATIVE`, or one that builds a Dockerfile.
        lock: what is built.
        at: where.
        options: what is said to the engine.
        ready: layers that the native engine may take ready-made; None: none may.
        lean: the native engine makes only what a push needs.

    Raises:
        AnswerIsNoError: the lock is sealed to another image than the native engine makes.
        EnvfreezeError: as the engine says.

    """
    if engine == driving.NATIVE:
        assembly = _assembled(lock, at, ready=ready, lean=lean, reuse=not options.fresh)
        native.hold(lock, assembly)
        return _of_assembly(assembly)
    own = driving.own_folder(at.root)
    return by_program(engine, lock, at, options, folder=own / driving.FOLDER, logs=own / driving.LOGS)


def native_anew(lock: Lock, at: Surroundings) -> Made:
    """Assemble a lock from its artifacts alone, and hold the image against no seal.

    Args:
        lock: what is built.
        at: where.

    Raises:
        EnvfreezeError: as `native.assemble` says.

    """
    return _of_assembly(_assembled(lock, at, ready=None, lean=False, reuse=False))


def by_program(
    engine: str, lock: Lock, at: Surroundings, options: driving.Options, *, folder: Path, logs: Path
) -> Made:
    """Write the lock's Dockerfile, and have an engine build it.

    Args:
        engine: its name.
        lock: what is built.
        at: where.
        options: what is said to the engine.
        folder: where the build folder is written.
        logs: where the engine's log goes.

    Raises:
        EnvfreezeError: as `driving.make` says.

    """
    if at.project is None:
        raise UsageError(f"{at.root} has no project that can be read, which the engine {engine} needs")
    compiling.ensure(lock, at.project, cache=at.cache, progress=at.progress, offline=at.offline)
    built = driving.make(
        engine,
        lock,
        at.project,
        folder=folder,
        into=at.scratch,
        logs=logs,
        cache=at.cache,
        options=options,
        offline=at.offline,
        progress=at.progress,
    )
    return Made(built.images, built.notes, tools=built.tools, log=built.log)


def _assembled(
    lock: Lock, at: Surroundings, *, ready: ReadyLayers | None, lean: bool, reuse: bool
) -> Assembly:
    project = at.project
    authenticate = str if project is None else partial(indexes.authenticate, project=project)
    compiled = None
    if project is not None:
        compiled = partial(
            compiling.compiled, project, cache=at.cache, progress=at.progress, offline=at.offline
        )
    return native.assemble(
        lock,
        root=at.root,
        cache=at.cache,
        progress=at.progress,
        reuse=reuse,
        offline=at.offline,
        workers=at.workers,
        authenticate=authenticate,
        ready=ready,
        lean=lean,
        compiled=compiled,
    )


def _of_assembly(assembly: Assembly) -> Made:
    return Made(tuple(one.image for one in assembly.images), assembly.notes, assembly)
