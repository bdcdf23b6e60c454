"""The project's folder of compiled wheels: a machine that has them there needs no compiler."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from envfreeze.digest import Digest
from envfreeze.errors import MachineError
from envfreeze.oci import staging
from envfreeze.project.folders import MADE

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from envfreeze.locking.model import Wheel
    from envfreeze.project.model import Project
    from envfreeze.store.cache import Cache

_MARK = b"Wheels that `envfreeze lock` compiled. Commit them, so that nobody else has to compile.\n"


def take(wheel: Wheel, project: Project, cache: Cache) -> Path | None:
    """Put a compiled wheel of the wheelhouse into the cache; its file there, None where it is not that one.

    Raises:
        MachineError: the wheelhouse cannot be read.

    """
    if wheel.source is None or wheel.source.devel is None:
        return None
    path = project.root / project.docker.wheelhouse / wheel.filename
    try:
        if not path.is_file() or Digest.of_file(path) != wheel.digest:
            return None
        with path.open("rb") as file, cache.writer() as blob:
            shutil.copyfileobj(file, blob.file)
            return blob.commit(wheel.digest)
    except OSError as error:
        raise MachineError(f"{path} cannot be read: {error.strerror}") from error


def put(wheels: Iterable[Wheel], project: Project, cache: Cache) -> tuple[Path, ...]:
    """Write the compiled wheels of the cache into the wheelhouse; the paths that changed.

    Raises:
        MachineError: the wheelhouse cannot be written.

    """
    written = []
    for wheel in wheels:
        if wheel.source is None or wheel.source.devel is None:
            continue
        path = project.root / project.docker.wheelhouse / wheel.filename
        blob = cache.find(wheel.digest)
        if blob is None or (path.is_file() and Digest.of_file(path) == wheel.digest):
            continue
        with staging.file(path.with_name(MADE)) as mark:
            mark.write(_MARK)
        with blob.open("rb") as source, staging.file(path) as target:
            shutil.copyfileobj(source, target)
        written.append(path)
    return tuple(written)
