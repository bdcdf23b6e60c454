"""Bytes kept as git objects that `git gc` never drops: lock files, and patches of uncommitted work.

The files of one build become a tree, and `refs/envfreeze/kept/<id of the tree>` points at it. A reference
named by its own content never changes and so never clashes, neither between builds at the same time nor
between clones that fetch from each other; one common reference would need a merge that git cannot do.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, NamedTuple

from envfreeze.digest import Digest
from envfreeze.errors import UntrustedError, UsageError
from envfreeze.records import refs, trees
from envfreeze.records.git import GitError
from envfreeze.records.model import KeptFile
from envfreeze.records.trees import TreeEntry

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from envfreeze.records.git import Repository

_TRIES = 10

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


class Held(NamedTuple):
    """A reference that holds the files of a build, and whether a patch is among them."""

    name: str
    has_patch: bool


def references(repository: Repository) -> list[Held]:
    """List what is held, by name."""
    names = repository.git.run("for-each-ref", "--format=%(refname)", KEPT).decode().split()
    asked = "".join(f"{name}:patch\n" for name in names).encode()
    answers = repository.git.run("cat-file", "--batch-check", stdin=asked).splitlines() if names else []
    return [Held(name, not answer.endswith(b" missing")) for name, answer in zip(names, answers, strict=True)]


def adopt(repository: Repository, remotes: Collection[str] | None = None) -> int:
    """Hold what was fetched from others as our own is held; gives how many builds' files are new.

    Args:
        repository: the repository.
        remotes: names of the remotes whose files are taken; None: all.

    Raises:
        MachineError: it cannot be written.

    """
    listed = repository.git.run(
        "for-each-ref", "--format=%(refname) %(objectname) %(objecttype)", KEPT.rpartition("/")[0]
    )
    ours: set[str] = set()
    theirs: set[str] = set()
    for row in listed.decode(errors="surrogateescape").splitlines():
        reference, id_, kind = row.rsplit(" ", 2)
        folder, _, name = reference.rpartition("/")
        if name != id_ or kind != "tree":
            continue  # a reference that says something else than it holds is nobody's
        remote = folder.removeprefix(KEPT.rpartition("/")[0]).strip("/")
        if folder == KEPT:
            ours.add(id_)
        elif remotes is None or remote in remotes:
            theirs.add(id_)
    new = sorted(theirs - ours)
    if new:
        # Without their old values: whoever else does this at the same moment writes the same.
        commands = "".join(f"update {KEPT}/{id_} {id_}\n" for id_ in new)
        _write(repository, commands.encode())
    return len(new)


def _write(repository: Repository, commands: bytes) -> None:
    for attempt in range(1, _TRIES + 1):
        try:
            repository.git.run("update-ref", "--stdin", stdin=commands)
        except GitError as error:
            if attempt == _TRIES or "cannot lock ref" not in error.stderr:
                raise
            time.sleep(random.uniform(0, 0.1 * attempt))  # noqa: S311 - so that those who clashed do not again
        else:
            return


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
