"""A build folder while it is being filled: what is in it, with one time, one set of modes, and its hashes."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from envfreeze.digest import Digest
from envfreeze.oci.sharing import share
from envfreeze.oci.tar import MTIME

if TYPE_CHECKING:
    from pathlib import Path

SUMS = "SHA256SUMS"
"""Names every other file of the folder with its sha256, as `sha256sum --check` reads it."""


class Staged:
    """The folder.

    Args:
        folder: an empty folder.

    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._digests: dict[str, Digest] = {}

    def text(self, name: str, text: str) -> None:
        """Write a file."""
        self.content(name, text.encode())

    def content(self, name: str, content: bytes) -> None:
        """Write a file."""
        path = self._path(name)
        path.write_bytes(content)
        _settle(path, executable=False)
        self._digests[name] = Digest.of(content)

    def artifact(self, name: str, source: Path, digest: Digest, size: int | None) -> None:
        """Put a file of the cache there, whose digest was checked; its bytes are shared where that is safe.

        A file that is there already stays: what serves several platforms is put there by each.

        Raises:
            UntrustedError: the file has another size than `size`.

        """
        if self._digests.get(name) == digest:
            return
        path = self._path(name)
        if not share(source, path, digest, size):
            shutil.copyfile(source, path)
            _settle(path, executable=False)
        self._digests[name] = digest

    def copy(self, name: str, source: Path, *, executable: bool) -> None:
        """Copy a file of the project."""
        path = self._path(name)
        shutil.copyfile(source, path)
        _settle(path, executable=executable)
        self._digests[name] = Digest.of_file(path)

    def seal(self) -> Digest:
        """Write `SHA256SUMS` and give every folder its mode and time; the digest of that file.

        It stands for the whole folder: equal digests mean equal contents.
        """
        lines = [f"{self._digests[name].hex}  {name}\n" for name in sorted(self._digests, key=str.encode)]
        content = "".join(lines).encode()
        path = self.folder / SUMS
        path.write_bytes(content)
        _settle(path, executable=False)
        for parent, _, _ in os.walk(self.folder, topdown=False):
            os.chmod(parent, 0o755)  # noqa: PTH101, S103 - what every build context has
            os.utime(parent, (MTIME, MTIME))
        return Digest.of(content)

    def _path(self, name: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


def _settle(path: Path, *, executable: bool) -> None:
    path.chmod(0o755 if executable else 0o644)
    os.utime(path, (MTIME, MTIME))
