"""`log`: what was built, from which commit, newest first."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

from envfreeze.errors import UsageError
from envfreeze.progress import SILENT
from envfreeze.records.git import Repository
from envfreeze.records.store import open_store

if TYPE_CHECKING:
    from pathlib import Path

    from envfreeze.digest import Digest
    from envfreeze.progress import Progress
    from envfreeze.records.model import Record

_ABBREVIATED = re.compile(r"[0-9a-f]{4,64}")
"""What may be the id of a commit that is recorded and not here, as in a shallow clone."""


def log(
    root: Path,
    *,
    digest: Digest | None = None,
    commit: str | None = None,
    limit: int | None = None,
    progress: Progress = SILENT,
) -> tuple[Record, ...]:
    """List the builds that are recorded.

    Args:
        root: a folder of the repository, or the project's folder where there is no repository.
        digest: only builds of this manifest, index or config.
        commit: only builds of this commit: a revision of the repository, or the beginning of an id.
        limit: at most so many.
        progress: is warned of records that are damaged.

    Raises:
        UsageError: there is no such commit.
        MachineError: git is missing or refuses the repository.

    """
    records = open_store(root, progress=progress).records()
    repository = None if commit is None else Repository.find(root)
    if repository is not None and commit is not None:
        known = repository.resolve(f"{commit}^{{commit}}")
        if known is None and not _ABBREVIATED.fullmatch(commit):
            raise UsageError(f"{commit!r} is no commit of this repository")
        commit = known or commit
    chosen = (
        record
        for record in records
        if (digest is None or record.names(digest))
        and (commit is None or (record.source.commit or "").startswith(commit))
    )
    return tuple(itertools.islice(chosen, limit))
