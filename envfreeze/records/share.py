"""Records to a git remote and from it: notes merged with what others have, and the locks that no commit has.

What is fetched goes to references of its own (`refs/notes/<remote>/envfreeze`, `refs/envfreeze/<remote>/*`),
since a fetch with `--prune` removes what the other side does not have; ours take it in by compare-and-swap.
"""

from __future__ import annotations

import random
import re
import time
from typing import TYPE_CHECKING, NamedTuple

from envfreeze.errors import MachineError, NetworkError, UsageError
from envfreeze.records import kept, merging
from envfreeze.records.git import GitError
from envfreeze.records.notes import NOTES
from envfreeze.records.patch import changed_files

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envfreeze.progress import Progress
    from envfreeze.records.git import Repository
    from envfreeze.records.model import KeptFile, Snapshot

_TRIES = 12
_BEHIND = re.compile(r"non-fast-forward|fetch first|stale info|cannot lock ref|failed to update ref")
_SHOWN = 5
_LOCKED = re.compile(r"cannot lock ref|unable to update local ref|Unable to create '.*\.lock'")
_CREDENTIALS = re.compile(r"://[^/@\s]+@")
_OURS = kept.KEPT.rpartition("/")[2]
_FETCHED = re.compile(r"refs/notes/.+/envfreeze")


class Shared(NamedTuple):
    """What was taken in or given out.

    Attributes:
        remotes: names of the git remotes.
        notes: whether that side's notes were changed.
        kept: how many locks or patches that no commit has came along.

    """

    remotes: tuple[str, ...]
    notes: bool
    kept: int


