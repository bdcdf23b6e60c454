"""`dockerfile`: from the lock to a folder that `docker build` turns into the image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.engines import dockerfile as engine
from envfreeze.locking import files
from envfreeze.progress import SILENT
from envfreeze.store.cache import Cache
from envfreeze.verbs import compiling
from envfreeze.verbs.driving import FOLDER, own_folder

if TYPE_CHECKING:
    from pathlib import Path

    from envfreeze.engines.dockerfile import BuildFolder
    from envfreeze.progress import Progress
    from envfreeze.project.model import Project


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
        output: the folder; None: that of `[docker] output`, else `.envfreeze/docker` in the project.
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
    if output is not None:
        into = output
    elif project.docker.output is not None:
        into = project.root / project.docker.output
    else:
        into = own_folder(project.root) / FOLDER
    cache = cache or Cache.open()
    compiling.ensure(lock, project, cache=cache, progress=progress, offline=offline)
    return engine.write(lock, project, into.absolute(), cache=cache, progress=progress, offline=offline)
