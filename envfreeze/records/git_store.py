"""Records on the commits of a git repository."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from envfreeze.errors import MachineError, UntrustedError, UsageError
from envfreeze.records import file_store, included, kept, lines, notes, patch, publish, search, trees
from envfreeze.records.checkout import checkout
from envfreeze.records.model import KeptFile, Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from envfreeze.digest import Digest
    from envfreeze.progress import Progress
    from envfreeze.records.file_store import FileStore
    from envfreeze.records.git import Repository
    from envfreeze.records.model import Record, Verification

_OUTPUT = (".envfreeze", file_store.FILE)
"""What builds write into the project's folder: no change of the user's."""


@dataclass(frozen=True, slots=True)
class GitStore:
    """A `RecordStore` in git notes.

    Attributes:
        root: the project's folder.
        repository: what it is in.
        files: has the records from before the first commit.
        progress: is warned of damaged lines and of what cannot be recorded.
        fetch_hint: the notes of others.

    """

    root: Path
    repository: Repository
    files: FileStore
    progress: Progress
    fetch_hint: str = f"git fetch origin {notes.NOTES}:{notes.NOTES}"

    def snapshot(self, lock_files: Mapping[str, bytes], include: Sequence[str]) -> Snapshot:
        """Tell what a build starts from; lock and uncommitted changes are kept where no commit has them."""
        commit = self.repository.resolve("HEAD^{commit}")
        if commit is None:
            return self.files.snapshot(lock_files, include)
        output = [name for name in _OUTPUT if not any(path.split("/")[0] == name for path in include)]
        try:
            with tempfile.TemporaryDirectory(prefix="envfreeze-") as scratch:
                dirty, changes = patch.write(
                    self.repository,
                    commit,
                    Path(scratch),
                    leave_out=[*lock_files, *output],
                    include=include,
                    progress=self.progress,
                )
                lock, changes_kept = self._keep(lock_files, changes, Path(scratch))
        except OSError as error:
            raise MachineError(
                f"what the build starts from could not be noted in {tempfile.gettempdir()}: {error.strerror}",
                hint="free some space there, or set TMPDIR to a folder with more",
            ) from error
        if changes_kept is not None or not self._committed(commit, lock):
            kept.hold(self.repository, lock, changes_kept)
        return Snapshot(
            commit=commit,
            project=self.repository.project,
            dirty=dirty,
            patch=changes_kept,
            lock=lock,
            included=included.digest_of(self.root, include),
        )

    def add(self, record: Record) -> None:
        """Append a line to the note of the commit that was built."""
        if record.source.commit is None:
            self.files.add(record)
        else:
            notes.append(self.repository, record.source.commit, lines.render(record))

    def publish(self, record: Record) -> str | None:
        """Push the notes, and a lock that no commit has; a patch stays here."""
        if record.source.commit is None:
            return self.files.publish(record)
        return publish.to_remote(self.repository, record.source, self.progress)

    def add_verification(self, verification: Verification) -> None:
        """Append a line to the note of the commit that was verified."""
        if verification.commit is None:
            self.files.add_verification(verification)
        else:
            notes.append(self.repository, verification.commit, lines.render(verification))

    def records(self) -> Iterator[Record]:
        """Give every build, newest first."""
        return iter(search.builds(self._written(), self.progress))

    def find(self, digest: Digest) -> tuple[Record, ...]:
        """Give the builds of a digest, newest first."""
        return tuple(search.builds_of(self._written(digest), digest))

    def verifications(self, digest: Digest) -> tuple[Verification, ...]:
        """Give the verifications of a build's digest, newest first."""
        return tuple(search.verifications_of(self._written(digest), digest))

    def restore(self, record: Record, folder: Path) -> Path:
        """Check the commit out, apply the patch, put the recorded lock in."""
        source = record.source
        if source.commit is None:
            return self.files.restore(record, folder)
        changes = None if source.patch is None else kept.read(self.repository, source.patch, "patch")
        lock = {name: kept.read(self.repository, file, name) for name, file in source.lock.items()}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.iterdir()):
                raise UsageError(f"{folder} is not empty")
            folder = folder.resolve()
        except OSError as error:
            raise MachineError(f"{folder} cannot be written to: {error.strerror}") from error
        try:
            checkout(self.repository, source.commit, changes, folder, self.progress)
            return _put(lock, folder, source.project)
        except BaseException as error:
            _empty(folder)
            if isinstance(error, OSError):
                raise MachineError(f"{folder} cannot be written to: {error.strerror}") from error
            raise

    def _keep(
        self, lock_files: Mapping[str, bytes], changes: Path | None, scratch: Path
    ) -> tuple[dict[str, KeptFile], KeptFile | None]:
        paths = {}
        for number, (name, content) in enumerate(sorted(lock_files.items())):
            paths[name] = scratch / f"lock-{number}"
            paths[name].write_bytes(content)
        lock = kept.write(self.repository, paths)
        return lock, None if changes is None else kept.write(self.repository, {"patch": changes})["patch"]

    def _committed(self, commit: str, lock: Mapping[str, KeptFile]) -> bool:
        """Whether the commit itself has each lock file, so that whoever has the commit has the lock."""
        folder = "" if self.repository.project == "." else f"{self.repository.project}/"
        blobs = {f"{folder}{name}": file.blob for name, file in lock.items()}
        there = trees.listing(self.repository.git, commit, *(f":(literal){path}" for path in blobs))
        return blobs.items() <= {entry.name: entry.id for entry in there}.items()

    def _written(self, digest: Digest | None = None) -> Iterator[search.Line]:
        """Give the lines of every note that names the digest; of every note, where None."""
        named = b"" if digest is None else digest.hex.encode()
        for note in notes.read(self.repository, self.progress):
            if named in note.text:
                yield from search.split(note.text, f"the note of commit {note.commit}")
        yield from self.files.written()


def _put(lock: Mapping[str, bytes], folder: Path, path: str) -> Path:
    """Write the lock files into the project's folder of a checkout, and nowhere else."""
    project = folder / path
    if not project.resolve().is_relative_to(folder):
        raise UntrustedError(f"the recorded project folder {path} is a link that leads out of the checkout")
    project.mkdir(parents=True, exist_ok=True)
    for name, content in lock.items():
        file = project / name
        file.unlink(missing_ok=True)  # never through a link
        file.write_bytes(content)
    return project


def _empty(folder: Path) -> None:
    for child in folder.iterdir():
        if child.is_dir() and not child.is_symlink():
            shutil.rmtree(child, ignore_errors=True)
        else:
            child.unlink(missing_ok=True)
