"""What leads from a commit to the files as they are: one binary patch. The user's index is not touched.

A copy of the index is brought up to date with the working tree; what it then holds against the commit is
the patch. New objects go to a folder of their own, and the patch is proven by applying it.
"""

from __future__ import annotations

import os
import posixpath
import shutil
from typing import TYPE_CHECKING

from envfreeze.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from envfreeze.progress import Progress
    from envfreeze.records.git import Git, Repository

LARGE = 64 << 20
"""From how many bytes on a patch is worth a warning: it stays in the repository for good."""

# Each one that can be set in a user's configuration or attributes is stated.
_FORMAT = (
    "--patch",
    "--binary",
    "--full-index",
    "--no-renames",
    "--no-ext-diff",
    "--no-textconv",
    "--no-color",
    "--src-prefix=a/",
    "--dst-prefix=b/",
    "--unified=3",
    "--inter-hunk-context=0",
    "--diff-algorithm=myers",
    "--no-indent-heuristic",
    "--submodule=short",
    "--ignore-submodules=none",
)


def write(
    repository: Repository,
    commit: str,
    scratch: Path,
    *,
    leave_out: Iterable[str],
    include: Iterable[str],
    progress: Progress,
) -> tuple[bool, Path | None]:
    """Write the patch from a commit to the working tree's tracked files and the included ones.

    Args:
        repository: the working tree; the whole of it counts, not only the project.
        commit: what the patch starts from, usually HEAD.
        scratch: an empty folder.
        leave_out: names in the project's folder that are no part of the patch (kept otherwise, or output).
        include: project files that go into the image, relative to the project, tracked or not, ignored or
            not.
        progress: is warned of what no patch can carry.

    Returns:
        Whether anything differs from the commit, and the patch's file, None where it would be empty.

    Raises:
        MachineError: git cannot read the files, or its patch does not lead back to them.

    """
    work = with_scratch(repository, scratch).at(repository.toplevel, GIT_INDEX_FILE=str(scratch / "index"))
    index = repository.path("index")
    if index.exists():
        # With what git knows of unchanged files, so that they are not read; and with its time, by which git
        # tells the entries that may have changed in the very moment they were written.
        shutil.copy2(index, scratch / "index")
    else:
        work.run("read-tree", commit)
    left_out = [posixpath.normpath(posixpath.join(repository.project, name)) for name in leave_out]
    _stage_tracked(work)
    lost = _stage_included(work, repository, include, left_out, progress)
    shown = ("--", ":(top)", *(f":(top,exclude,literal){path}" for path in left_out))
    patch = scratch / "patch"
    with patch.open("wb") as file:
        work.run("diff-index", "--cached", *_FORMAT, commit, *shown, into=file)
    size = patch.stat().st_size
    if size == 0:
        return lost, None
    if size > LARGE:
        progress.warn(
            f"the uncommitted changes recorded with this build take {size >> 20} MiB in {repository.git_dir}"
        )
    _prove(work, commit, patch, scratch / "proof", shown)
    return True, patch


def changed_files(git: Git, patch: bytes) -> list[str]:
    """The paths that a patch changes, in its order."""
    rows = git.run("apply", "--numstat", "-z", stdin=patch).split(b"\0")
    return [row.split(b"\t", 2)[2].decode(errors="replace") for row in rows if row]


def with_scratch(repository: Repository, scratch: Path) -> Git:
    """Give a git that reads the repository's objects and writes new ones under `scratch`."""
    objects = scratch / "objects"
    objects.mkdir()
    alternates = [_quoted(str(repository.path("objects")))]
    if "GIT_ALTERNATE_OBJECT_DIRECTORIES" in os.environ:
        alternates.append(os.environ["GIT_ALTERNATE_OBJECT_DIRECTORIES"])
    return repository.git.at(
        repository.toplevel,
        GIT_OBJECT_DIRECTORY=str(objects),
        GIT_ALTERNATE_OBJECT_DIRECTORIES=":".join(alternates),
    )


