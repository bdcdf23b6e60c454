"""The tables in use: those that came with envfreeze, or a set that the user installed over them.

    <data folder>/gpu-tables/<day>-<sha256>/  installed sets, by their version and what they say
    <data folder>/gpu-tables/current.json     which of them counts, and where it came from

A set is written whole beside the others and checked before `current.json` names it, which is replaced in one
step: a killed or refused update leaves the tables as they were. An envfreeze that comes with newer tables
than it had when a set was installed, newer also than that set, uses its own.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from envfreeze.errors import MachineError, UntrustedError
from envfreeze.gpu import tables
from envfreeze.gpu.tables import MANIFEST, Tables
from envfreeze.store import locks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

_POINTER = "current.json"
_NAME = re.compile(r"[0-9W-]+-[0-9a-f]{64}")
_KEYS = ("digest", "version", "source", "over")
_RESET = "`envfreeze gpu reset` goes back to the tables of envfreeze itself"
_STAGED = ".new-"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The tables in use.

    Attributes:
        tables: what is used.
        source: where they came from, for people: a path, or a URL without credentials; empty: envfreeze.
        passed_over: version of an installed set that is older than envfreeze's own; empty: none is.

    """

    tables: Tables
    source: str = ""
    passed_over: str = ""


def data_root() -> Path:
    """The user's data folder: `$XDG_DATA_HOME/envfreeze`, else `~/.local/share/envfreeze`.

    Not the cache: emptying that must not change what a lock is checked against. A relative `XDG_DATA_HOME` is
    passed over, as the XDG base directory specification asks.

    Raises:
        MachineError: there is no home.

    """
    named = Path(os.environ.get("XDG_DATA_HOME", ""))
    if named.is_absolute():
        return named / "envfreeze"
    try:
        return Path.home() / ".local" / "share" / "envfreeze"
    except RuntimeError as error:
        raise MachineError(
            "there is no home folder to keep tables in", hint="set XDG_DATA_HOME=/path/to/folder"
        ) from error


def current(root: Path | None = None) -> Tables:
    """The tables to judge by.

    Args:
        root: the data folder; None: the user's.

    Raises:
        UntrustedError: an installed set is damaged.
        MachineError: it cannot be read.

    """
    return chosen(root).tables


def chosen(root: Path | None = None) -> Chosen:
    """The tables in use and where they came from.

    Raises:
        UntrustedError, MachineError: as `current`.

    """
    folder = _folder(root)
    own = tables.load()
    pointer = _pointer(folder)
    if pointer is None:
        return Chosen(own)
    digest, version, source, over = (pointer[key] for key in _KEYS)
    if own.version > max(version, over):
        return Chosen(own, passed_over=version)
    place = folder / _name(version, digest)
    try:
        installed = Tables(place)
        same = installed.digest == digest
    except UntrustedError as error:
        raise UntrustedError(error.message, hint=_RESET) from error
    if not same:
        raise UntrustedError(f"the tables in {place} are not those that were installed", hint=_RESET)
    return Chosen(installed, source)


def install(
    files: Mapping[str, bytes],
    source: str,
    root: Path | None = None,
    *,
    check: Callable[[str], object] = str,
) -> Chosen:
    """Check a set of tables and use it from now on.

    Args:
        files: the set's files by name; without a manifest single tables, which take the place of those in
            use.
        source: where they came from, without credentials.
        root: the data folder; None: the user's.
        check: is told the set's digest before it is used, and raises where it is not the right one.

    Raises:
        UntrustedError: a table is missing or malformed; what was in use stays.
        MachineError: the folder cannot be written.

    """
    folder = _folder(root)
    own = tables.load()
    with _refusals(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder), _staged(folder) as staged:
            if MANIFEST not in files:
                for path in chosen(root).tables.folder.iterdir():
                    if path.name in {MANIFEST, *tables.FILES}:
                        shutil.copyfile(path, staged / path.name)
            for name, content in files.items():
                (staged / name).write_bytes(content)
            made = _checked(staged, source)
            digest, version = made.digest, made.version
            check(digest)
            final = folder / _name(version, digest)
            if not _is_whole(final, digest):
                shutil.rmtree(final, ignore_errors=True)
                _synced(staged)
                staged.rename(final)
            last = _last(folder)
            _point(folder, {"digest": digest, "version": version, "source": source, "over": own.version})
            # The last set stays too: a command that began before this update still reads it.
            _sweep(folder, {final.name, last})
    return Chosen(Tables(final), source)


def reset(root: Path | None = None) -> bool:
    """Go back to envfreeze's own tables; whether there were others.

    Raises:
        MachineError: the folder cannot be written.

    """
    folder = _folder(root)
    with _refusals(folder):
        if not folder.exists():
            return False
        with _alone(folder):
            pointer = folder / _POINTER
            there = pointer.exists()
            pointer.unlink(missing_ok=True)
            _sweep(folder, set())
    return there


def _folder(root: Path | None) -> Path:
    return (root or data_root()) / "gpu-tables"


def _pointer(folder: Path) -> dict[str, str] | None:
    """What `current.json` says; None where no set is installed."""
    path = folder / _POINTER
    try:
        told = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise MachineError(f"{path} cannot be read: {error.strerror}", hint=_RESET) from error
    except ValueError:
        told = None
    if not isinstance(told, dict) or not all(isinstance(told.get(key), str) for key in _KEYS):
        raise UntrustedError(f"{path} is damaged", hint=_RESET)
    if not _NAME.fullmatch(_name(told["version"], told["digest"])):
        raise UntrustedError(f"{path} is damaged: it names no set of tables", hint=_RESET)
    return told


def _last(folder: Path) -> str:
    """Name of the set that was in use; empty where none was, or `current.json` is damaged."""
    try:
        pointer = _pointer(folder)
    except UntrustedError:
        return ""
    return "" if pointer is None else _name(pointer["version"], pointer["digest"])


def _name(version: str, digest: str) -> str:
    return f"{version}-{digest.removeprefix('sha256:')}"


def _point(folder: Path, told: Mapping[str, str]) -> None:
    descriptor, name = tempfile.mkstemp(dir=folder, prefix=_STAGED)
    with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - a descriptor, no path
        json.dump(told, file, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    Path(name).replace(folder / _POINTER)


def _is_whole(folder: Path, digest: str) -> bool:
    try:
        return tables.load(folder).digest == digest
    except UntrustedError:
        return False


def _synced(folder: Path) -> None:
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())


@contextmanager
def _staged(folder: Path) -> Iterator[Path]:
    """A folder for a set that is not checked yet, gone at the end unless it was renamed."""
    path = Path(tempfile.mkdtemp(dir=folder, prefix=_STAGED))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _sweep(folder: Path, kept: set[str]) -> None:
    """Remove all sets but some, and what killed updates left."""
    for path in folder.iterdir():
        if path.is_dir() and path.name not in kept:
            shutil.rmtree(path, ignore_errors=True)
        elif path.name.startswith(_STAGED):
            path.unlink(missing_ok=True)


def _alone(folder: Path) -> AbstractContextManager[None]:
    return locks.exclusive(folder / ".lock")


def _checked(staged: Path, source: str) -> Tables:
    try:
        return tables.load(staged)
    except UntrustedError as error:
        # The folder that was checked is gone when this is read: the source is what the user knows.
        raise UntrustedError(error.message.replace(str(staged), source), hint=error.hint) from error


@contextmanager
def _refusals(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise MachineError(
            f"the tables in {folder} cannot be written: {error.strerror or error}",
            hint="use a folder that can be written: XDG_DATA_HOME=/path/to/folder",
        ) from error
