"""Records in git notes, each on the commit that was built; each note is a text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.records import lines, notes
from envfreeze.records.shelf import Text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from envfreeze.digest import Digest
    from envfreeze.progress import Progress
    from envfreeze.records.file_shelf import FileShelf
    from envfreeze.records.git import Repository
    from envfreeze.records.model import Record, Verification


@dataclass(frozen=True, slots=True)
class NotesShelf:
    """A `Shelf` that is the notes of a repository.

    Attributes:
        repository: whose notes.
        files: takes what belongs to no commit.
        progress: is warned of notes that are nobody's records.

    """

    repository: Repository
    files: FileShelf
    progress: Progress

    @property
    def name(self) -> str:
        """What `[record] store` calls it."""
        return "notes"

    def add(self, value: Record | Verification) -> None:
        """Append a line to the note of the commit that was built or verified."""
        commit = value.commit
        if commit is None:
            self.files.add(value)
        else:
            notes.append(self.repository, commit, lines.render(value))

    def texts(self, digest: Digest | None = None) -> Sequence[Text]:  # noqa: ARG002 - a note's name says nothing
        """Name all notes."""
        listed = notes.listed(self.repository, self.progress)
        return [Text(self.name, blob, f"the note of commit {commit}") for commit, blob in listed]

    def read(self, texts: Sequence[Text]) -> Iterator[bytes]:
        """Read notes."""
        return notes.contents(self.repository.git, [text.id for text in texts])
