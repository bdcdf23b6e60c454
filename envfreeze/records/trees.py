"""Git's tree objects: reading their entries and making new ones."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from envfreeze.records.git import Git


class TreeEntry(NamedTuple):
    """An entry of a tree; `name` is a path where a tree was listed with its subtrees."""

    mode: str
    kind: str
    id: str
    size: int | None
    name: str


def listing(git: Git, tree: str, *paths: str, recurse: bool = False) -> list[TreeEntry]:
    """List a tree's entries: all, or those at paths from its root.

    Args:
        git: of the repository.
        tree: a tree, or a commit.
        paths: pathspecs.
        recurse: list what is in subtrees instead of the subtrees.

    """
    options = ["--full-tree", "-z", "-l"] + ["-r"] * recurse
    entries = []
    for item in git.run("ls-tree", *options, tree, "--", *paths).split(b"\0"):
        if item:
            facts, _, name = item.partition(b"\t")
            mode, kind, id_, size = facts.decode().split()
            entries.append(TreeEntry(mode, kind, id_, int(size) if size != "-" else None, os.fsdecode(name)))
    return entries


def make(git: Git, entries: Iterable[TreeEntry]) -> str:
    """Write a tree of one level and give its id."""
    text = b"".join(
        f"{entry.mode} {entry.kind} {entry.id}\t".encode() + os.fsencode(entry.name) + b"\0"
        for entry in entries
    )
    return git.run("mktree", "-z", stdin=text).decode().strip()


def make_folders(git: Git, blobs: Mapping[str, str]) -> str:
    """Write a tree of files that all lie in folders of one level, and give its id.

    Args:
        git: of the repository.
        blobs: `folder/name` of each file to the id of its blob; nothing in them is special to git.

    """
    folders: dict[str, list[str]] = {}
    for path, blob in sorted(blobs.items()):
        folder, _, name = path.partition("/")
        folders.setdefault(folder, []).append(f"100644 blob {blob}\t{name}\n")
    if not folders:
        return make(git, ())
    batch = "\n".join("".join(rows) for rows in folders.values()).encode()
    ids = git.run("mktree", "--batch", stdin=batch).decode().split()
    return make(
        git,
        (TreeEntry("040000", "tree", id_, None, folder) for folder, id_ in zip(folders, ids, strict=True)),
    )
