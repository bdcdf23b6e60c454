"""`dockerfile`: from the lock to a folder that `docker build` turns into the image."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from envfreeze.engines import dockerfile as engine
from envfreeze.locking import files
from envfreeze.progress import SILENT
from envfreeze.store.cache import Cache

if TYPE_CHECKING:
    from envfreeze.engines.dockerfile import BuildFolder
    from envfreeze.progress import Progress
    from envfreeze.project.model import Project

OUTPUT = Path(".envfreeze") / "docker"
"""Where the build folder goes when nothing else is said, below the project's folder."""


def dockerfile(
    project: Project,
    *,
    output: Path | None = None,
    offline: bool = False,
    cache: Cache | None = None,
    progress: Progress = SILENT,
) -> BuildFolder:
    """Write the build folder of a project's lock.

    Args:
        project: the project; the lock in its folder is what is written.
        output: the folder; None: `OUTPUT`.
        offline: fetch nothing.
        cache: None: the user's.
        progress: told what happens.

    Raises:
        UsageError: there is no lock, or a Dockerfile cannot say what it has.
        UntrustedError: the lock or an artifact is not what it should be.
        NetworkError: an artifact cannot be had.
        MachineError: the folder cannot be written.

    """
    lock = files.read(project.root)
    into = project.root / OUTPUT if output is None else output
    return engine.write(
        lock, project, into.absolute(), cache=cache or Cache.open(), progress=progress, offline=offline
    )
