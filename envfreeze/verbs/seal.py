"""Seal a lock: assemble its images and write their digests into it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from envfreeze.locking import indexes
from envfreeze.replacing import replace

if TYPE_CHECKING:
    from envfreeze.locking.model import Lock
    from envfreeze.project.model import Project
    from envfreeze.verbs.wish import Wish


def sealed(made: Lock, project: Project, wish: Wish, workers: int | None) -> Lock:
    """Assemble a lock's images and give the lock with their digests."""
    from envfreeze.engines import native  # noqa: PLC0415 - only where asked
    from envfreeze.verbs import compiling  # noqa: PLC0415 - with it

    assembly = native.assemble(
        without_files(made),
        root=project.root,
        cache=wish.cache,
        progress=wish.progress,
        offline=wish.offline,
        workers=workers,
        authenticate=partial(indexes.authenticate, project=project),
        compiled=partial(
            compiling.compiled, project, cache=wish.cache, progress=wish.progress, offline=wish.offline
        ),
    )
    return native.seal(made, assembly)


def without_files(made: Lock) -> Lock:
    """The lock of the environment alone: a seal does not cover the project's files."""
    return replace(made, runtime=replace(made.runtime, include=()))
