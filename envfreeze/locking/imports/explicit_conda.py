"""Explicit conda files: `@EXPLICIT`, then one URL a line with the file's md5 or sha256 behind `#`.

https://docs.conda.io/projects/conda/en/stable/user-guide/tasks/manage-environments.html#building-identical-conda-environments
"""

from __future__ import annotations

import re

from envfreeze.errors import UsageError
from envfreeze.locking.imports.foreign import plain_url, text_of
from envfreeze.locking.imports.model import ImportedConda, ImportedLock

KIND = "explicit conda file"
_MARK = "@EXPLICIT"
_FRAGMENT = re.compile(r"(?:sha256:)?([0-9a-f]{64})|(?:md5:)?([0-9a-f]{32})", re.IGNORECASE)
_PLACE = re.compile(
    r".*/(linux-[a-z0-9]+|osx-[a-z0-9]+|win-[a-z0-9]+|noarch|[a-z]+-[a-z0-9]+)/[^/]+\.(?:conda|tar\.bz2)"
)


def parse(content: bytes, file: str) -> ImportedLock:
    """Read an explicit file.

    Args:
        content: the file.
        file: its name, for errors.

    Raises:
        UsageError: it is not one.

    """
    packages: list[ImportedConda] = []
    is_explicit = False
    for number, raw in enumerate(text_of(content, file).splitlines(), start=1):
        line = raw.strip()
        if line == _MARK:
            is_explicit = True
        elif line and not line.startswith("#"):
            if not is_explicit:
                raise UsageError(f"{file}, line {number}: stands before {_MARK}")
            packages.append(package_at(line, f"{file}, line {number}"))
    if not is_explicit:
        raise UsageError(f"{file} has no line {_MARK}", hint="make one: `conda list --explicit --sha256`")
    platforms = {package.subdir for package in packages} - {"noarch"}
    if len(platforms) > 1:
        raise UsageError(f"{file} holds packages of several platforms: {', '.join(sorted(platforms))}")
    return ImportedLock(
        file=file,
        kind=KIND,
        packages=(),
        conda=tuple(packages),
        platforms=tuple(platforms),
    )


def package_at(text: str, where: str) -> ImportedConda:
    """Read a package's URL with its hash behind `#`.

    Args:
        text: the URL.
        where: file and line, for errors.

    Raises:
        UsageError: it is not the URL of a conda package.

    """

    def blame(what: str) -> UsageError:
        return UsageError(f"{where}: {what}")

    place, _, fragment = text.partition("#")
    url = plain_url(place, blame)
    found = _PLACE.fullmatch(url)
    if found is None:
        raise blame("is not the URL of a .conda or .tar.bz2 file in a channel")
    hashes = _FRAGMENT.fullmatch(fragment)
    if fragment and hashes is None:
        raise blame(f"{fragment!r} is neither an md5 nor a sha256")
    return ImportedConda(
        url=url,
        subdir=found[1],
        sha256=hashes[1].lower() if hashes and hashes[1] else None,
        md5=hashes[2].lower() if hashes and hashes[2] else None,
    )
