"""Where records live, and all that is done with them: the one door to this room for the verbs.

What a build starts from is an `Origin`'s matter, where lines stand a `Shelf`'s. A store reads every shelf
there is, and writes to those that the project's `[record] store` names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.progress import SILENT
from envfreeze.records import listing, search
from envfreeze.records.file_shelf import FILE, FileShelf
from envfreeze.records.folder_origin import FolderOrigin
from envfreeze.records.git import Repository
from envfreeze.records.git_origin import GitOrigin
from envfreeze.records.notes import NOTES
from envfreeze.records.notes_shelf import NotesShelf

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from envfreeze.digest import Digest
    from envfreeze.progress import Progress
    from envfreeze.records.listing import Entry, Listing
    from envfreeze.records.model import Record, Snapshot, Verification
    from envfreeze.records.origin import Origin
    from envfreeze.records.shelf import Shelf


@dataclass(frozen=True, slots=True)
class RecordStore:
    """The records of one project's repository.

    Methods raise MachineError where a place cannot be read or written.

    Attributes:
        origin: what builds start from.
        shelves: where lines are read.
        written: where lines are written.
        repository: that the project is in; None: it is in none.
        index: keeps what listing has learnt.
        progress: is warned of damaged lines and of what cannot be recorded.

    """

    origin: Origin
    shelves: tuple[Shelf, ...]
    written: tuple[Shelf, ...]
    repository: Repository | None
    index: Path | None
    progress: Progress

    @property
    def fetch_hint(self) -> str:
        """The command that may bring records others have made; empty where there is none."""
        return "" if self.repository is None else f"git fetch origin {NOTES}:{NOTES}"

    def snapshot(self, lock_files: Mapping[str, bytes], include: Sequence[str]) -> Snapshot:
        """Tell what a build is about to start from, as `Origin.snapshot`."""
        return self.origin.snapshot(lock_files, include)

    def restore(self, record: Record, folder: Path, attached: Mapping[Digest, bytes] | None = None) -> Path:
        """Bring back what a build started from, as `Origin.restore`."""
        return self.origin.restore(record, folder, attached)

    def add(self, record: Record) -> None:
        """Write down a build for good."""
        for shelf in self.written:
            shelf.add(record)

    def add_verification(self, verification: Verification) -> None:
        """Write down the outcome of a verification for good."""
        for shelf in self.written:
            shelf.add(verification)

    def publish(self, record: Record) -> str | None:
        """Carry a record to where others find it.

        What keeps it from getting there is a warning: the record is written all the same.

        Returns:
            The name of the git remote that has it now; None: it stays on this machine.

        """
        from envfreeze.records import share  # noqa: PLC0415 - only where something is shared

        if self.repository is None or record.source.commit is None:
            self.progress.warn(
                f"the record stays on this machine, in {FILE}: the project is in no git repository with a "
                "commit"
            )
            return None
        return share.to_remote(self.repository, record.source, self.progress)

    def listing(self) -> Listing:
        """List all that is recorded, in short; damaged lines are passed over with a warning."""
        found = listing.listed(self.shelves, self.index)
        for where, message in found.damaged:
            self.progress.warn(f"in {where}: {message}; it was passed over")
        return found

    def read(self, entries: Sequence[Entry]) -> tuple[Record, ...]:
        """Read builds of a listing whole, in their order."""
        return listing.records(self.shelves, entries)

    def records(self) -> Iterator[Record]:
        """Give every build, newest first; damaged lines are passed over with a warning."""
        return iter(self.read(self.listing().entries))

    def find(self, digest: Digest) -> tuple[Record, ...]:
        """Give the builds whose index, manifest or config has the digest, newest first.

        Raises:
            UntrustedError: a line that names the digest is damaged or of a newer schema, and no other
                line tells of that build.

        """
        return tuple(search.builds_of(self._naming(digest), digest))

    def verifications(self, digest: Digest) -> tuple[Verification, ...]:
        """Give the verifications of a build's digest (`Record.digest`), newest first."""
        return tuple(search.verifications_of(self._naming(digest), digest))

    def _naming(self, digest: Digest) -> Iterator[search.Line]:
        named = digest.hex.encode()
        for shelf in self.shelves:
            texts = shelf.texts(digest)
            for text, content in zip(texts, shelf.read(texts), strict=True):
                if named in content:
                    yield from search.split(content, text.where)


def open_store(root: Path, *, progress: Progress = SILENT) -> RecordStore:
    """Open the store of a project.

    Args:
        root: the project's folder.
        progress: is warned of damaged records and of what cannot be recorded.

    Raises:
        MachineError: the project is in a git repository that cannot be opened, or there is no git.

    """
    root = root.resolve()
    files = FileShelf(root)
    repository = Repository.find(root)
    if repository is None:
        return RecordStore(FolderOrigin(root), (files,), (files,), None, None, progress)
    notes = NotesShelf(repository, files, progress)
    return RecordStore(
        GitOrigin(root, repository, progress),
        (notes, files),
        (notes,),
        repository,
        repository.common_dir() / "envfreeze" / "records.json",
        progress,
    )
