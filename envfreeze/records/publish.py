"""Records to the git remote: the notes, merged with what others have pushed, and locks that no commit has."""

from __future__ import annotations

import random
import re
import time
import uuid
from typing import TYPE_CHECKING

from envfreeze.errors import MachineError
from envfreeze.records import kept, refs
from envfreeze.records.git import GitError
from envfreeze.records.notes import NOTES

if TYPE_CHECKING:
    from envfreeze.progress import Progress
    from envfreeze.records.git import Repository
    from envfreeze.records.model import Snapshot

_TRIES = 8
_BEHIND = re.compile(r"non-fast-forward|fetch first|stale info|cannot lock ref|failed to update ref")
_CREDENTIALS = re.compile(r"://[^/@\s]+@")


def to_remote(repository: Repository, source: Snapshot, progress: Progress) -> str | None:
    """Push the notes of a repository, and what keeps the lock of a build.

    A patch of uncommitted work is not pushed: who builds may not want to publish it.

    Args:
        repository: the repository.
        source: what the build started from.
        progress: is warned of what could not be pushed.

    Returns:
        The remote's name; None: nothing was pushed.

    """
    remote = remote_of(repository)
    if remote is None:
        progress.warn("the record stays on this machine: its repository has no remote, or none that is meant")
        return None
    references = [NOTES]
    held = kept.held(repository, source.lock, source.patch)
    if held is not None and source.patch is None:
        references.append(held)
    try:
        _push(repository, remote, references)
    except MachineError as error:
        reason = _CREDENTIALS.sub("://", error.message)
        command = " ".join(["git push", remote, *references])
        progress.warn(f"the record stays on this machine, {remote} did not take it: {reason} ({command})")
        return None
    if source.patch is not None:
        progress.warn(
            f"the record is at {remote} without the patch of what was not committed, so only this machine "
            f"can verify the build (git push {remote} {held})"
        )
    return remote


def remote_of(repository: Repository) -> str | None:
    """The remote that `git push` would take, else `origin`, else the only one; None: there is none."""
    git = repository.git
    names = git.run("remote").decode(errors="surrogateescape").split()
    branch = git.ask("symbolic-ref", "--quiet", "--short", "HEAD")
    keys = ["remote.pushDefault"]
    if branch is not None:
        own = branch.decode(errors="surrogateescape").strip()
        keys = [f"branch.{own}.pushRemote", *keys, f"branch.{own}.remote"]
    configured = [git.ask("config", "--get", key) for key in keys]
    wanted = [name.decode(errors="surrogateescape").strip() for name in configured if name is not None]
    for name in (*wanted, "origin", *(names if len(names) == 1 else [])):
        if name in names:
            return name
    return None


def _push(repository: Repository, remote: str, references: list[str]) -> None:
    """Push, and merge first what others have pushed meanwhile."""
    for attempt in range(1, _TRIES + 1):
        try:
            repository.git.run("push", "--quiet", remote, *(f"{name}:{name}" for name in references))
        except GitError as error:
            if attempt == _TRIES or not _BEHIND.search(error.stderr):
                raise
            time.sleep(random.uniform(0, 0.1 * attempt))  # noqa: S311 - so that those who clashed do not again
            _merge(repository, remote)
        else:
            return


def _merge(repository: Repository, remote: str) -> None:
    """Take the remote's notes in: all lines of both sides, each once.

    `git notes merge` would overwrite a line that a build adds at the same moment, so it works on a reference
    of its own, and ours then moves by compare-and-swap.
    """
    git = repository.committer()
    theirs = f"refs/notes/{remote}/envfreeze"
    git.run("fetch", "--quiet", "--no-tags", remote, f"+{NOTES}:{theirs}")

    def merged(ours: str | None) -> str:
        if ours is None:
            return git.run("rev-parse", theirs).decode().strip()
        scratch = f"{NOTES}-merge-{uuid.uuid4().hex}"
        git.run("update-ref", scratch, ours)
        try:
            git.run("notes", f"--ref={scratch}", "merge", "--quiet", "--strategy=cat_sort_uniq", theirs)
            return git.run("rev-parse", scratch).decode().strip()
        finally:
            git.run("update-ref", "-d", scratch)

    refs.change(repository, NOTES, merged)
