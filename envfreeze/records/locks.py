"""The lock files of many builds at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.digest import Digest
from envfreeze.records import objects

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from envfreeze.records.git import Repository
    from envfreeze.records.listing import Entry


def contents(entries: Iterable[Entry], repository: Repository | None, root: Path) -> dict[Digest, bytes]:
    """Read the lock files of builds, each once, and hold them to their digests.

    Args:
        entries: the builds.
        repository: has the files that were kept; None: the project's folder may have them.
        root: the project's folder.

    Returns:
        Their bytes by their digests, without those that are not here.

    """
    wanted = {kept.digest: (name, kept.blob) for entry in entries for name, kept in entry.lock.items()}
    found: dict[Digest, bytes] = {}
    if repository is not None:
        blobs = sorted({blob for _, blob in wanted.values() if blob is not None})
        for content in objects.read(repository.git, blobs):
            if content is not None:
                found[Digest.of(content)] = content
    for digest, (name, blob) in wanted.items():
        if blob is None:
            content = _read(root / name)
            if content is not None and Digest.of(content) == digest:
                found[digest] = content
    return {digest: found[digest] for digest in wanted if digest in found}


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
