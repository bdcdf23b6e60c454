"""Projects without git, or without a commit yet: the folder as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.digest import Digest
from envfreeze.errors import MachineError, UsageError
from envfreeze.records import included
from envfreeze.records.model import KeptFile, Snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from envfreeze.records.model import Record


@dataclass(frozen=True, slots=True)
class FolderOrigin:
    """An `Origin` that is a folder.

    Attributes:
        root: the project's folder.

    """

    root: Path

    def snapshot(self, lock_files: Mapping[str, bytes], include: Sequence[str]) -> Snapshot:
        """Tell the digests; nothing is kept, the folder has it."""
        return Snapshot(
            commit=None,
            project=".",
            dirty=False,
            patch=None,
            lock={name: KeptFile(Digest.of(content), None) for name, content in lock_files.items()},
            included=included.digest_of(self.root, include),
        )

    def restore(
        self,
        record: Record,
        folder: Path,  # noqa: ARG002 - the interface
        attached: Mapping[Digest, bytes] | None = None,  # noqa: ARG002 - the interface
    ) -> Path:
        """Give the project's own folder, after a check that it still has the recorded lock."""
        changed = []
        for name, kept in record.source.lock.items():
            try:
                now = str(Digest.of_file(self.root / name))
            except FileNotFoundError:
                now = "missing"
            except OSError as error:
                raise MachineError(f"{self.root / name} cannot be read: {error.strerror}") from error
            if now != str(kept.digest):
                changed.append(f"{name} was {kept.digest} and is {now}")
        if changed:
            raise UsageError(
                f"the lock in {self.root} is not the one that {record.digest} was built from",
                hint="put that lock back; in a git repository every build's lock is kept",
                details=tuple(changed),
            )
        return self.root
