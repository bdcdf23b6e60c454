"""`Origin`: what a build starts from, told before it and brought back after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from envfreeze.digest import Digest
    from envfreeze.records.model import Record, Snapshot


class Origin(Protocol):
    """Where a project's files come from: commits of a repository, or the folder itself."""

    def snapshot(self, lock_files: Mapping[str, bytes], include: Sequence[str]) -> Snapshot:
        """Tell what a build is about to start from, and keep what no commit has.

        To be called before the build: what is edited meanwhile is then not taken for what was built.

        Args:
            lock_files: name of each lock file in the project's folder, to its bytes.
            include: project files that go into the image, relative to the project's folder, POSIX.

        Raises:
            MachineError: it cannot be read or kept.

        """

    def restore(self, record: Record, folder: Path, attached: Mapping[Digest, bytes] | None = None) -> Path:
        """Bring back what a build started from, and give the project's folder.

        Args:
            record: of the build.
            folder: where to, empty or not there yet. Outside git nothing is written to it.
            attached: contents of recorded files that came with the record, by their digests.

        Returns:
            The project's folder with the recorded lock files in it. Only to be read.

        Raises:
            UsageError: this machine does not have the commit, the patch or the lock.
            UntrustedError: what it has is not what the record says.
            MachineError: it cannot be read, or the folder cannot be written.

        """
