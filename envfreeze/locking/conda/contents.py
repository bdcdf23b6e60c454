"""What lies in conda packages, as far as a lock has to know: link scripts and Python distributions.

A channel's index says neither, so the packages themselves are looked into. They are downloaded whole: a
build needs them, and only the whole file can be held against its sha256. What was seen once is remembered.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from envfreeze.errors import UntrustedError, UsageError
from envfreeze.replacing import replace
from envfreeze.store.download import Download, fetch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from envfreeze.digest import Digest
    from envfreeze.locking.model import CondaPackage
    from envfreeze.progress import Progress
    from envfreeze.store.cache import Cache

_RULE = "conda-contents-1"
_LARGEST_METADATA = 1 << 22
# https://docs.conda.io/projects/conda-build/en/latest/resources/link-scripts.html
_SCRIPT = re.compile(r"(?:bin|python-scripts)/\.[^/]+-(?:post-link|pre-link|pre-unlink)\.sh")
_SITE = r"(?:lib/python3\.\d+t?/)?site-packages/"
_DIST_INFO = re.compile(_SITE + r"(?P<name>[^/]+?)-(?P<version>[^/-]+)\.dist-info/METADATA")
_EGG_INFO = re.compile(
    _SITE + r"(?P<name>[^/-]+)(?:-(?P<version>[^/-]+))?(?:-py\d+(?:\.\d+)?)?\.egg-info(?:/PKG-INFO)?"
)
_ANY_SITE = re.compile(_SITE + r"(?!README\.txt$).+")


@dataclass(frozen=True, slots=True)
class Contents:
    """What a package holds.

    Attributes:
        scripts: its link scripts' paths, sorted.
        distributions: normalised name and version of each Python distribution whose metadata it holds; the
            version is None where the metadata's path has none.
        python: it has files below site-packages.
        md5: of the file, in hex.

    """

    scripts: tuple[str, ...]
    distributions: tuple[tuple[str, str | None], ...]
    python: bool
    md5: str


def look(
    packages: Sequence[CondaPackage],
    *,
    cache: Cache,
    offline: bool,
    progress: Progress,
    authenticate: Callable[[str], str] = str,
) -> Mapping[Digest, Contents]:
    """Look into packages; what is not known yet is downloaded.

    Args:
        packages: locked ones.
        cache: keeps the files and what was seen in them.
        offline: fetch nothing.
        progress: told of the downloads.
        authenticate: puts credentials into the locked URLs.

    Returns:
        The contents by digest.

    Raises:
        NetworkError: a package cannot be had.
        UntrustedError: a package is not what its channel says, or is damaged.

    """
    known: dict[Digest, Contents] = {}
    unknown: list[CondaPackage] = []
    for package in packages:
        fact = cache.recall(_RULE, str(package.digest))
        if fact is None:
            unknown.append(package)
        else:
            known[package.digest] = Contents(
                tuple(fact["scripts"]),
                tuple((name, version) for name, version in fact["distributions"]),
                bool(fact["python"]),
                str(fact["md5"]),
            )
    downloads = [
        Download(package.filename, package.digest, package.size, (authenticate(package.url),))
        for package in unknown
    ]
    files = fetch(cache, downloads, progress=progress, offline=offline)
    for package in unknown:
        contents = _read(package, files[package.digest], cache)
        known[package.digest] = contents
        cache.remember(
            _RULE,
            str(package.digest),
            {
                "scripts": list(contents.scripts),
                "distributions": [list(distribution) for distribution in contents.distributions],
                "python": contents.python,
                "md5": contents.md5,
            },
        )
    return known


def metadata(
    package: CondaPackage,
    name: str,
    *,
    cache: Cache,
    offline: bool,
    progress: Progress,
    authenticate: Callable[[str], str] = str,
) -> bytes | None:
    """Read the METADATA of a Python distribution in a package; None: it holds none.

    Raises:
        NetworkError: the package cannot be had.
        UntrustedError: it is not what its channel says, or is damaged.

    """
    from conda_package_streaming.package_streaming import (  # noqa: PLC0415 - heavy
        stream_conda_component,
    )

    wanted = Download(package.filename, package.digest, package.size, (authenticate(package.url),))
    path = fetch(cache, [wanted], progress=progress, offline=offline)[package.digest]
    try:
        with path.open("rb") as file:
            for tar, member in stream_conda_component(package.filename, file):
                match = _DIST_INFO.fullmatch(member.name) or _EGG_INFO.fullmatch(member.name)
                if match is None or canonicalize_name(match["name"]) != name or not member.isfile():
                    continue
                extracted = tar.extractfile(member)
                return None if extracted is None else extracted.read(_LARGEST_METADATA)
    except Exception as error:  # whatever a damaged archive makes its readers raise
        raise UntrustedError(
            f"{package.filename} of {package.channel} cannot be read: {error}",
            hint="tell who runs the channel",
        ) from error
    return None


def check_scripts(
    packages: Iterable[CondaPackage], contents: Mapping[Digest, Contents], allowed: Sequence[str]
) -> None:
    """Refuse packages with link scripts that are not allowed by name.

    Raises:
        UsageError: there are some; all are named.

    """
    having = [package for package in packages if contents[package.digest].scripts]
    refused = [package for package in having if package.name not in allowed]
    if refused:
        names = ", ".join(f'"{package.name}"' for package in refused)
        raise UsageError(
            "envfreeze runs nothing from a package, and "
            f"{len(refused)} conda package{' has' if len(refused) == 1 else 's have'} link scripts",
            details=tuple(
                f"{package.name} {package.version}: {', '.join(contents[package.digest].scripts)}"
                for package in refused
            ),
            hint=f"read the scripts; if the image is right without: [conda] allow-link-scripts = [{names}]",
        )


def with_md5(
    packages: Sequence[CondaPackage], contents: Mapping[Digest, Contents]
) -> tuple[CondaPackage, ...]:
    """Fill in the md5 where a channel states none: conda-lock's format has to have it."""
    return tuple(
        package if package.md5 is not None else replace(package, md5=contents[package.digest].md5)
        for package in packages
    )


