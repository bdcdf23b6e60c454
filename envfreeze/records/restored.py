"""The folder that a build's files are brought back into: filled whole, or left empty."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from envfreeze.errors import MachineError, UntrustedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from envfreeze.digest import Digest
    from envfreeze.records.model import Record


@contextmanager
def emptied(folder: Path) -> Iterator[Path]:
    """Make a folder that the block fills; what it wrote is gone again where it fails.

    Raises:
        UsageError: there is something in it.
        MachineError: it cannot be written.

    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise UsageError(f"{folder} is not empty")
        folder = folder.resolve()
    except OSError as error:
        raise MachineError(f"{folder} cannot be written to: {error.strerror}") from error
    try:
        yield folder
    except BaseException as error:
        _empty(folder)
        if isinstance(error, OSError):
            raise MachineError(f"{folder} cannot be written to: {error.strerror}") from error
        raise


def put(lock: Mapping[str, bytes], folder: Path, path: str) -> Path:
    """Write the lock files into the project's folder of a checkout, and nowhere else."""
    project = folder / path
    if not project.resolve().is_relative_to(folder):
        raise UntrustedError(f"the recorded project folder {path} is a link that leads out of the checkout")
    project.mkdir(parents=True, exist_ok=True)
    for name, content in lock.items():
        file = project / name
        file.unlink(missing_ok=True)  # never through a link
        file.write_bytes(content)
    return project


def from_lock(record: Record, folder: Path, attached: Mapping[Digest, bytes]) -> Path | None:
    """Bring back a build of which the lock is all, from the lock files that came with its record.

    Returns:
        The folder with the lock files in it; None: it needs project files too, or a lock file is missing.

    """
    source = record.source
    lock = {name: attached.get(file.digest) for name, file in source.lock.items()}
    if source.included is not None or None in lock.values():
        return None
    with emptied(folder) as place:
        return put({name: content for name, content in lock.items() if content is not None}, place, ".")


def _empty(folder: Path) -> None:
    for child in folder.iterdir():
        if child.is_dir() and not child.is_symlink():
            shutil.rmtree(child, ignore_errors=True)
        else:
            child.unlink(missing_ok=True)
