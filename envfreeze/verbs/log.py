"""`log`: what was built, from which commit, newest first."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from envfreeze.records.store import open_store

if TYPE_CHECKING:
    from pathlib import Path

    from envfreeze.digest import Digest
    from envfreeze.records.model import Record


def log(
    root: Path, *, digest: Digest | None = None, commit: str | None = None, limit: int | None = None
) -> tuple[Record, ...]:
    """List the builds that are recorded.

    Args:
        root: a folder of the repository, or the project's folder where there is no repository.
        digest: only builds of this manifest, index or config.
        commit: only builds of this commit; the beginning of its id is enough.
        limit: at most so many.

    Raises:
        MachineError: git is missing or refuses the repository.

    """
    records = open_store(root).records()
    chosen = (
        record
        for record in records
        if (digest is None or record.names(digest))
        and (commit is None or (record.source.commit or "").startswith(commit))
    )
    return tuple(itertools.islice(chosen, limit))
