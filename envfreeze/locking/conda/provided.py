"""Which Python distributions the locked conda packages provide, so that pip resolves around them."""

from __future__ import annotations

import re
from collections import deque
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import unquote

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from envfreeze.errors import ResolutionError
from envfreeze.locking.conda.names import shipped
from envfreeze.locking.provided import Provided

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from envfreeze.digest import Digest
    from envfreeze.locking.conda.contents import Contents
    from envfreeze.locking.model import CondaPackage


# https://github.com/package-url/purl-spec, type `pypi`: `pkg:pypi/torch@2.6.0`.
_PURL = re.compile(r"pkg:pypi/([^@?#/]+)")


def provided(
    packages: Sequence[CondaPackage],
    contents: Mapping[Digest, Contents],
    name_map: Mapping[str, str],
    environment: str,
    read: Callable[[CondaPackage, str], bytes | None] | None = None,
) -> tuple[Provided, ...]:
    """The distributions that lie in the packages.

    In this order of precedence: what the project's `name-map` says of a package, the metadata in its
    site-packages, the channel's `purls`, the shipped map, and for files without metadata the package's own
    name.

    Args:
        packages: all of the target.
        contents: what lies in them.
        name_map: `[conda] name-map`.
        environment: the environment file's name, for explanations.
        read: reads the METADATA of a distribution in a package.

    Returns:
        Sorted by name, each once.

    Raises:
        ResolutionError: two packages provide one distribution in different versions.

    """
    asked_by = _askers(packages)
    found: dict[str, Provided] = {}
    for package in packages:
        for name, version in _of(package, contents[package.digest], name_map):
            why = asked_by.get(package.name, ())
            one = Provided(
                name,
                version,
                f"{package.name} {package.version}",
                _because(package, why, environment),
                None if read is None else partial(read, package, name),
            )
            other = found.setdefault(name, one)
            if other.version != version:
                raise ResolutionError(
                    f"two conda packages hold {name} for Python: {other.package} and {one.package}",
                    hint="ask for one of them, or tell what each provides with [conda] name-map",
                )
    return tuple(found[name] for name in sorted(found))


def _of(package: CondaPackage, contents: Contents, name_map: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    versions = dict(contents.distributions)
    if package.name in name_map:
        names = [canonicalize_name(name_map[package.name])]
    elif versions:
        names = [canonicalize_name(name) for name in versions]
    elif contents.python and package.name != "python":
        named = (match[1] for purl in package.purls if (match := _PURL.match(purl)))
        names = [canonicalize_name(unquote(name)) for name in named]
        names = names or [canonicalize_name(shipped().get(package.name, package.name))]
    else:
        return
    for name in names:
        version = versions.get(name) or _pep_440(package.version)
        if version is not None:
            yield name, version


def _pep_440(version: str) -> str | None:
    try:
        return str(Version(version))
    except InvalidVersion:
        return None


def _askers(packages: Sequence[CondaPackage]) -> Mapping[str, tuple[str, ...]]:
    """By package, the shortest way to it from one that the project asks for, that one first."""
    by_name = {package.name: package for package in packages}
    ways: dict[str, tuple[str, ...]] = {package.name: () for package in packages if package.requested}
    waiting = deque(ways)
    while waiting:
        name = waiting.popleft()
        for spec in by_name[name].depends:
            needed = spec.split()[0] if spec.split() else ""
            if needed in by_name and needed not in ways:
                ways[needed] = (*ways[name], name)
                waiting.append(needed)
    return ways


def _because(package: CondaPackage, way: tuple[str, ...], environment: str) -> str:
    if package.requested:
        return f"asked for by {environment}"
    return f"needed by {' -> '.join(way)} of {environment}" if way else f"locked for {environment}"
