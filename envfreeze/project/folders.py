"""The files of a local project (`-e .`, `./pkg`): what of its folder counts, the same in every checkout.

In a git work tree these are the files that git has or would add: what is ignored is not the project's.
Elsewhere, as in the clean checkout that `verify` builds from, all files count. What tools leave behind counts
nowhere, nor do the lock's own files: a lock is made of the others.
"""

from __future__ import annotations

import os
import re
import stat
import subprocess
from typing import TYPE_CHECKING

from envfreeze.digest import Digest
from envfreeze.errors import MachineError, UsageError
from envfreeze.oci.entry import Entry, FromFile, Kind, symlink
from envfreeze.oci.paths import path_problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NEVER = frozenset(
    {
        ".git",
        ".hg",
        ".svn",
        ".venv",
        ".envfreeze",
        "__pycache__",
        ".tox",
        ".nox",
        ".eggs",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
    }
)
_LEFT_BEHIND = frozenset({"build", "dist"})
"""Folders at the top that builds make."""

_LEFT_BEHIND_ENDS = (".pyc", ".egg-info")

_OURS = re.compile(
    r"envfreeze\.lock|envfreeze\.records\.jsonl|pylock(\.[\w-]+)?\.toml|requirements(\.[\w-]+)?\.lock\.txt|conda-lock\.yml"
)


MADE = ".made-by-envfreeze"
"""A file that marks its folder, a wheelhouse or a build folder, as envfreeze's own."""


def entries(folder: Path) -> list[Entry]:
    """List the files and links of a local project, sorted by path, modes 0644 or 0755.

    Raises:
        UsageError: it holds a link that leads out of it, a name that is no text, or a git submodule.
        MachineError: a file cannot be read.

    """
    try:
        found = [_entry(folder, path) for path in _names(folder)]
    except OSError as error:
        raise MachineError(f"{error.filename or folder} cannot be read: {error.strerror}") from error
    return sorted(
        (entry for entry in found if entry is not None), key=lambda entry: entry.path.encode("utf-8")
    )


def listing(folder: Path) -> bytes:
    """Name the files of a local project with mode and sha256, one a line: an input of the lock.

    Raises:
        UsageError: as `entries`.
        MachineError: as `entries`.

    """
    lines = []
    for entry in entries(folder):
        if isinstance(entry.content, FromFile):
            lines.append(f"{entry.mode:o} {Digest.of_file(entry.content.file).hex} {entry.path}\n")
        else:
            lines.append(f"link {entry.link} {entry.path}\n")
    return "".join(lines).encode()


def _names(folder: Path) -> Iterator[str]:
    tracked = _of_git(folder)
    names = [name for name in (_walk(folder, "") if tracked is None else tracked) if _counts(name)]
    made = tuple(f"{name.removesuffix(MADE)}" for name in names if name.endswith(f"/{MADE}"))
    return (name for name in names if not name.startswith(made))


def _counts(name: str) -> bool:
    parts = name.split("/")
    if "/" not in name and _OURS.fullmatch(name):
        return False
    return not (parts[0] in _LEFT_BEHIND and len(parts) > 1) and not any(
        part in _NEVER or part.endswith(_LEFT_BEHIND_ENDS) for part in parts
    )


def _of_git(folder: Path) -> list[str] | None:
    """What git has or would add; None outside a work tree, or where git ignores the folder itself."""
    command = ["git", "-c", "core.fsmonitor=false", "-C", str(folder), "ls-files", "-z"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            [*command, "--cached", "--others", "--exclude-standard"],
            capture_output=True,
            check=False,
            env=environment,
        )
    except OSError:
        return None
    if done.returncode != 0:
        return None
    names = [os.fsdecode(name) for name in done.stdout.split(b"\0") if name]
    return [name for name in dict.fromkeys(names) if os.path.lexists(folder / name)] or None


def _walk(folder: Path, above: str) -> Iterator[str]:
    with os.scandir(folder / above) as found:
        children = list(found)
    for child in children:
        name = f"{above}{child.name}"
        if child.is_dir(follow_symlinks=False):
            # Not merely passed over: an environment may hold more files than all projects.
            if _counts(f"{name}/x"):
                yield from _walk(folder, f"{name}/")
        else:
            yield name


def _entry(folder: Path, name: str) -> Entry | None:
    path = folder / name.rstrip("/")
    status = path.lstat()
    if problem := path_problem(name.rstrip("/")):
        raise UsageError(f"{folder}: the name {name!r} {problem}", hint="rename the file")
    if stat.S_ISLNK(status.st_mode):
        target = str(path.readlink())
        ends = os.path.normpath(os.path.join(os.path.dirname(name), target))  # noqa: PTH118, PTH120 - as text
        if target.startswith("/") or ends == ".." or ends.startswith("../"):
            raise UsageError(
                f"{path} is a link that leads out of {folder}, to {target}",
                hint="a build sees only the folder: put the file itself there",
            )
        return symlink(name, target)
    if stat.S_ISREG(status.st_mode):
        mode = 0o755 if status.st_mode & stat.S_IXUSR else 0o644
        return Entry(name, Kind.FILE, mode, content=FromFile(path, status.st_size))
    if stat.S_ISDIR(status.st_mode):
        raise UsageError(
            f"{path} is a git repository inside {folder}; a build would not see its files",
            hint="make it an ordinary folder, or name it as a requirement of its own",
        )
    return None  # a socket, a pipe: nothing that could be built from
