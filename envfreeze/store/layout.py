"""Where things are in the cache's folder, and the folder's making.

    version                        the layout's number; a number that is not ours is refused
    CACHEDIR.TAG                   tells backups to pass by (https://bford.info/cachedir/)
    blobs/sha256/ab/<hex>          content by digest, read-only
    facts/<rule>/ab/<hex>.json     small facts by rule and key
    partial/<hex>, <hex>.json      downloads that go on where they stopped, and what is known of their source
    uploads/<hex>.json             where uploads to registries can be gone on with, for their user alone
    tmp/<session>/                 what open caches are writing; swept when its owner is gone
    locks/                         lock files
    guards/                        interpreters that uv asks (locking.guard)

All of it is on one file system, so that a finished file enters the store by a rename.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from envfreeze.errors import MachineError, UsageError
from envfreeze.store import locks

if TYPE_CHECKING:
    from envfreeze.digest import Digest

FORMAT: Final = 1
"""The number of this layout."""

_TAG: Final = """\
Signature: 8a477f597d28d172789f06886806bc55
# This folder is the cache of envfreeze. It can be removed when no envfreeze runs.
# About cache folder tags: https://bford.info/cachedir/
"""
_VERSION: Final = re.compile(r"envfreeze cache (\d{1,9})\n?")
_OURS: Final = frozenset(
    {"blobs", "facts", "partial", "uploads", "tmp", "locks", "repodata", "guards", "version", "CACHEDIR.TAG"}
)


def default_root() -> Path:
    """The cache's folder: `$ENVFREEZE_CACHE`, else `$XDG_CACHE_HOME/envfreeze`, else `~/.cache/envfreeze`.

    A relative `XDG_CACHE_HOME` is passed over, as the XDG base directory specification asks.

    Raises:
        MachineError: none is set and there is no home.

    """
    if named := os.environ.get("ENVFREEZE_CACHE"):
        return Path(named).expanduser().absolute()
    xdg = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if xdg.is_absolute():
        return xdg / "envfreeze"
    try:
        return Path.home() / ".cache" / "envfreeze"
    except RuntimeError as error:
        raise MachineError(
            "there is no home folder to keep the cache in", hint="name one: ENVFREEZE_CACHE=/path/to/folder"
        ) from error


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of the cache at `root`."""

    root: Path

    @property
    def blobs(self) -> Path:
        """The folder of all blobs."""
        return self.root / "blobs" / "sha256"

    @property
    def facts(self) -> Path:
        """The folder of all facts."""
        return self.root / "facts"

    @property
    def partial(self) -> Path:
        """The folder of unfinished downloads."""
        return self.root / "partial"

    @property
    def uploads(self) -> Path:
        """The folder of what is known of unfinished uploads to registries."""
        return self.root / "uploads"

    @property
    def repodata(self) -> Path:
        """The folder of what conda channels list, which the conda solver fills."""
        return self.root / "repodata"

    @property
    def guards(self) -> Path:
        """The folder of the interpreters that uv asks for their version, and that build nothing."""
        return self.root / "guards"

    @property
    def tmp(self) -> Path:
        """The folder of sessions."""
        return self.root / "tmp"

    @property
    def in_use(self) -> Path:
        """Locked shared by every open cache, exclusively by a prune."""
        return self.root / "locks" / "in-use"

    @property
    def housekeeping(self) -> Path:
        """Locked by whoever makes the folder, a session, or sweeps."""
        return self.root / "locks" / "housekeeping"

    @property
    def version(self) -> Path:
        """The file that holds the layout's number."""
        return self.root / "version"

    def blob(self, digest: Digest) -> Path:
        """Where the blob is or would be."""
        return self.blobs / digest.hex[:2] / digest.hex

    def upload(self, repository: str, digest: Digest) -> Path:
        """What is known of the upload of a blob into a repository."""
        return self.uploads / f"{hashlib.sha256(f'{repository}@{digest}'.encode()).hexdigest()}.json"

    def lock(self, name: str) -> Path:
        """The lock file of a section's name, which may be any text."""
        return self.root / "locks" / hashlib.sha256(name.encode()).hexdigest()[:32]

    def establish(self) -> None:
        """Make the folder, or see that it is one of ours.

        Raises:
            UsageError: the folder holds other things.
            MachineError: it was written by another layout's envfreeze.
            OSError: it cannot be made.

        """
        try:
            written = self.version.read_text("ascii", "replace")
        except FileNotFoundError:
            self._make()
            return
        match = _VERSION.fullmatch(written)
        if match is None or int(match[1]) != FORMAT:
            layout = f"layout {match[1]}" if match else "a layout that cannot be read"
            raise MachineError(
                f"the cache {self.root} has {layout}; this envfreeze knows layout {FORMAT}",
                hint="use the envfreeze that wrote it, or another folder: ENVFREEZE_CACHE=/path/to/folder",
            )
        self._make_folders()

    def _make(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        foreign = sorted({path.name for path in self.root.iterdir()} - _OURS - {"lost+found"})
        if foreign:
            raise UsageError(
                f"{self.root} is not a cache of envfreeze: it holds {foreign[0]!r}",
                hint="name an empty folder or a new one: ENVFREEZE_CACHE=/path/to/folder",
            )
        self._make_folders()
        with locks.exclusive(self.housekeeping):
            (self.root / "CACHEDIR.TAG").write_text(_TAG, "ascii")
            # Last and whole: a folder without it is made again, however far its maker came.
            descriptor, name = tempfile.mkstemp(dir=self.tmp)
            with open(descriptor, "w", encoding="ascii") as file:  # noqa: PTH123 - a descriptor, no path
                file.write(f"envfreeze cache {FORMAT}\n")
            Path(name).replace(self.version)

    def _make_folders(self) -> None:
        for folder in (self.blobs, self.facts, self.partial, self.tmp, self.in_use.parent):
            folder.mkdir(parents=True, exist_ok=True)
