"""Where records live, and all that is done with them: the one door to this room for the verbs.

What a build starts from is an `Origin`'s matter, where lines stand a `Shelf`'s. A store reads every shelf
there is, and writes to those that the project's `[record] store` names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.errors import EnvfreezeError
from envfreeze.progress import SILENT
from envfreeze.records import listing, search
from envfreeze.records.file_shelf import FILE, FileShelf
from envfreeze.records.folder_origin import FolderOrigin
from envfreeze.records.git import Repository
from envfreeze.records.git_origin import GitOrigin
from envfreeze.records.notes import NOTES
from envfreeze.records.notes_shelf import NotesShelf

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from envfreeze.digest import Digest
    from envfreeze.progress import Progress
    from envfreeze.records.listing import Entry, Listing
    from envfreeze.records.model import Record, Snapshot, Verification
    from envfreeze.records.origin import Origin
    from envfreeze.records.registry_shelf import RegistryShelf
    from envfreeze.records.shelf import Shelf


@dataclass(frozen=True, slots=True)
class RecordStore:
    """The records of one project's repository.

    Methods raise MachineError where a place cannot be read or written.

    Attributes:
        origin: what builds start from.
        shelves: where lines are read.
        written: where lines are written.
        registry: where records are attached to images; None: no registry is asked.
        attaches: whether records are attached, and not only looked for there.
        repository: that the project is in; None: it is in none.
        index: keeps what listing has learnt.
        progress: is warned of damaged lines and of what cannot be recorded.

    """

    origin: Origin
    shelves: tuple[Shelf, ...]
    written: tuple[Shelf, ...]
    registry: RegistryShelf | None
    attaches: bool
    repository: Repository | None
    index: Path | None
    progress: Progress

    @property
    def fetch_hint(self) -> str:
        """The command that may bring records others have made; empty where there is none."""
        return "" if self.repository is None else f"git fetch origin {NOTES}:{NOTES}"

    def _see_to_merges(self) -> None:
        """Have git merge a committed file of records line by line."""
        from envfreeze.records import attributes  # noqa: PLC0415 - only where there is such a file

        files = [shelf for shelf in self.written if isinstance(shelf, FileShelf)]
        if (
            self.repository is not None
            and files
            and attributes.merge_by_lines(self.repository, files[0].path)
        ):
            self.progress.warn(
                f"{FILE} is new here; .gitattributes says now that git merges it line by line: commit both"
            )

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
        self._see_to_merges()

    def add_verification(self, verification: Verification) -> None:
        """Write down the outcome of a verification for good, and attach it where records are attached.

        That a registry does not take it is a warning.
        """
        for shelf in self.written:
            shelf.add(verification)
        self._see_to_merges()
        if self.registry is not None and self.attaches:
            try:
                self.registry.add(verification)
            except EnvfreezeError as error:
                self.progress.warn(f"the outcome is not attached to the image: {error.message}")

    def attach(self, record: Record, lock_files: Mapping[str, bytes]) -> None:
        """Attach a record to the image that was pushed, with its lock.

        What keeps it from getting there is a warning.
        """
        if self.registry is None:
            return
        try:
            self.registry.attach(record, [lock_files[name] for name in sorted(record.source.lock)])
        except EnvfreezeError as error:
            self.progress.warn(f"the image is pushed, and its record is not attached to it: {error.message}")

    def attached(self, record: Record) -> Mapping[Digest, bytes]:
        """The lock files that a registry has with a record, by their digests; {} where there is none.

        Raises:
            NetworkError: they cannot be had.
            UntrustedError: they are not what was attached.

        """
        return {} if self.registry is None else self.registry.locks(record)

    def fetch(self) -> str | None:
        """Fetch the records of the git remote and take them in.

        Returns:
            The remote's name; None: there is none.

        Raises:
            NetworkError: it cannot be reached.

        """
        from envfreeze.records import share  # noqa: PLC0415 - only where something is shared

        if self.repository is None or share.remote_of(self.repository) is None:
            return None
        return share.fetch(self.repository).remotes[0]

    def publish(self, record: Record) -> str | None:
        """Carry a record to where others find it.

        What keeps it from getting there is a warning: the record is written all the same.

        Returns:
            The name of the git remote that has it now; None: it stays on this machine.

        """
        from envfreeze.records import share  # noqa: PLC0415 - only where something is shared

        if not self.written:
            return None
        if self.repository is None or record.source.commit is None:
            self.progress.warn(
                f"the record stays on this machine, in {FILE}: the project is in no git repository with a "
                "commit"
            )
            return None
        if not any(isinstance(shelf, NotesShelf) for shelf in self.written):
            return None  # the file is committed and pushed with all else
        return share.to_remote(self.repository, record.source, self.progress)

    def fetch_commit(self, record: Record) -> bool:
        """Fetch the commit of a build from the git remote; whether it was missing and is here now."""
        from envfreeze.records import share  # noqa: PLC0415 - only where something is shared

        commit = record.source.commit
        if self.repository is None or commit is None:
            return False
        if self.repository.resolve(f"{commit}^{{commit}}") is not None:
            return False
        return share.fetch_commit(self.repository, commit)

    def listing(self) -> Listing:
        """List all that is recorded, in short; damaged lines are passed over with a warning."""
        shelves = [*self.shelves, *([self.registry] if self.registry and not self.written else [])]
        found = listing.listed(shelves, self.index)
        for where, message in found.damaged:
            self.progress.warn(f"in {where}: {message}; it was passed over")
        return found

    def read(self, entries: Sequence[Entry]) -> tuple[Record, ...]:
        """Read builds of a listing whole, in their order."""
        return listing.records([*self.shelves, *([self.registry] if self.registry else [])], entries)

    def records(self) -> Iterator[Record]:
        """Give every build, newest first; damaged lines are passed over with a warning."""
        return iter(self.read(self.listing().entries))

    def find(self, digest: Digest) -> tuple[Record, ...]:
        """Give the builds on this machine whose index, manifest or config has the digest, newest first.

        Raises:
            UntrustedError: a line that names the digest is damaged or of a newer schema, and no other
                line tells of that build.

        """
        return tuple(search.builds_of(_naming(self.shelves, digest), digest))

    def find_in_registry(self, digest: Digest) -> tuple[Record, ...]:
        """Give the builds that a registry knows, as `find`; none where no registry is asked.

        Raises:
            NetworkError: it cannot be asked.
            UntrustedError: as in `find`.

        """
        shelves = () if self.registry is None else (self.registry,)
        return tuple(search.builds_of(_naming(shelves, digest), digest))

    def find_of_layers(self, diff_ids: Sequence[Digest]) -> tuple[Record, ...]:
        """Give the builds on this machine that have an image of these very diffIDs, newest first."""
        if not diff_ids:
            return ()
        return tuple(search.builds_of_layers(_naming(self.shelves, diff_ids[-1]), tuple(diff_ids)))

    def verifications(self, digest: Digest) -> tuple[Verification, ...]:
        """Give the verifications of a build's digest (`Record.digest`), newest first."""
        return tuple(search.verifications_of(_naming(self.shelves, digest), digest))


