"""Lines in git notes: `refs/notes/envfreeze` has, for each commit, a note of one record per line.

Written without `git notes`, of which eight at once keep three or four of eight lines, and without a working
tree or an index. What git's own `git notes` (and a merge of two people's notes) makes of the tree is read
as well: a note's path is the commit's id with slashes anywhere after an even number of characters.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envfreeze.errors import UntrustedError
from envfreeze.records import objects, refs, trees
from envfreeze.records.trees import TreeEntry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envfreeze.progress import Progress
    from envfreeze.records.git import Git, Repository

NOTES = "refs/notes/envfreeze"

LIMIT = 64 << 20
"""A note of more bytes is nobody's records."""

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def is_commit(name: str) -> bool:
    """Whether a note's path, without its slashes, is the id of a commit."""
    return _COMMIT.fullmatch(name) is not None


def append(repository: Repository, commit: str, line: bytes) -> None:
    """Add a line to a commit's note, without losing what others add at the same moment.

    Raises:
        MachineError: it cannot be written.

    """
    git = repository.committer()

    def with_line(old: str | None) -> str:
        tree = _with_line(git, old, commit, line)
        parents = [] if old is None else ["-p", old]
        return git.run("commit-tree", tree, *parents, stdin=b"Record a build\n").decode().strip()

    refs.change(repository, NOTES, with_line)


def listed(repository: Repository, progress: Progress) -> list[tuple[str, str]]:
    """Name the notes, in no particular order: the commit, and the blob that is its note."""
    notes = repository.resolve(NOTES)
    if notes is None:
        return []
    return of_tree(repository.git, notes, progress)


def of_tree(git: Git, tree: str, progress: Progress) -> list[tuple[str, str]]:
    """Name the notes of a tree; a commit may stand there twice, under different folders."""
    found = []
    for entry in trees.listing(git, tree, recurse=True):
        commit = entry.name.replace("/", "")
        if entry.kind != "blob" or not is_commit(commit):
            continue
        if entry.size is None or entry.size > LIMIT:
            progress.warn(f"the note of commit {commit} is {entry.size} bytes long and was passed over")
            continue
        found.append((commit, entry.id))
    return found


def contents(git: Git, ids: list[str]) -> Iterator[bytes]:
    """Read many notes at once, in the order of their ids."""
    for id_, content in zip(ids, objects.read(git, ids), strict=True):
        if content is None:
            raise UntrustedError(f"git object {id_} is missing: the repository is damaged", hint="git fsck")
        yield content


def _with_line(git: Git, tree: str | None, name: str, line: bytes) -> str:
    """Give the id of a tree in which the note of that name has one line more.

    `name` is what is left of the commit's id below this tree. A new note goes into a folder of two
    characters, so that a line costs the same however many notes there are.
    """
    entries = [] if tree is None else trees.listing(git, tree)
    note = next((entry for entry in entries if entry.kind == "blob" and entry.name == name), None)
    folder = next((entry for entry in entries if entry.kind == "tree" and entry.name == name[:2]), None)
    if note is None and (folder is not None or len(name) in (40, 64)):
        below = _with_line(git, folder.id if folder else None, name[2:], line)
        changed = TreeEntry("040000", "tree", below, None, name[:2])
    else:
        text = b"" if note is None else git.run("cat-file", "blob", note.id)
        if text and not text.endswith(b"\n"):
            text += b"\n"
        blob = git.run("hash-object", "-w", "--stdin", stdin=text + line + b"\n").decode().strip()
        changed = TreeEntry("100644", "blob", blob, None, name)
    return trees.make(git, [*(entry for entry in entries if entry.name != changed.name), changed])
