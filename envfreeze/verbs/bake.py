"""`bake`: a matrix of images from one configuration, each with a lock and a Dockerfile of its own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.engines import dockerfile
from envfreeze.engines.dockerfile import baking
from envfreeze.errors import EnvfreezeError, UsageError
from envfreeze.oci import staging
from envfreeze.progress import SILENT
from envfreeze.project.folders import MADE
from envfreeze.project.load import load
from envfreeze.project.matrix import combinations
from envfreeze.replacing import replace
from envfreeze.store.cache import Cache
from envfreeze.verbs import compiling
from envfreeze.verbs.lock import lock

if TYPE_CHECKING:
    from pathlib import Path

    from envfreeze.engines.dockerfile import BuildFolder
    from envfreeze.locking.model import Lock
    from envfreeze.progress import Progress
    from envfreeze.project.matrix import Combination
    from envfreeze.project.model import Project

FOLDER = "docker"
"""The build folder of a combination, beside its lock."""


@dataclass(frozen=True, slots=True)
class Baked:
    """One combination.

    Attributes:
        name: of it, and of its target and folder.
        lock: its lock.
        folder: its build folder.
        written: lock files that changed.

    """

    name: str
    lock: Lock
    folder: BuildFolder
    written: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class BakeOutcome:
    """What `bake` wrote.

    Attributes:
        file: the docker-bake file.
        baked: the combinations, in their order.
        left: folders of combinations that there are no more.

    """

    file: Path
    baked: tuple[Baked, ...]
    left: tuple[Path, ...]


def bake(
    project: Project,
    *,
    output: Path | None = None,
    upgrade: bool = False,
    offline: bool = False,
    cache: Cache | None = None,
    progress: Progress = SILENT,
) -> BakeOutcome:
    """Lock every combination of `[bake]`, write its build folder, and the docker-bake file of all.

    A combination's lock moves as little as any: with unchanged inputs no byte of it changes.

    Args:
        project: the project.
        output: folder of the file; None: that of `[bake] output`.
        upgrade: take the newest of everything.
        offline: use only what the cache has.
        cache: None: the user's.
        progress: told what happens.

    Raises:
        UsageError: there is no axis.
        EnvfreezeError: as `lock`; the combination is named.

    """
    matrix = combinations(project.bake)
    if not matrix:
        raise UsageError(
            "there is nothing to combine: [bake] names no Pythons, no variants of CUDA and no platforms",
            hint='for example, in [bake]: python = ["3.12", "3.13"]',
        )
    cache = cache or Cache.open()
    into = (output or project.root / project.bake.output).absolute()
    baked = []
    for combination in matrix:
        progress.note(f"{combination.name}:")
        try:
            baked.append(
                _baked(
                    project,
                    combination,
                    into,
                    upgrade=upgrade,
                    offline=offline,
                    cache=cache,
                    progress=progress,
                )
            )
        except EnvfreezeError as error:
            error.message = f"{combination.name}: {error.message}"
            raise
    targets = [_target(combination, one) for combination, one in zip(matrix, baked, strict=True)]
    file = into / baking.NAME
    with staging.file(into / MADE) as mark:
        mark.write(b"What `envfreeze bake` wrote.\n")
    with staging.file(file) as out:
        out.write(baking.text(targets, matrix, _repository(project.name)).encode())
    names = {one.name for one in baked}
    left = sorted(path.parent for path in into.glob("*/envfreeze.lock") if path.parent.name not in names)
    return BakeOutcome(file, tuple(baked), tuple(left))


def _repository(name: str) -> str:
    """A project's name as that of a repository (`envfreeze.oci.reference`, "Grammar")."""
    return re.sub("[^a-z0-9]+", "-", name.lower()).strip("-") or "image"


def _baked(
    project: Project,
    combination: Combination,
    into: Path,
    *,
    upgrade: bool,
    offline: bool,
    cache: Cache,
    progress: Progress,
) -> Baked:
    """Lock one combination, and write its build folder."""
    variant = load(project.root, instead=combination.instead)
    variant = replace(variant, docker=replace(variant.docker, output=None))
    folder = into / combination.name
    folder.mkdir(parents=True, exist_ok=True)
    locked = lock(variant, folder=folder, upgrade=upgrade, offline=offline, cache=cache, progress=progress)
    compiling.ensure(locked.lock, variant, cache=cache, progress=progress, offline=offline)
    written = dockerfile.write(
        locked.lock, variant, folder / FOLDER, cache=cache, progress=progress, offline=offline
    )
    return Baked(combination.name, locked.lock, written, locked.written)


def _target(combination: Combination, baked: Baked) -> baking.BakeTarget:
    target = baked.lock.targets[0]
    what = [f"Python {target.python}", target.base.reference]
    if target.gpu is not None and target.gpu.cuda is not None:
        what.append(f"CUDA {target.gpu.cuda}")
    return baking.BakeTarget(
        name=combination.name,
        what=", ".join(what),
        context=f"{combination.name}/{FOLDER}",
        platforms=tuple(str(platform) for platform in baked.folder.platforms),
    )
