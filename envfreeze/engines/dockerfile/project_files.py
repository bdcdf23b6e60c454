"""The project's own files: what `include` names is copied into the image, what `context` names is at hand."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.engines.dockerfile import words
from envfreeze.errors import MachineError
from envfreeze.layers.files import file_entries, included
from envfreeze.oci.entry import Kind

if TYPE_CHECKING:
    from pathlib import Path

    from envfreeze.engines.dockerfile.staged import Staged
    from envfreeze.locking.model import Lock
    from envfreeze.project.model import Project


@dataclass(frozen=True, slots=True)
class Copies:
    """What brings the project's files into the image.

    Attributes:
        files: mode, and what follows it in a COPY: files of one folder that have one mode are one step.
        links: target as written and path, quoted for a shell: symbolic links, which COPY would follow.

    """

    files: tuple[tuple[str, str], ...]
    links: tuple[tuple[str, str], ...]

    @property
    def count(self) -> int:
        """How many steps they take."""
        return len(self.files) + bool(self.links)


def write(lock: Lock, project: Project, staged: Staged) -> Copies:
    """Put the project's files into the folder.

    Raises:
        UsageError: a file is missing, or has a name that COPY cannot take.
        MachineError: a file cannot be read.

    """
    names = included(project.root, lock.runtime.include)
    entries = file_entries(project.root, names, lock.runtime.workdir)
    links: list[tuple[str, str]] = []
    groups: dict[tuple[str, str], list[str]] = {}
    for name, entry in zip(names, (one for one in entries if one.kind is not Kind.DIRECTORY), strict=True):
        target = f"/{entry.path}"
        if entry.kind is Kind.SYMLINK:
            links.append((words.shell(entry.link), words.shell(target)))
            continue
        copy = f"project/{name}"
        staged.copy(copy, project.root / name, executable=entry.mode & stat.S_IXUSR != 0)
        folder = target.rpartition("/")[0] or "/"
        groups.setdefault((folder, f"{entry.mode:04o}"), []).append(copy)
    _context(project, staged)
    return Copies(
        files=tuple(
            (mode, words.copied(copies, f"{folder.rstrip('/')}/"))
            for (folder, mode), copies in groups.items()
        ),
        links=tuple(links),
    )


def _context(project: Project, staged: Staged) -> None:
    """Put what the user's own steps need below `context/`."""
    for name in included(project.root, project.docker.context):
        path = project.root / name
        if path.is_symlink():
            # A link within the project; what it leads to is copied, so that no step has to know.
            path = path.resolve()
            if not path.is_file():
                continue
        staged.copy(f"context/{name}", path, executable=_executable(path))


def _executable(path: Path) -> bool:
    try:
        return path.stat().st_mode & stat.S_IXUSR != 0
    except OSError as error:
        raise MachineError(f"{path} cannot be read: {error.strerror}") from error
