"""What an engine says while it builds: kept in a file, shown as it comes, and no secret in either."""

from __future__ import annotations

import re
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

from envfreeze.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from envfreeze.progress import Progress

KEPT = 20
"""Logs that are kept; older ones go."""

_BLANK = "***"
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0b-\x1f\x7f]")
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")


class Log:
    """The log of one build.

    Attributes:
        path: the file.

    """

    def __init__(self, path: Path, file: TextIO, hidden: Sequence[str], progress: Progress) -> None:
        self.path = path
        self._file = file
        self._hidden = tuple(hidden)
        self._progress = progress

    def clean(self, text: str) -> str:
        """A text without secrets, credentials in addresses, and what would move a terminal's cursor."""
        text = _CONTROL.sub("", text)
        for secret in self._hidden:
            text = text.replace(secret, _BLANK)
        return _CREDENTIALS.sub(f"{_BLANK}@", text)

    def line(self, text: str) -> None:
        """Keep a line, and show it where a log is watched."""
        text = self.clean(text.rstrip("\r\n"))
        self._file.write(f"{text}\n")
        self._file.flush()
        self._progress.detail(text)


@contextmanager
def opened(folder: Path, name: str, hidden: Sequence[str], progress: Progress) -> Iterator[Log]:
    """Open the log of a build that begins now.

    Args:
        folder: where logs are kept.
        name: of the engine.
        hidden: texts that may not stand in it.
        progress: is shown the lines.

    Raises:
        MachineError: the log cannot be written.

    """
    began = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = _free(folder, f"{began}-{name}")
        file = path.open("x", encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise MachineError(f"no log can be written to {folder}: {error.strerror}") from error
    with file:
        _forget(folder)
        yield Log(path, file, hidden, progress)


def _free(folder: Path, stem: str) -> Path:
    number = 0
    while (path := folder / f"{stem}{f'-{number}' if number else ''}.log").exists():
        number += 1
    return path


def _forget(folder: Path) -> None:
    for old in sorted(folder.glob("*.log"))[:-KEPT]:
        old.unlink(missing_ok=True)