def with_scripts_allowed(
    packages: Sequence[CondaPackage], contents: Mapping[Digest, Contents]
) -> tuple[CondaPackage, ...]:
    """Say of packages with link scripts that they may have them: `check_scripts` let them through."""
    return tuple(
        replace(package, allowed_scripts=True) if contents[package.digest].scripts else package
        for package in packages
    )


def _read(package: CondaPackage, file: Path, cache: Cache) -> Contents:
    from rattler import IndexJson, PathsJson  # noqa: PLC0415 - heavy
    from rattler.exceptions import ConversionError, ExtractError, IoError  # noqa: PLC0415 - heavy

    with cache.scratch() as folder:
        # The reader tells the formats apart by the name.
        named = folder / package.filename
        named.symlink_to(file)
        try:
            index = IndexJson.from_package_archive(named)
            paths = [entry.relative_path for entry in PathsJson.from_package_archive(named).paths]
        except (ExtractError, IoError, ConversionError, OSError, ValueError) as error:
            raise UntrustedError(
                f"{package.filename} of {package.channel} cannot be read: {str(error).splitlines()[0]}",
                hint="tell who runs the channel",
            ) from error
    stated = (index.name.normalized, str(index.version), str(index.build))
    if stated != (package.name, package.version, package.build):
        raise UntrustedError(
            f"{package.filename} of {package.channel} calls itself {' '.join(stated)}, the channel "
            f"{package.name} {package.version} {package.build}",
            hint="tell who runs the channel",
        )
    texts = sorted(str(path) for path in paths)
    with file.open("rb") as opened:
        md5 = hashlib.file_digest(opened, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    return Contents(
        scripts=tuple(text for text in texts if _SCRIPT.fullmatch(text)),
        distributions=tuple(sorted(_distributions(texts).items())),
        python=any(_ANY_SITE.fullmatch(text) for text in texts),
        md5=md5,
    )


def _distributions(paths: Iterable[str]) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for path in paths:
        match = _DIST_INFO.fullmatch(path) or _EGG_INFO.fullmatch(path)
        if match is not None:
            name = canonicalize_name(match["name"])
            found[name] = _version(match["version"]) or found.get(name)
    return found


def _version(text: str | None) -> str | None:
    try:
        # The file name has `_` where the version has `-` or `+`'s neighbours do.
        return None if text is None else str(Version(text.replace("_", "-")))
    except InvalidVersion:
        return None
