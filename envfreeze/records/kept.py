"""Bytes kept as git objects that `git gc` never drops: lock files, and patches of uncommitted work.

The files of one build become a tree, and `refs/envfreeze/kept/<id of the tree>` points at it. A reference
named by its own content never changes and so never clashes, neither between builds at the same time nor
between clones that fetch from each other; one common reference would need a merge that git cannot do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.digest import Digest
from envfreeze.errors import UntrustedError, UsageError
from envfreeze.records import refs, trees
from envfreeze.records.model import KeptFile
from envfreeze.records.trees import TreeEntry

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from envfreeze.records.git import Repository

KEPT = "refs/envfreeze/kept"

FETCH = "git fetch origin '+refs/envfreeze/kept/*:refs/envfreeze/origin/*'"
"""Fetches what others have kept, to where a fetch that prunes cannot remove what only we have."""


def write(repository: Repository, files: Mapping[str, Path]) -> dict[str, KeptFile]:
    """Write files into the object store, exactly as they are.

    They stay there for good only once `hold` was called, or where a commit has them.
    """
    paths = list(files.values())
    listed = "".join(f"{path}\n" for path in paths).encode()
    ids = repository.git.run("hash-object", "-w", "--no-filters", "--stdin-paths", stdin=listed).split()
    return {
        name: KeptFile(Digest.of_file(path), id_.decode())
        for (name, path), id_ in zip(files.items(), ids, strict=True)
    }


def hold(repository: Repository, lock: Mapping[str, KeptFile], patch: KeptFile | None) -> None:
    """Make what was written reachable: a tree of `lock/<name>` and `patch`."""
    tree = _tree(repository, lock, patch)
    refs.change(repository, f"{KEPT}/{tree}", lambda _: tree)


def held(repository: Repository, lock: Mapping[str, KeptFile], patch: KeptFile | None) -> str | None:
    """The reference by which `hold` made these files reachable; None: it did not."""
    reference = f"{KEPT}/{_tree(repository, lock, patch)}"
    return None if repository.resolve(reference) is None else reference


def _tree(repository: Repository, lock: Mapping[str, KeptFile], patch: KeptFile | None) -> str:
    git = repository.git
    entries = []
    if lock:
        names = trees.make(git, (_entry(name, kept) for name, kept in lock.items()))
        entries.append(TreeEntry("040000", "tree", names, None, "lock"))
    if patch is not None:
        entries.append(_entry("patch", patch))
    return trees.make(git, entries)


def read(repository: Repository, kept: KeptFile, name: str) -> bytes:
    """Read a kept file and check that it is the one that was kept.

    Raises:
        UsageError: this clone does not have it.
        UntrustedError: it is not what the record says.

    """
    if kept.blob is None or repository.git.ask("cat-file", "-e", kept.blob) is None:
        raise UsageError(f"the recorded {name} ({kept.digest}) is not in this clone", hint=FETCH)
    content = repository.git.run("cat-file", "blob", kept.blob)
    if Digest.of(content) != kept.digest:
        raise UntrustedError(
            f"the recorded {name} should be {kept.digest}, and git object {kept.blob} is {Digest.of(content)}"
        )
    return content


def _entry(name: str, kept: KeptFile) -> TreeEntry:
    return TreeEntry("100644", "blob", str(kept.blob), None, name)
