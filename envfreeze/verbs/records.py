"""`records push`, `fetch` and `merge`: the records of a team in one repository."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.errors import UsageError
from envfreeze.records import share
from envfreeze.records.git import Repository

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from envfreeze.records.share import Shared


def push(root: Path, remote: str | None = None, *, patches: bool = False) -> Shared:
    """Push records, and the locks that no commit has, to a git remote.

    Args:
        root: a folder of the repository.
        remote: its name; None: the one that `git push` would take.
        patches: push the patches of uncommitted work as well.

    Raises:
        UsageError: there is no repository, or no such remote.
        NetworkError: the remote cannot be reached or does not take them.

    """
    return share.push(_repository(root), remote, patches=patches)


def fetch(root: Path, remote: str | None = None) -> Shared:
    """Fetch the records of a git remote and take them in; as `push`."""
    return share.fetch(_repository(root), remote)


def merge(root: Path, others: Sequence[str] = ()) -> Shared:
    """Take in records that are in the repository already, as after `git fetch`.

    Args:
        root: a folder of the repository.
        others: names of remotes whose records were fetched, or references to notes; none: all remotes.

    Raises:
        UsageError: there is no repository, or no such remote or reference.

    """
    return share.merge(_repository(root), others or None)


def configure(root: Path, remote: str | None = None) -> tuple[str, ...]:
    """Have every `git fetch` bring records along; gives the settings of git that were added."""
    return share.configure(_repository(root), remote)


def _repository(root: Path) -> Repository:
    found = Repository.find(root)
    if found is None:
        raise UsageError(
            f"{root} is in no git repository, and records are shared through one",
            hint="git init, or keep the records in a registry: [record] store",
        )
    return found
