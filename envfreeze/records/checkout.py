"""A clean checkout of a commit, with a patch on it, into a folder that git need not know of.

The patch is applied to the index and not to the files, so that line endings and filters come after it, as
for any checkout, and a user's working tree, index and list of worktrees are never touched.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from envfreeze.errors import UntrustedError, UsageError
from envfreeze.records.git import GitError, Repository
from envfreeze.records.patch import with_scratch

if TYPE_CHECKING:
    from envfreeze.progress import Progress


def checkout(
    repository: Repository, commit: str, patch: bytes | None, folder: Path, progress: Progress
) -> None:
    """Write the files of a commit, changed by a patch, into an empty folder.

    Filters that the user has configured (line endings, LFS) run as they would for `git checkout`.
    Submodules that are checked out in the user's working tree come from there, at their recorded commits.

    Raises:
        UsageError: the repository does not have the commit.
        UntrustedError: the patch does not fit the commit.
        MachineError: git cannot write the files.

    """
    if repository.resolve(f"{commit}^{{commit}}") is None:
        raise UsageError(f"commit {commit} is not in {repository.toplevel}", hint=_how_to_fetch(repository))
    with tempfile.TemporaryDirectory(prefix="envfreeze-") as scratch:
        git = with_scratch(repository, Path(scratch)).at(
            folder,
            GIT_DIR=str(repository.git_dir),
            GIT_WORK_TREE=str(folder),
            GIT_INDEX_FILE=str(Path(scratch, "index")),
        )
        git.run("read-tree", commit)
        if patch is not None:
            try:
                git.run("apply", "--cached", "-", stdin=patch)
            except GitError as error:
                raise UntrustedError(f"the recorded patch does not fit commit {commit}: {error}") from error
        git.run("-c", "core.sparseCheckout=false", "checkout-index", "--all", "--quiet")
        staged = git.run("ls-files", "-z", "--stage")
    for item in staged.split(b"\0"):
        if item.startswith(b"160000 "):
            facts, _, path = item.partition(b"\t")
            _submodule(repository, os.fsdecode(path), facts.decode().split()[1], folder, progress)


def _submodule(repository: Repository, path: str, commit: str, folder: Path, progress: Progress) -> None:
    here = repository.toplevel / path
    inner = Repository.find(here) if here.is_dir() else None
    if inner is None or inner.toplevel != here.resolve() or inner.resolve(f"{commit}^{{commit}}") is None:
        progress.warn(f"submodule {path} is not checked out at or beyond {commit}, and was left empty")
        return
    (folder / path).mkdir(parents=True, exist_ok=True)
    checkout(inner, commit, None, folder / path, progress)


def _how_to_fetch(repository: Repository) -> str:
    if repository.git.run("rev-parse", "--is-shallow-repository").strip() == b"true":
        return "git fetch --unshallow"
    return "fetch the branch it was on: git fetch --all --tags"
