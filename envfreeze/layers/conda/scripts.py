"""Link scripts: what conda would run when it installs or removes a package, and envfreeze never does."""

from __future__ import annotations

import io
import re
import tarfile
from typing import TYPE_CHECKING

from envfreeze.errors import UntrustedError
from envfreeze.layers.conda.archive import take_apart
from envfreeze.layers.conda.paths import read_paths

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from envfreeze.layers.conda.archive import Packed

_SCRIPT = re.compile(r"(?:bin|python-scripts)/\.[^/]+-(?:pre-link|post-link|pre-unlink)\.sh")
_LONGEST = 256 << 20
"""Bytes of a file of `info/`: the paths.json of a million paths has as much."""


def link_scripts(package_file: Path) -> tuple[str, ...]:
    """The link scripts of a conda package, as paths in the package, sorted.

    Only the list of what it installs is read; a build holds the archive against that list. The file's
    name, which says how it is packed, is that of the channel; its sha256 is not looked at.

    Raises:
        UntrustedError: the file is no conda package, or is damaged.
        MachineError: it cannot be read.

    """
    filename = package_file.name
    try:
        with take_apart(package_file, filename, None) as outer:
            return scripts_among(row.path for row in read_paths(_lists(outer.info)))
    except UntrustedError as error:
        if error.message.startswith(filename):
            raise
        raise UntrustedError(f"{filename}: {error.message}", hint=error.hint) from error


def scripts_among(paths: Iterable[str]) -> tuple[str, ...]:
    """Those of a package's paths that are link scripts (`bin/.NAME-post-link.sh` and the like), sorted."""
    return tuple(sorted(path for path in paths if _SCRIPT.fullmatch(path)))


def _lists(packed: Packed) -> dict[str, bytes]:
    """The lists of paths in a tar, read no further than paths.json."""
    wanted = {f"info/{name}": name for name in ("paths.json", "files", "has_prefix", "no_link")}
    found: dict[str, bytes] = {}
    try:
        stream = io.BufferedReader(_Stream(packed.pieces()), 1 << 16)
        with tarfile.open(fileobj=stream, mode="r|", encoding="utf-8", errors="surrogateescape") as tar:
            for info in tar:
                name = wanted.get(info.name.removeprefix("./"))
                if name is None or not info.isreg():
                    continue
                if info.size > _LONGEST:
                    raise UntrustedError(
                        f"its {info.name} has {info.size} bytes; at most {_LONGEST} are read"
                    )
                content = tar.extractfile(info)
                found[name] = content.read() if content is not None else b""
                if name == "paths.json":
                    break
    except (tarfile.TarError, ValueError, EOFError, OverflowError) as error:
        raise UntrustedError(f"it holds a corrupt tar: {error}") from error
    return found


class _Stream(io.RawIOBase):
    """Pieces as a file that is read from its beginning to its end."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # BufferedReader gives a memoryview
        while not self._left:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._left = memoryview(piece)
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count
