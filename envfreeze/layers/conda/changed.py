"""What replacing the prefix makes: file after file in one unnamed file, mapped into memory at the end.

So memory does not depend on how large the changed files are.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import tempfile
from typing import TYPE_CHECKING, BinaryIO

from envfreeze.layers.spill import close, mapped, refused
from envfreeze.oci.entry import Entry, Kind, Plain
from envfreeze.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Changed(contextlib.AbstractContextManager["Changed"]):
    """The files of one package in which the prefix was replaced.

    Args:
        scratch: a folder for the unnamed file that they are written into, which vanishes at the end.
        package: the package's file name, for messages.

    """

    def __init__(self, scratch: Path, package: str) -> None:
        self._scratch = scratch
        self._package = package
        self._spans: dict[str, tuple[int, int]] = {}
        self._file: BinaryIO | None = None
        self._stack = contextlib.ExitStack()

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def add(self, path: str, pieces: Iterator[bytes]) -> str:
        """Write a file; its sha256 in hex."""
        digest = hashlib.sha256()
        try:
            if self._file is None:
                opened = tempfile.TemporaryFile(dir=self._scratch)  # noqa: SIM115 - closed with the stack
                self._file = self._stack.enter_context(opened)
            start = self._file.tell()
            for piece in pieces:
                digest.update(piece)
                self._file.write(piece)
            self._spans[path] = start, self._file.tell()
        except OSError as problem:
            refused(problem, self._scratch)
        return digest.hexdigest()

    def finish(self, entries: list[Entry]) -> list[Entry]:
        """The entries, with what was written as the content of those that it was written for."""
        if self._file is None or self._file.seek(0, io.SEEK_END) == 0:
            return entries
        try:
            view = mapped(self._file, self._package)
        except OSError as problem:
            refused(problem, self._scratch)
        self._stack.callback(close, view)
        whole = memoryview(view)
        return [
            replace(entry, content=Plain(whole[slice(*self._spans[entry.path])]))
            if entry.path in self._spans and entry.kind is Kind.FILE
            else entry
            for entry in entries
        ]
