"""The project's own files as a layer: what `include` names, and nothing of who has them checked out.

Contents, links and the owner's right to execute are taken over; owners, times and all other permission
bits are not, so a checkout under another umask gives the same layer.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from envfreeze.errors import MachineError, UsageError
from envfreeze.oci.entry import Entry, FromFile, Kind, directory, parents, symlink
from envfreeze.oci.paths import path_problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_NEVER = {".git", ".envfreeze", "__pycache__", ".venv"}
"""Folders that are never part of a project's files."""

_RECORDS = "envfreeze.records.jsonl"
"""At the project's root: every build adds to it, so it cannot be in what is built."""


def included(root: Path, include: Sequence[str]) -> list[str]:
    """Every file and link that `include` names, as sorted relative POSIX paths.

    Raises:
        UsageError: a name is missing, leaves the project, or is neither file, folder nor link.

    """
    found: set[str] = set()
    for name in include:
        relative = name.rstrip("/")
        path = root if relative in {"", "."} else root / relative
        if relative not in {"", "."} and path_problem(relative):
            raise UsageError(f"include: {name!r} {path_problem(relative)}")
        if not os.path.lexists(path):
            raise UsageError(
                f"include: {name!r} does not exist in {root}", hint="correct `include` in the configuration"
            )
        linked = next((parent for parent in parents(relative) if (root / parent).is_symlink()), None)
        if linked is not None:
            raise UsageError(f"include: {name!r} leads through the link {linked}")
        found.update(_walk(root, path))
    found.discard(_RECORDS)
    return sorted(found, key=str.encode)


def _walk(root: Path, path: Path) -> Iterator[str]:
    mode = path.lstat().st_mode
    relative = path.relative_to(root).as_posix()
    if stat.S_ISDIR(mode):
        for child in path.iterdir():
            if child.name not in _NEVER:
                yield from _walk(root, child)
    elif stat.S_ISREG(mode) or stat.S_ISLNK(mode):
        problem = path_problem(relative)
        if problem:
            raise UsageError(f"include: the name {relative!r} {problem}")
        if stat.S_ISLNK(mode):
            _check_link(root, path)
        yield relative
    else:
        raise UsageError(f"include: {relative} is neither a file, a folder nor a link")


def _check_link(root: Path, path: Path) -> None:
    target = path.readlink()
    ends = os.path.normpath(os.path.join(path.parent, target))  # noqa: PTH118 - normalised as text, not on disk
    if target.is_absolute() or not (ends == str(root) or ends.startswith(f"{root}/")):
        raise UsageError(f"include: the link {path.relative_to(root)} leads out of the project, to {target}")


def file_entries(root: Path, names: Sequence[str], workdir: str) -> list[Entry]:
    """The entries of the files, below the image's working directory; they are read when they are written.

    Raises:
        MachineError: a file cannot be looked at.

    """
    base = workdir.strip("/")
    entries = [directory(base)] if base else []
    for name in names:
        path = root / name
        target = f"{base}/{name}" if base else name
        try:
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode):
                entries.append(symlink(target, str(path.readlink())))
            else:
                permissions = 0o755 if mode & stat.S_IXUSR else 0o644
                content = FromFile(path, path.stat().st_size)
                entries.append(Entry(target, Kind.FILE, permissions, content=content))
        except OSError as error:
            raise MachineError(f"{path} cannot be read: {error.strerror}") from error
    return entries
