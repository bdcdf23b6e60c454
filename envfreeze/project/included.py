"""Reads requirements files and everything that they include."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from envfreeze.errors import UsageError
from envfreeze.project import places, requirements

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envfreeze.project.places import Blame


def read_with_includes(root: Path, name: str, blame: Blame) -> dict[str, bytes]:
    """Read a requirements or constraints file with its `-r` and `-c`, and theirs.

    Args:
        root: the project's folder, resolved.
        name: of the file, relative to it.
        blame: makes the error where this first file is wrong.

    Returns:
        Content by normalised relative path.

    Raises:
        UsageError: a file is missing, not inside the project, or includes what cannot be locked; file and
            line are named.
        MachineError: a file cannot be read.

    """
    contents: dict[str, bytes] = {}
    seen: set[tuple[Path, Path]] = set()
    waiting: list[tuple[Path, Blame]] = [(Path(name), blame)]
    while waiting:
        path, accuse = waiting.pop()
        file = places.inside(root, root / path, accuse)
        normal = PurePosixPath(os.path.normpath(path))
        if normal.parts[0] == "..":
            raise accuse("leads out of the project")
        if (root / normal).resolve() != file:
            raise accuse("goes back over a symbolic link with `..`")
        # What a file includes depends on the folder it is read from. Folders may link in circles.
        if (file, (root / path).parent.resolve()) in seen:
            continue
        seen.add((file, (root / path).parent.resolve()))
        contents[str(normal)] = places.read(file, accuse)
        waiting += _included(path.parent, contents[str(normal)], str(normal))
    return contents


def _included(folder: Path, content: bytes, file: str) -> Iterator[tuple[Path, Blame]]:
    for include in requirements.includes(content, file):

        def blame(problem: str, include: requirements.Include = include) -> UsageError:
            return UsageError(f"{file}, line {include.line}: {include.option} {include.path} {problem}")

        yield folder / include.path, blame
