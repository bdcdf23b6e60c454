"""Two sides' notes become one: of every commit all lines of both, each once.

The lines of a place are a set (docs/formats/record-1.md) that only grows, so their union is the one right
merge: whichever side merges, in whatever order and however often, the same lines come out, byte for byte.
There is no conflict, no base that a shallow clone would have to have, and no working tree.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from envfreeze.errors import MachineError, UntrustedError
from envfreeze.records import objects, refs, trees
from envfreeze.records.notes import NOTES, is_commit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from envfreeze.records.git import Git, Repository

_MESSAGE = b"Merge records\n"


def union(texts: Iterable[bytes]) -> bytes:
    """Merge notes of one commit: texts that are all the same stay so, else their lines are sorted."""
    different = set(texts)
    if len(different) == 1:
        return different.pop()
    lines = {line for text in different for line in text.split(b"\n") if line.strip()}
    return b"".join(line + b"\n" for line in sorted(lines))


def merge(repository: Repository, theirs: str) -> bool:
    """Take another side's notes in, without losing what is added at the same moment.

    Args:
        repository: whose notes they become part of.
        theirs: a commit of notes, or a reference to one.

    Returns:
        Whether there was anything new.

    Raises:
        MachineError: it cannot be written.
        UntrustedError: a note is missing.

    """
    git = repository.committer()
    other = repository.resolve(f"{theirs}^{{commit}}")
    if other is None:
        return False
    moved = False

    def merged(ours: str | None) -> str:
        nonlocal moved
        new = _merged(git, ours, other)
        moved = new != ours
        return new

    refs.change(repository, NOTES, merged)
    return moved


def _merged(git: Git, ours: str | None, theirs: str) -> str:
    """The commit of notes that has both sides' lines."""
    if ours is None or _leads_to(git, ours, theirs):
        return theirs
    if _leads_to(git, theirs, ours):
        return ours
    tree = _union_of(git, ours, theirs)
    return git.run("commit-tree", tree, "-p", ours, "-p", theirs, stdin=_MESSAGE).decode().strip()


def _leads_to(git: Git, old: str, new: str) -> bool:
    return git.ask("merge-base", "--is-ancestor", old, new) is not None


def _union_of(git: Git, *sides: str) -> str:
    """Write the tree of all notes, each in a folder of its commit's first two characters."""
    blobs: dict[str, set[str]] = {}
    for side in sides:
        for entry in trees.listing(git, side, recurse=True):
            commit = entry.name.replace("/", "")
            if entry.kind == "blob" and is_commit(commit):
                blobs.setdefault(commit, set()).add(entry.id)
    merged = {commit: ids.copy().pop() for commit, ids in blobs.items() if len(ids) == 1}
    merged |= _unions(git, {commit: ids for commit, ids in blobs.items() if len(ids) > 1})
    return trees.make_folders(git, {f"{commit[:2]}/{commit[2:]}": blob for commit, blob in merged.items()})


def _unions(git: Git, notes: Mapping[str, set[str]]) -> dict[str, str]:
    """Write the merged note of every commit that has several, and give its id."""
    ids = sorted({blob for several in notes.values() for blob in several})
    texts = dict(zip(ids, objects.read(git, ids), strict=True))
    if missing := [blob for blob, text in texts.items() if text is None]:
        raise UntrustedError(f"git object {missing[0]} is missing: the notes are damaged", hint="git fsck")
    commits = sorted(notes)
    try:
        with tempfile.TemporaryDirectory(prefix="envfreeze-") as scratch:
            paths = [Path(scratch, commit) for commit in commits]
            for commit, path in zip(commits, paths, strict=True):
                path.write_bytes(union(text for blob in notes[commit] if (text := texts[blob]) is not None))
            listed = "".join(f"{path}\n" for path in paths).encode()
            written = git.run("hash-object", "-w", "--no-filters", "--stdin-paths", stdin=listed).split()
    except OSError as error:
        raise MachineError(
            f"records could not be merged in {tempfile.gettempdir()}: {error.strerror}",
            hint="free some space there, or set TMPDIR to a folder with more",
        ) from error
    return {commit: blob.decode() for commit, blob in zip(commits, written, strict=True)}