def to_remote(repository: Repository, source: Snapshot, progress: Progress) -> str | None:
    """Push the notes of a repository, and what keeps the lock of a build.

    A patch of uncommitted work is not pushed, since there may be a secret in it: the warning names its files,
    and `push` with `patches`, or git, publishes it.

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
        changed = _changed(repository, source.patch)
        progress.warn(
            f"the record is at {remote} without what was not committed in {changed}, so only this machine "
            f"can verify the build; where that is no secret, publish it (git push {remote} {held})"
        )
    return remote


def _changed(repository: Repository, patch: KeptFile) -> str:
    """The files that a patch of uncommitted work changes, some of them by name."""
    names = changed_files(repository.git, kept.read(repository, patch, "patch"))
    shown = names[:_SHOWN]
    more = f" and {len(names) - len(shown)} more" if names[_SHOWN:] else ""
    return ", ".join(shown) + more


def push(repository: Repository, remote: str | None = None, *, patches: bool = False) -> Shared:
    """Push all records and the locks that no commit has; what others have pushed is merged first.

    Args:
        repository: the repository.
        remote: a git remote's name; None: the one that `git push` would take.
        patches: push the patches of uncommitted work as well.

    Raises:
        UsageError: there is no such remote, or none that is meant.
        NetworkError: the remote cannot be reached or does not take them.

    """
    name = _named(repository, remote)
    held = kept.references(repository)
    references = [one.name for one in held if patches or not one.has_patch]
    if repository.resolve(NOTES) is None:
        return Shared((name,), notes=False, kept=0)
    try:
        sent = _push(repository, name, [NOTES, *references])
    except GitError as error:
        raise _unreachable(name, error) from error
    return Shared((name,), NOTES in sent, len(sent - {NOTES}))


def fetch(repository: Repository, remote: str | None = None) -> Shared:
    """Fetch the records that a remote has, and take them in.

    Args:
        repository: the repository.
        remote: a git remote's name; None: the one that `git push` would take.

    Raises:
        UsageError: there is no such remote, or none that is meant.
        NetworkError: the remote cannot be reached.

    """
    name = _named(repository, remote)
    try:
        _fetch(repository, name)
    except GitError as error:
        raise _unreachable(name, error) from error
    return merge(repository, [_tracking(name)], remotes=(name,))


def fetch_commit(repository: Repository, commit: str) -> bool:
    """Fetch one commit, where the remote gives out single ones; whether it is here now."""
    remote = remote_of(repository)
    if remote is None:
        return False
    shallow = repository.git.run("rev-parse", "--is-shallow-repository").strip() == b"true"
    try:
        repository.git.run("fetch", "--quiet", "--no-tags", *["--depth=1"] * shallow, remote, commit)
    except GitError:
        return False
    return repository.resolve(f"{commit}^{{commit}}") is not None


def merge(
    repository: Repository, others: Sequence[str] | None = None, *, remotes: tuple[str, ...] | None = None
) -> Shared:
    """Take in notes and kept files that are in this repository already, as after `git fetch`.

    Args:
        repository: the repository.
        others: references or commits of notes; None: those that were fetched, of every remote.
        remotes: the remotes whose kept files are taken in; None: all.

    Raises:
        UsageError: there is no such reference.
        MachineError: it cannot be written.

    """
    if others is None:
        listed = repository.git.run("for-each-ref", "--format=%(refname)", "refs/notes").decode().split()
        others = [name for name in listed if _FETCHED.fullmatch(name)]
    else:
        others = [_notes_named(repository, other) for other in others]
    changed = [merging.merge(repository, other) for other in others if other]
    adopted = kept.adopt(repository, remotes)
    names = tuple(other.removeprefix("refs/notes/").removesuffix("/envfreeze") for other in others if other)
    return Shared(names if remotes is None else remotes, any(changed), adopted)


def configure(repository: Repository, remote: str | None = None) -> tuple[str, ...]:
    """Have every `git fetch` of a remote bring records along; gives the settings that were added.

    Raises:
        UsageError: there is no such remote, or none that is meant.
        MachineError: the configuration cannot be written.

    """
    name = _named(repository, remote)
    git = repository.git
    answer = git.ask("config", "--get-all", f"remote.{name}.fetch") or b""
    there = answer.decode(errors="surrogateescape").split("\n")
    added = []
    for refspec in _refspecs(name):
        if refspec not in there:
            git.run("config", "--add", f"remote.{name}.fetch", refspec)
            added.append(f"remote.{name}.fetch={refspec}")
    return tuple(added)


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


def _named(repository: Repository, remote: str | None) -> str:
    there = repository.git.run("remote").decode(errors="surrogateescape").split()
    found = remote_of(repository) if remote is None else remote
    if found is None:
        raise UsageError(
            "this repository has no git remote to share records with, or several and none that is meant",
            hint="name it, or add one: git remote add origin URL",
        )
    if found not in there:
        raise UsageError(
            f"{found!r} is no git remote of this repository",
            hint=f"it has {', '.join(there)}" if there else "git remote add origin URL",
        )
    if found == _OURS:
        raise UsageError(
            f"records cannot be fetched from a remote called {_OURS}: this repository's own are there",
            hint=f"git remote rename {_OURS} another-name",
        )
    return found


def _notes_named(repository: Repository, other: str) -> str:
    """The reference or commit that is meant: as it stands, or the fetched notes of a remote of that name."""
    if not other.startswith("-"):
        for name in (f"refs/notes/{other}/envfreeze", other):
            if repository.resolve(f"{name}^{{commit}}") is not None:
                return name
    if other.startswith("refs/notes/"):
        return ""  # of a remote that has no records
    raise UsageError(
        f"{other!r} is no remote whose records were fetched, and no reference",
        hint="envfreeze records fetch",
    )


def _push(repository: Repository, remote: str, references: Sequence[str]) -> set[str]:
    """Push, and merge first what others have pushed meanwhile; gives the references that moved there."""
    for attempt in range(1, _TRIES + 1):
        try:
            told = repository.git.run(
                "push", "--porcelain", remote, *(f"{name}:{name}" for name in references)
            )
        except GitError as error:
            if attempt == _TRIES or not _BEHIND.search(error.stderr):
                raise
            time.sleep(random.uniform(0, 0.1 * attempt))  # noqa: S311 - so that those who clashed do not again
            _fetch(repository, remote)
            merging.merge(repository, _tracking(remote))
        else:
            rows = [line.split("\t") for line in told.decode(errors="replace").splitlines()]
            return {row[1].partition(":")[0] for row in rows if len(row) > 1 and row[0] != "="}
    return set()


def _fetch(repository: Repository, remote: str) -> None:
    """Bring the remote's notes and kept files to the references that stand for them here."""
    for attempt in range(1, _TRIES + 1):
        try:
            repository.git.run("fetch", "--quiet", "--no-tags", remote, *_refspecs(remote))
        except GitError as error:
            # Another of us fetches in this clone at the same moment, and moves the same references.
            if attempt == _TRIES or not _LOCKED.search(error.stderr):
                raise
            time.sleep(random.uniform(0, 0.1 * attempt))  # noqa: S311 - so that those who clashed do not again
        else:
            return


def _refspecs(remote: str) -> tuple[str, str]:
    """What is fetched, and where to: patterns, so that a remote without records is no error."""
    return f"+{NOTES}*:{_tracking(remote)}*", f"+{kept.KEPT}/*:refs/envfreeze/{remote}/*"


def _tracking(remote: str) -> str:
    return f"refs/notes/{remote}/envfreeze"


def _unreachable(remote: str, error: GitError) -> NetworkError:
    reason = _CREDENTIALS.sub("://", error.message)
    return NetworkError(
        f"records cannot be shared with {remote}: {reason}",
        hint=error.hint or f"git ls-remote {remote} tells whether it can be reached",
    )
