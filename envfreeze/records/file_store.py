"""Records in `envfreeze.records.jsonl` beside the lock: for projects without git or without a commit yet."""

from __future__ import annotations

import errno
import fcntl
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.digest import Digest
from envfreeze.errors import MachineError, UsageError
from envfreeze.records import included, lines, search
from envfreeze.records.model import KeptFile, Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from envfreeze.progress import Progress
    from envfreeze.records.model import Record, Verification

FILE = "envfreeze.records.jsonl"


@dataclass(frozen=True, slots=True)
class FileStore:
    """A `RecordStore` in a file of lines.

    Attributes:
        root: the project's folder.
        progress: is warned of damaged lines.
        fetch_hint: there is nowhere to fetch from.

    """

    root: Path
    progress: Progress
    fetch_hint: str = ""

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

    def add(self, record: Record) -> None:
        """Append a build's line."""
        self._append(lines.render(record))

    def add_verification(self, verification: Verification) -> None:
        """Append a verification's line."""
        self._append(lines.render(verification))

    def publish(self, record: Record) -> str | None:  # noqa: ARG002 - the interface
        """Say that the file goes nowhere by itself."""
        self.progress.warn(
            f"the record stays on this machine, in {FILE}: the project is in no git repository with a commit"
        )
        return None

    def records(self) -> Iterator[Record]:
        """Give every build, newest first."""
        return iter(search.builds(self.written(), self.progress))

    def find(self, digest: Digest) -> tuple[Record, ...]:
        """Give the builds of a digest, newest first."""
        return tuple(search.builds_of(self.written(), digest))

    def verifications(self, digest: Digest) -> tuple[Verification, ...]:
        """Give the verifications of a build's digest, newest first."""
        return tuple(search.verifications_of(self.written(), digest))

    def restore(self, record: Record, folder: Path) -> Path:  # noqa: ARG002 - the interface
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

    def _append(self, line: bytes) -> None:
        """Append a line in one piece, whoever else appends at the same moment."""
        path = self.root / FILE
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
                _append(file, line + b"\n")
            finally:
                os.close(file)
        except OSError as error:
            raise MachineError(
                f"the record of the build could not be written to {path}: {error.strerror}",
                hint="free some space on its disk"
                if error.errno in (errno.ENOSPC, errno.EDQUOT)
                else "the folder and the file have to be writable by you",
            ) from error

    def written(self) -> list[search.Line]:
        """Read the lines as they stand."""
        path = self.root / FILE
        try:
            return search.split(path.read_bytes(), FILE)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise MachineError(f"{path} cannot be read: {error.strerror}") from error


def _append(file: int, text: bytes) -> None:
    end = os.fstat(file).st_size
    if end and os.pread(file, 1, end - 1) != b"\n":
        text = b"\n" + text  # whoever wrote the last line was killed
    try:
        written = os.write(file, text)
        if written < len(text):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # noqa: TRY301 - as the write would have
        os.fsync(file)
    except BaseException:
        os.ftruncate(file, end)
        raise
