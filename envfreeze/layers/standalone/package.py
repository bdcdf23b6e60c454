"""One archive of python-build-standalone, as what lies below Python's folder in the image.

Nothing of it is run. Its tar is inflated into an unnamed file, so that memory does not depend on its size.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING

from envfreeze.digest import Digest
from envfreeze.errors import UntrustedError
from envfreeze.layers.conda.contents import Member, check_link, read_members
from envfreeze.layers.inflate import inflate
from envfreeze.layers.naming import named
from envfreeze.layers.spill import close, mapped, refused, spilled
from envfreeze.layers.standalone.rebased import is_text, rebased
from envfreeze.oci.entry import Entry, Kind, Plain, directory, file, parents, symlink

if TYPE_CHECKING:
    import mmap
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from envfreeze.locking.model import StandalonePython

_ROOT = "python/"
"""What all of an archive lies below (python-build-standalone, docs/distributions.md)."""

_CHUNK = 1 << 16
_LARGEST_TEXT = 1 << 24
_PATCHLEVEL = re.compile(rb'#define\s+PY_VERSION\s+"([0-9][0-9A-Za-z.+]*)"')

MANAGED = b"""[externally-managed]
Error=This Python is part of a frozen image: what is installed into it is in no lock.
 Add the package to the project and run `envfreeze lock`.
"""
"""What says that no installer may write into this Python (PEP 668)."""


@contextlib.contextmanager
def open_standalone(
    path: Path, python: StandalonePython, scratch: Path, *, checked: bool = False
) -> Iterator[list[Entry]]:
    """Open an archive and say what it puts where; contents are valid as long as it is open.

    Args:
        path: the archive.
        python: what the lock says of it.
        scratch: a folder for inflated content.
        checked: whether its sha256 is known to be the locked one, so that it need not be computed.

    Raises:
        UntrustedError: the archive is not the locked one, is damaged, would write where it must not, or holds
            another Python. The message names it and the path.
        MachineError: it cannot be read, or there is no room in `scratch`.

    """
    with contextlib.ExitStack() as stack:
        with named(python.filename):
            tar, members = _members(path, python, scratch, stack, checked=checked)
            entries = _Laid(python, tar, members).entries()
        yield entries


def _members(
    path: Path, python: StandalonePython, scratch: Path, stack: contextlib.ExitStack, *, checked: bool
) -> tuple[mmap.mmap, dict[str, Member]]:
    try:
        packed = mapped(stack.enter_context(path.open("rb")), python.filename)
    except OSError as problem:
        refused(problem, path)
    stack.callback(close, packed)
    if not checked:
        with memoryview(packed) as view:
            got = Digest.of(view)
        if got != python.digest:
            raise UntrustedError(
                f"its sha256 is {got.hex}, the lock has {python.digest.hex}",
                hint="remove it from the cache with: envfreeze cache verify",
            )
    chunks = (packed[start : start + _CHUNK] for start in range(0, len(packed), _CHUNK))
    pieces = inflate(chunks, ".gz", package=python.filename, member="its tar", compressed=len(packed))
    tar, inflated = stack.enter_context(spilled(pieces, scratch, python.filename))
    return tar, read_members(inflated, len(tar), python.filename)


class _Laid:
    """An archive's members, laid below Python's folder."""

    def __init__(self, python: StandalonePython, tar: mmap.mmap, members: Mapping[str, Member]) -> None:
        self._python = python
        self._tar = tar
        self._members = {_place(path): member for path, member in members.items() if f"{path}/" != _ROOT}

    def entries(self) -> list[Entry]:
        minor = ".".join(self._python.version.split(".")[:2])
        self._check(minor)
        kept = {place: member for place, member in self._members.items() if not _is_bytecode(place)}
        self._check_folders(kept)
        entries = [self._entry(place, member, kept) for place, member in kept.items()]
        managed = f"lib/python{minor}/EXTERNALLY-MANAGED"
        if managed not in kept:
            entries.append(file(f"{self._python.prefix}/{managed}", MANAGED))
        return entries

    def _check(self, minor: str) -> None:
        """Refuse what is no Python, or not the one that is locked."""
        program = self._members.get(f"bin/python{minor}")
        if program is None or program.kind is not Kind.FILE or not program.executable:
            raise UntrustedError(f"it has no program {_ROOT}bin/python{minor}")
        if f"lib/python{minor}/os.py" not in self._members:
            raise UntrustedError(f"it has no standard library in {_ROOT}lib/python{minor}")
        header = self._members.get(f"include/python{minor}/patchlevel.h")
        stated = None if header is None else _PATCHLEVEL.search(self._content(header, "patchlevel.h"))
        if stated is not None and stated[1].decode("ascii") != self._python.version:
            version = stated[1].decode("ascii")
            raise UntrustedError(f"it is Python {version}, and the lock says {self._python.version}")

    def _check_folders(self, kept: Mapping[str, Member]) -> None:
        for place in kept:
            for parent in parents(place):
                if parent in kept and kept[parent].kind is not Kind.DIRECTORY:
                    raise UntrustedError(f"{place!r} lies below {parent!r}, which is no folder in it")

    def _entry(self, place: str, member: Member, kept: Mapping[str, Member]) -> Entry:
        path = f"{self._python.prefix}/{place}"
        mode = 0o755 if member.executable else 0o644
        if member.kind is Kind.DIRECTORY:
            return directory(path)
        if member.kind is Kind.SYMLINK:
            check_link(place, member.link)
            return symlink(path, member.link)
        text = self._text(place, member)
        if text is not None:
            return file(path, text, mode=mode)
        if member.kind is Kind.HARDLINK:
            source = _place(member.link)
            if source in kept and self._text(source, kept[source]) is None:
                return Entry(path, Kind.HARDLINK, mode, link=f"{self._python.prefix}/{source}")
        content = memoryview(self._tar)[member.start : member.start + member.size]
        return Entry(path, Kind.FILE, mode, content=Plain(content) if member.size else None)

    def _text(self, place: str, member: Member) -> bytes | None:
        """A file that is changed, as it is in the image; None: it stays as it is."""
        if not is_text(place, self._tar[member.start : member.start + min(2, member.size)]):
            return None
        return rebased(place, self._content(member, place), f"/{self._python.prefix}")

    def _content(self, member: Member, what: str) -> bytes:
        if member.kind not in {Kind.FILE, Kind.HARDLINK} or member.size > _LARGEST_TEXT:
            raise UntrustedError(f"its {what} is no file that can be read")
        return self._tar[member.start : member.start + member.size]


def _place(path: str) -> str:
    """Where a member lies below Python's folder.

    Raises:
        UntrustedError: it is not in the one folder that an archive has.

    """
    if not path.startswith(_ROOT):
        raise UntrustedError(f"it holds {path!r}, which is not below {_ROOT}")
    return path.removeprefix(_ROOT)


def _is_bytecode(place: str) -> bool:
    """Whether it is what Python compiles of its modules: it depends on more than they do, and is left out."""
    folder, _, name = place.rpartition("/")
    return name == "__pycache__" or folder.rpartition("/")[2] == "__pycache__"
