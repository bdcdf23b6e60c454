"""Paths that the user wrote: they stay inside the project, also through symbolic links."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.errors import MachineError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Blame = Callable[[str], UsageError]
    """Makes the error: what is wrong with the path, after the words that name who wrote it where."""


def inside(root: Path, path: Path, blame: Blame) -> Path:
    """Follow a path to the file or folder that it ends at.

    Args:
        root: the project's folder, resolved.
        path: below it, as written; its links are followed.
        blame: makes the error.

    Returns:
        The path without links.

    Raises:
        UsageError: it does not exist, or ends outside the project.

    """
    try:
        found = path.resolve(strict=True)
    except FileNotFoundError as error:
        raise blame("does not exist") from error
    except (NotADirectoryError, RuntimeError, ValueError) as error:
        raise blame("cannot be followed") from error
    except OSError as error:
        # Also what a loop of links is, from Python 3.13 on, and a name that is too long.
        raise blame(f"cannot be followed: {error.strerror}") from error
    if not found.is_relative_to(root):
        raise blame("leads out of the project")
    return found


def read(path: Path, blame: Blame) -> bytes:
    """Read a file of the project.

    Raises:
        UsageError: it is not a file.
        MachineError: it cannot be read.

    """
    if not path.is_file():
        raise blame("is not a file")
    try:
        return path.read_bytes()
    except OSError as error:
        raise MachineError(
            f"{path} cannot be read: {error.strerror}", hint="check its permissions"
        ) from error
