"""A published set of tables: the files of an archive, of a folder, or one file for those that are in use.

Only files of known names are taken, each by its name alone, so nothing that an archive holds can lead out of
the folder that they are written to. What they say is checked by `tables`.
"""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
import zlib
from typing import IO, TYPE_CHECKING, Final

from envfreeze.errors import MachineError, UntrustedError, UsageError
from envfreeze.gpu.tables import FILES, MANIFEST

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

LARGEST: Final = 64 << 20
"""Bytes of an archive, and of all that is in it: the tables of today have less than one million."""

_MOST_MEMBERS = 10_000
_KNOWN = frozenset((MANIFEST, *FILES))
_DAMAGED = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError)


def of_folder(folder: Path) -> dict[str, bytes]:
    """Read the tables of a folder.

    Raises:
        UsageError: it holds none.
        UntrustedError: they are larger than any tables are.
        MachineError: a file cannot be read.

    """
    found: dict[str, bytes] = {}
    for name in sorted(_KNOWN):
        try:
            with (folder / name).open("rb") as file:
                found[name] = _bounded(file, found.values(), str(folder / name))
        except FileNotFoundError:
            continue
        except OSError as error:
            raise MachineError(f"{folder / name} cannot be read: {error.strerror}") from error
    if MANIFEST not in found:
        raise UsageError(f"{folder} holds no set of tables: there is no {MANIFEST} in it")
    return found


def of_bytes(content: bytes, name: str) -> dict[str, bytes]:
    """Read the tables of an archive (tar, compressed or not, or zip), or a single table.

    An archive may hold other files too; the tables are those beside its only `manifest.toml`.

    Args:
        content: the file's bytes.
        name: of the file, its last part: a single table is known by it.

    Returns:
        Name to bytes; of a single table just that one.

    Raises:
        UsageError: it is neither an archive nor a file of a known name.
        UntrustedError: the archive is damaged, or holds no set of tables, or several.

    """
    if name in FILES:
        return {name: content}
    try:
        if zipfile.is_zipfile(io.BytesIO(content)):
            return _beside_manifest(_of_zip(content), name)
        if _is_tar(content):
            return _beside_manifest(_of_tar(content), name)
    except _DAMAGED as error:
        raise UntrustedError(f"{name} is damaged: {error}") from error
    except OSError as error:  # gzip, bz2 and lzma have it for damage
        raise UntrustedError(f"{name} is damaged: {error}") from error
    raise UsageError(
        f"{name} is neither an archive of tables nor one of them",
        hint=f"give a .tar.gz or .zip that holds {MANIFEST}, or a file named like {FILES[0]}",
    )


def _is_tar(content: bytes) -> bool:
    try:
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            archive.next()
    except tarfile.ReadError:
        return content.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ"))  # an archive, and damaged
    return True


def _of_tar(content: bytes) -> Iterator[tuple[str, bytes]]:
    taken: list[bytes] = []
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for count, member in enumerate(archive):
            _count(count)
            if member.isreg() and _base(member.name) in _KNOWN:
                file = archive.extractfile(member)
                if file is not None:
                    taken.append(_bounded(file, taken, member.name))
                    yield member.name, taken[-1]


def _of_zip(content: bytes) -> Iterator[tuple[str, bytes]]:
    taken: list[bytes] = []
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for count, member in enumerate(archive.infolist()):
            _count(count)
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind in {0, stat.S_IFREG} and _base(member.filename) in _KNOWN:
                if member.flag_bits & 1:
                    raise UntrustedError(f"{member.filename} is encrypted")
                with archive.open(member) as file:
                    taken.append(_bounded(file, taken, member.filename))
                yield member.filename, taken[-1]


def _beside_manifest(members: Iterable[tuple[str, bytes]], name: str) -> dict[str, bytes]:
    folders: dict[str, dict[str, bytes]] = {}
    for path, content in members:
        folder = folders.setdefault(path.removeprefix("./").rpartition("/")[0], {})
        if _base(path) in folder:
            raise UntrustedError(f"{name} holds {path} twice")
        folder[_base(path)] = content
    sets = {path: files for path, files in folders.items() if MANIFEST in files}
    if len(sets) != 1:
        what = "no set of tables" if not sets else f"several sets of tables: in {', '.join(sorted(sets))}"
        raise UntrustedError(f"{name} holds {what}", hint=f"a set has one {MANIFEST} beside its files")
    (files,) = sets.values()
    return files


def _base(path: str) -> str:
    return path.rpartition("/")[2]


def _count(number: int) -> None:
    if number >= _MOST_MEMBERS:
        raise UntrustedError(f"an archive of tables with more than {_MOST_MEMBERS} members is refused")


def _bounded(file: IO[bytes], before: Iterable[bytes], name: str) -> bytes:
    left = LARGEST - sum(len(content) for content in before)
    content = file.read(left + 1)
    if len(content) > left:
        raise UntrustedError(f"{name}: more than {LARGEST >> 20} MiB of tables are refused")
    return content