def _naming(shelves: Iterable[Shelf], digest: Digest) -> Iterator[search.Line]:
    named = digest.hex.encode()
    for shelf in shelves:
        texts = shelf.texts(digest)
        for text, content in zip(texts, shelf.read(texts), strict=True):
            if named in content:
                yield from search.split(content, text.where)


def open_store(
    root: Path,
    *,
    stores: Sequence[str] = ("notes",),
    registry: RegistryShelf | None = None,
    progress: Progress = SILENT,
) -> RecordStore:
    """Open the store of a project.

    Args:
        root: the project's folder.
        stores: where records are written: `notes`, `file`, `registry`.
        registry: where they are attached, and looked for as well; None: in none.
        progress: is warned of damaged records and of what cannot be recorded.

    Raises:
        MachineError: the project is in a git repository that cannot be opened, or there is no git.

    """
    root = root.resolve()
    files = FileShelf(root)
    repository = Repository.find(root)
    attaches = "registry" in stores
    if repository is None:
        written = () if set(stores) == {"registry"} else (files,)
        return RecordStore(FolderOrigin(root), (files,), written, registry, attaches, None, None, progress)
    notes = NotesShelf(repository, files, progress)
    return RecordStore(
        GitOrigin(root, repository, progress),
        (notes, files),
        tuple(shelf for shelf in (notes, files) if shelf.name in stores),
        registry,
        attaches,
        repository,
        repository.common_dir() / "envfreeze" / "records.json",
        progress,
    )
