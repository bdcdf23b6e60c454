"""Where records live: git notes on the commits, or a file beside the lock where there is no git."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from envfreeze.progress import SILENT
from envfreeze.records.file_store import FileStore
from envfreeze.records.git import Repository
from envfreeze.records.git_store import GitStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from envfreeze.digest import Digest
    from envfreeze.progress import Progress
    from envfreeze.records.model import Record, Snapshot, Verification


class RecordStore(Protocol):
    """The records of one project's repository.

    All methods raise MachineError where the store cannot be read or written.
    """

    @property
    def fetch_hint(self) -> str:
        """The command that may bring records others have made; empty where there is none."""

    def snapshot(self, lock_files: Mapping[str, bytes], include: Sequence[str]) -> Snapshot:
        """Tell what a build is about to start from, and keep what no commit has.

        To be called before the build: what is edited meanwhile is then not taken for what was built.

        Args:
            lock_files: name of each lock file in the project's folder, to its bytes.
            include: project files that go into the image, relative to the project's folder, POSIX.

        """

    def add(self, record: Record) -> None:
        """Write down a build for good."""

    def publish(self, record: Record) -> str | None:
        """Carry a record to where others find it.

        What keeps it from getting there is a warning: the record is written all the same.

        Returns:
            The name of the git remote that has it now; None: it stays on this machine.

        """

    def add_verification(self, verification: Verification) -> None:
        """Write down the outcome of a verification for good."""

    def records(self) -> Iterator[Record]:
        """Give every build, newest first; damaged lines are passed over with a warning."""

    def find(self, digest: Digest) -> tuple[Record, ...]:
        """Give the builds whose index, manifest or config has the digest, newest first.

        Raises:
            UntrustedError: a line that names the digest is damaged or of a newer schema, and no other
                line tells of that build.

        """

    def verifications(self, digest: Digest) -> tuple[Verification, ...]:
        """Give the verifications of a build's digest (`Record.digest`), newest first."""

    def restore(self, record: Record, folder: Path) -> Path:
        """Bring back what a build started from, and give the project's folder.

        Args:
            record: of the build.
            folder: where to, empty or not there yet. Outside git nothing is written to it.

        Returns:
            The project's folder with the recorded lock files in it. Only to be read.

        Raises:
            UsageError: this machine does not have the commit, the patch or the lock.
            UntrustedError: what it has is not what the record says.

        """


def open_store(root: Path, *, progress: Progress = SILENT) -> RecordStore:
    """Open the store of a project.

    Args:
        root: the project's folder.
        progress: is warned of damaged records and of what cannot be recorded.

    Raises:
        MachineError: the project is in a git repository that cannot be opened, or there is no git.

    """
    root = root.resolve()
    files = FileStore(root, progress)
    repository = Repository.find(root)
    return files if repository is None else GitStore(root, repository, files, progress)
