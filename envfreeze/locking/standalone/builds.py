"""The builds of python-build-standalone that there are: versions, addresses and hashes.

The list comes with the package `pbs-installer`, so that nothing is asked of the network; another one may be
named, in the form of uv's download metadata (`UV_PYTHON_DOWNLOADS_JSON_URL` in uv's documentation). Of each
version the builds that count are those for glibc and the first level of a processor's instructions, without
debug symbols where the list has them so (`install_only_stripped`, else `install_only`): one for all machines.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from packaging.version import Version

from envfreeze.digest import Digest
from envfreeze.errors import UntrustedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from envfreeze.oci.platform import Platform

GLIBC = (2, 17)
"""The oldest glibc that the builds run on (python-build-standalone, docs/running.md, "Runtime
Requirements")."""

_NAME = re.compile(
    r"cpython-(?P<version>3\.[0-9]+\.[0-9]+)\+(?P<build>[0-9]{8})-(?P<machine>[a-z0-9_]+)-unknown-linux-gnu"
    r"-install_only(?P<stripped>_stripped)?\.tar\.gz"
)


@dataclass(frozen=True, slots=True)
class Build:
    """A build.

    Attributes:
        version: of Python, exact: `3.12.13`.
        build: the date of the release: `20260807`.
        filename: of the archive.
        digest: sha256 of the archive.
        url: where it is.
        stripped: it has no debug symbols.

    """

    version: str
    build: str
    filename: str
    digest: Digest
    url: str
    stripped: bool

    @property
    def minor(self) -> str:
        """`3.12` of `3.12.13`."""
        return ".".join(self.version.split(".")[:2])

    @property
    def order(self) -> tuple[Version, str, bool]:
        """By what the better of two builds is the greater."""
        return Version(self.version), self.build, self.stripped


def shipped(platform: Platform) -> tuple[Build, ...]:
    """The builds for a platform that `pbs-installer` knows, the newest Python first."""
    # The package's own functions give one build at a time, and need to be asked for its version.
    listed = json.loads((resources.files("pbs_installer") / "versions.json").read_bytes())
    return _best(
        _build(file["url"], file["sha256"], platform)
        for row in listed
        if row["python_version"]["implementation"] == "cpython" and not row["python_version"]["freethreaded"]
        for file in row["files"]
    )


def read(document: bytes, platform: Platform, where: str) -> tuple[Build, ...]:
    """Read a list in the form of uv's: a JSON object with an object for each build.

    Args:
        document: the list.
        platform: whose builds are wanted.
        where: the list comes from, for messages.

    Returns:
        The builds, the newest Python first. What has no hash, and other implementations, are passed over.

    Raises:
        UntrustedError: it is no such list.

    """
    try:
        rows = json.loads(document.decode("utf-8"))
        return _best(_of_row(row, platform) for row in rows.values())
    except (UnicodeDecodeError, ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        raise UntrustedError(
            f"{where} is no list of Pythons: {error}",
            hint="the list has the form of uv's download metadata; check the address",
        ) from error


def _of_row(row: Mapping[str, Any], platform: Platform) -> Build | None:
    if row["name"] != "cpython" or row.get("variant") or row.get("prerelease"):
        return None
    found = _build(row["url"], row.get("sha256"), platform)
    if found is not None and found.version != f"{row['major']}.{row['minor']}.{row['patch']}":
        raise ValueError(f"{found.filename} is not of the version that it stands under")
    return found


def _build(url: str, digest: str | None, platform: Platform) -> Build | None:
    """The build of an address; None where it is not for the platform, or of another kind."""
    parts = urlsplit(url)
    filename = unquote(parts.path.rpartition("/")[2])
    name = _NAME.fullmatch(filename)
    if name is None or digest is None or name["machine"] != platform.machine:
        return None
    if parts.scheme not in {"http", "https", "file"}:
        raise ValueError(f"{filename} has no http, https or file URL")
    return Build(
        version=name["version"],
        build=name["build"],
        filename=filename,
        digest=Digest(digest),
        url=url,
        stripped=name["stripped"] is not None,
    )


def _best(found: Iterable[Build | None]) -> tuple[Build, ...]:
    """The best build of each version, the newest version first."""
    best: dict[str, Build] = {}
    for build in found:
        if build is not None:
            known = best.setdefault(build.version, build)
            best[build.version] = max(known, build, key=lambda one: one.order)
    return tuple(sorted(best.values(), key=lambda build: build.order, reverse=True))
