"""What rows of `pylock.toml` have in common: a file, by URL or path and sha256, and dependencies."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from packaging.utils import InvalidWheelFilename, is_normalized_name, parse_wheel_filename

from envfreeze.digest import Digest
from envfreeze.locking import local

if TYPE_CHECKING:
    from pathlib import Path

    from envfreeze.locking.strict import Table


def url(file: Table, folder: Path | None) -> str:
    """Read `url` or `path`, which becomes a URL in the project's folder.

    Raises:
        EditedError: it is none that envfreeze writes.

    """
    path = file.optional_string("path")
    if path is not None:
        try:
            return local.url_of(path, folder)
        except ValueError as error:
            raise file.wrong("path", str(error)) from error
    written = file.string("url")
    try:
        parts = urlsplit(written)
    except ValueError as error:
        raise file.wrong("url", f"not a URL: {written!r}") from error
    if parts.scheme not in {"http", "https", "file"} or "@" in parts.netloc:
        raise file.wrong("url", "is not an http, https or file URL without credentials")
    return written


def check_filename(file: Table, filename: str, name: str, version: str) -> None:
    """Refuse a file name that is not that of a wheel of the package.

    Raises:
        EditedError: it is not.

    """
    try:
        stated = parse_wheel_filename(filename)[:2]
    except InvalidWheelFilename as error:
        raise file.wrong("name", str(error)) from error
    if not is_normalized_name(name) or (str(stated[0]), str(stated[1])) != (name, version):
        raise file.wrong("name", f"{filename!r} is not a wheel of {name} {version}")


def sha256(hashes: Table, key: str = "sha256") -> Digest:
    """Read the only kind of hash that envfreeze writes, in hex.

    Raises:
        EditedError: it is not a sha256.

    """
    text = hashes.string(key)
    try:
        return Digest(text)
    except ValueError as error:
        raise hashes.wrong(key, str(error)) from error


def dependencies(package: Table) -> list[str]:
    """Read the names of the packages of the same file that a package needs."""
    names: list[str] = []
    for row in package.tables("dependencies") if "dependencies" in package.keys() else ():  # noqa: SIM118
        names.append(row.string("name"))
        row.finish()
    return names


def index(package: Table) -> str | None:
    """Read the index that a package was taken from.

    Raises:
        EditedError: it is no URL that envfreeze writes.

    """
    written = package.optional_string("index")
    if written is not None and (urlsplit(written).scheme not in {"http", "https", "file"} or "@" in written):
        raise package.wrong("index", "is not an http, https or file URL without credentials")
    return written