def _quoted(path: str) -> str:
    """Quote a path for a list separated by colons (git(1), GIT_ALTERNATE_OBJECT_DIRECTORIES)."""
    if ":" not in path and not path.startswith('"'):
        return path
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _stage_tracked(work: Git) -> None:
    """Bring every tracked path of the index up to date with the working tree."""
    trusted, skipped = [], []
    for item in _paths(work.run("ls-files", "-z", "-v")):
        tag, path = item[0], item[2:]
        if tag.islower():
            trusted.append(path)
        if tag in "Ss" and os.path.lexists(work.folder / path):
            skipped.append(path)
    # "Assume unchanged" and "skip worktree" hide a change from git, not from the image. What is skipped and
    # absent (a sparse checkout) stays as in the commit.
    if trusted:
        _update_index(work, ["--no-assume-unchanged"], trusted)
    if skipped:
        _update_index(work, ["--no-skip-worktree"], skipped)
    work.ask("update-index", "-q", "--unmerged", "--refresh")
    gone: list[str] = []
    changed: list[str] = []
    fields = _paths(work.run("diff-files", "-z", "--raw", "--no-renames", "--ignore-submodules=dirty"))
    for facts, path in zip(fields[::2], fields[1::2], strict=True):
        deleted = facts.endswith("D") or not os.path.lexists(work.folder / path)
        (gone if deleted else changed).append(path)
    if gone:
        _update_index(work, ["--force-remove"], gone)
    if changed:
        _update_index(work, ["--add", "--remove", "--replace"], changed)


def _stage_included(
    work: Git, repository: Repository, include: Iterable[str], left_out: Sequence[str], progress: Progress
) -> bool:
    """Add the included files that are not tracked; tell whether some changes cannot be recorded."""
    tracked = set(_paths(work.run("ls-files", "-z")))
    borders: dict[Path, str] = {}
    new = []
    lost: dict[str, None] = {}
    waiting = [posixpath.normpath(posixpath.join(repository.project, name)) for name in include]
    seen: set[str] = set()
    while waiting:
        path = waiting.pop()
        file = repository.toplevel / path
        if path in seen or path in tracked or path in left_out or not os.path.lexists(file):
            continue
        seen.add(path)
        border = _border(repository.toplevel, file.parent, borders)
        crossing = repository.toplevel / border
        if path.startswith("../"):
            lost[path] = None
        elif border and crossing.is_symlink():
            # Through a link to a folder: both the link and what is behind it have to be in the patch.
            behind = crossing.resolve() / file.relative_to(crossing)
            waiting += [border, posixpath.relpath(behind, repository.toplevel)]
        elif border:
            if border not in tracked or _changed(repository.git.at(crossing)):
                lost[border] = None
        elif file.is_symlink() or not file.is_dir():
            new.append(path)
    if new:
        _update_index(work, ["--add", "--replace"], new)
    for border in lost:
        progress.warn(
            f"{border} holds included files that the record of this build cannot restore: "
            "they are not files of this repository, or changed in a submodule and not committed there"
        )
    return bool(lost)


def _border(toplevel: Path, folder: Path, known: dict[Path, str]) -> str:
    """Give the path at which a folder leaves the working tree: a submodule, a repository, a link; or ``."""
    if folder == toplevel or toplevel not in folder.parents:
        return ""
    if folder not in known:
        above = _border(toplevel, folder.parent, known)
        crossing = folder.is_symlink() or (folder / ".git").exists()
        known[folder] = above or (folder.relative_to(toplevel).as_posix() if crossing else "")
    return known[folder]


def _changed(submodule: Git) -> bool:
    return bool(submodule.run("status", "--porcelain", "--untracked-files=normal"))


def _prove(work: Git, commit: str, patch: Path, index: Path, shown: Sequence[str]) -> None:
    """Apply the patch to the commit and compare, so that a build is not recorded that cannot be restored."""
    staged = work.run("write-tree").decode().strip()
    proof = work.at(work.folder, GIT_INDEX_FILE=str(index))
    proof.run("read-tree", commit)
    proof.run("apply", "--cached", str(patch))
    if proof.ask("diff-index", "--cached", "--quiet", staged, *shown) is None:
        raise MachineError(
            "git's patch of the uncommitted changes does not lead back to them",
            hint="commit the changes, then build again",
        )


def _update_index(work: Git, options: Sequence[str], paths: Iterable[str]) -> None:
    listed = b"".join(os.fsencode(path) + b"\0" for path in paths)
    work.run("update-index", *options, "-z", "--stdin", stdin=listed)


def _paths(output: bytes) -> list[str]:
    return [os.fsdecode(item) for item in output.split(b"\0") if item]
