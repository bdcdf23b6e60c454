"""`conda-lock.yml`, version 1: conda and pip packages of several platforms, by conda-lock's own models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.errors import UsageError
from envfreeze.locking.imports import trees
from envfreeze.locking.imports.explicit_conda import package_at
from envfreeze.locking.imports.foreign import filename_of, load_yaml, normal_name, plain_url
from envfreeze.locking.imports.model import (
    Dependency,
    ImportedConda,
    ImportedFile,
    ImportedLock,
    ImportedPackage,
)
from envfreeze.locking.indexes import redact

if TYPE_CHECKING:
    from conda_lock.lockfile.v1.models import LockedDependency

KIND = "conda-lock.yml"
_VERSION = 1


def parse(content: bytes, file: str) -> ImportedLock:
    """Read a `conda-lock.yml`.

    Args:
        content: the file.
        file: its name, for errors.

    Raises:
        UsageError: it is not one, or of a version that is not known.

    """
    from conda_lock.lockfile.v1.models import Lockfile  # noqa: PLC0415 - heavy

    document = load_yaml(content, file)
    version = document.get("version")
    if version != _VERSION:
        raise UsageError(
            f"{file} is of conda-lock version {version!r}; this envfreeze reads version {_VERSION}",
            hint="write it anew: `conda-lock lock`",
        )
    values = document.values()
    del values["version"]
    try:
        lock = Lockfile.model_validate(values)
    except (ValueError, TypeError, KeyError) as error:  # its own validators meet what is missing
        reason = "; ".join(str(error).splitlines()[1:3]) or str(error)
        raise UsageError(
            f"{file} is not a valid conda-lock.yml: {redact(reason)}", hint="write it anew: `conda-lock lock`"
        ) from error
    conda = tuple(_conda(one, file) for one in lock.package if one.manager == "conda")
    pip = tuple(_pip(one, file) for one in lock.package if one.manager == "pip")
    categories = {one.category for one in lock.package}
    return ImportedLock(
        file=file,
        kind=KIND,
        packages=pip,
        conda=conda,
        groups=frozenset(categories),
        platforms=tuple(lock.metadata.platforms),
    )


def _conda(one: LockedDependency, file: str) -> ImportedConda:
    place = package_at(one.url.partition("#")[0], f"{file}: {one.name}")
    if place.subdir not in {one.platform, "noarch"}:
        raise UsageError(f"{file}: {one.name}: is locked for {one.platform} and lies in {place.subdir}")
    return ImportedConda(
        url=place.url,
        subdir=place.subdir,
        platform=one.platform,
        md5=None if one.hash.md5 is None else one.hash.md5.lower(),
        sha256=None if one.hash.sha256 is None else one.hash.sha256.lower(),
        groups=(one.category,),
    )


def _pip(one: LockedDependency, file: str) -> ImportedPackage:
    def blame(what: str) -> UsageError:
        return UsageError(f"{file}: {one.name}: {what}")

    name = normal_name(one.name, blame)
    edges = tuple(Dependency(normal_name(key, blame)) for key in one.dependencies)
    if one.url.startswith(trees.PREFIXES):
        return ImportedPackage(
            name=name,
            version=None,
            platform=one.platform,
            groups=(one.category,),
            tree=trees.of_requirement(one.url),
            dependencies=edges,
        )
    url = plain_url(one.url, blame)
    return ImportedPackage(
        name=name,
        version=one.version,
        files=(ImportedFile(filename_of(url), url=url, sha256=one.hash.sha256),),
        platform=one.platform,
        groups=(one.category,),
        direct=one.source is not None,
        dependencies=edges,
    )
