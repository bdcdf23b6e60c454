"""Records in `envfreeze.records.jsonl` beside the lock: a file to commit, or for projects without git."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.errors import MachineError
from envfreeze.records import lines
from envfreeze.records.shelf import Text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from envfreeze.digest import Digest
    from envfreeze.records.model import Record, Verification

FILE = "envfreeze.records.jsonl"


@dataclass(frozen=True, slots=True)
class FileShelf:
    """A `Shelf` that is a file; each of its lines is a text.

    Attributes:
        root: the project's folder.

    """

    root: Path

    @property
    def name(self) -> str:
        """What `[record] store` calls it."""
        return "file"

    @property
    def path(self) -> Path:
        """The file."""
        return self.root / FILE

    def add(self, value: Record | Verification) -> None:
        """Append a line in one piece."""
        line = lines.render(value)
        try:
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
                _append(file, line + b"\n")
            finally:
                os.close(file)
        except OSError as error:
            raise MachineError(
                f"the record of the build could not be written to {self.path}: {error.strerror}",
                hint="free some space on its disk"
                if error.errno in (errno.ENOSPC, errno.EDQUOT)
                else "the folder and the file have to be writable by you",
            ) from error

    def texts(self, digest: Digest | None = None) -> Sequence[Text]:
        """Name the lines, those alone in which a digest stands."""
        named = b"" if digest is None else digest.hex.encode()
        return [Text(self.name, _id(line), FILE) for line in self._lines() if named in line]

    def read(self, texts: Sequence[Text]) -> Iterator[bytes]:
        """Read lines; one that was taken out meanwhile is empty."""
        found = {_id(line): line for line in self._lines()} if texts else {}
        for text in texts:
            yield found.get(text.id, b"")

    def _lines(self) -> list[bytes]:
        try:
            return [line for line in self.path.read_bytes().split(b"\n") if line.strip()]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise MachineError(f"{self.path} cannot be read: {error.strerror}") from error


def _id(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()


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
