"""Which reader a file gets: by its name, else by how it begins."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from envfreeze.compare.insides import binary, elf, gzipped, json_file, pyc, record, text, zipped

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from envfreeze.compare.insides.insight import Insight

    Reader = Callable[[Path, Path], Insight]

_BY_NAME: Final[tuple[tuple[re.Pattern[str], Reader], ...]] = (
    (re.compile(r".*\.pyc"), pyc.look),
    (re.compile(r".*\.dist-info/RECORD"), record.look),
    (re.compile(r".*\.(json|ipynb)"), json_file.look),
)
_BY_MAGIC: Final[tuple[tuple[bytes, Reader], ...]] = (
    (b"\x7fELF", elf.look),
    (b"PK\x03\x04", zipped.look),
    (b"\x1f\x8b\x08", gzipped.look),
)
_HEAD: Final = 8


def reader(path: str, old: Path, new: Path) -> Reader:
    """Choose: a reader of what both files are, else one of bytes."""
    for pattern, read in _BY_NAME:
        if pattern.fullmatch(path):
            return read
    for magic, read in _BY_MAGIC:
        if _begins(old, magic) and _begins(new, magic):
            return read
    small = max(file.stat().st_size for file in (old, new)) <= text.LARGEST
    if small and all(text.is_text(file.read_bytes()) for file in (old, new)):
        return text.look
    return binary.look


def _begins(path: Path, magic: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(_HEAD).startswith(magic)
