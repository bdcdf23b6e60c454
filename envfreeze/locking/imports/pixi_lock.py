"""`pixi.lock`, read by rattler, which owns the format: conda and PyPI packages by environment and platform.

https://pixi.sh/latest/workspace/lockfile/. The environment `default` is taken where the project names no
other in `[pip] groups`.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from envfreeze.errors import UsageError
from envfreeze.locking.imports import trees
from envfreeze.locking.imports.explicit_conda import package_at
from envfreeze.locking.imports.foreign import (
    filename_of,
    load_yaml,
    normal_name,
    plain_url,
    relative_path,
)
from envfreeze.locking.imports.model import (
    Dependency,
    ImportedConda,
    ImportedFile,
    ImportedLock,
    ImportedPackage,
)
from envfreeze.locking.indexes import redact
from envfreeze.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Callable

    from rattler.lock import Environment, LockPlatform, PypiLockedPackage
    from rattler.repo_data import RepoDataRecord

KIND = "pixi.lock"


def parse(content: bytes, file: str) -> ImportedLock:
    """Read a `pixi.lock`.

    Args:
        content: the file.
        file: its name, for errors.

    Raises:
        UsageError: it is not one, or of a version that is not known.

    """
    from rattler.lock import LockFile  # noqa: PLC0415 - heavy

    load_yaml(content, file)
    conda: dict[tuple[str, str], ImportedConda] = {}
    pip: dict[tuple[str, str, str], ImportedPackage] = {}
    with tempfile.TemporaryDirectory(prefix="envfreeze-import-") as folder:
        path = Path(folder) / "pixi.lock"
        path.write_bytes(content)
        try:
            environments = LockFile.from_path(path).environments()
            platforms: dict[str, None] = {}
            for name, environment in environments:
                for platform in environment.platforms():
                    platforms[platform.name] = None
                    _read(file, name, environment, platform, conda, pip)
        except UsageError:
            raise
        except Exception as error:  # rattler raises its own types and plain exceptions alike
            reason = redact(str(error).replace(str(path), file)).replace("\n", " ")
            raise UsageError(f"{file} cannot be read: {reason}", hint="write it anew: `pixi lock`") from error
    return ImportedLock(
        file=file,
        kind=KIND,
        packages=tuple(pip.values()),
        conda=tuple(conda.values()),
        groups=frozenset(name for name, _ in environments),
        default_groups=("default",) if any(name == "default" for name, _ in environments) else (),
        platforms=tuple(platforms),
    )


def _read(
    file: str,
    name: str,
    environment: Environment,
    platform: LockPlatform,
    conda: dict[tuple[str, str], ImportedConda],
    pip: dict[tuple[str, str, str], ImportedPackage],
) -> None:
    """Add an environment's packages for a platform; one of several environments is one package."""
    for record in environment.conda_repodata_records_for_platform(platform) or ():
        one = _conda(record, platform.name, file)
        key = (one.url, platform.name)
        known = conda.get(key)
        conda[key] = replace(one, groups=(*(known.groups if known else ()), name))
    for package in environment.pypi_packages_for_platform(platform) or ():
        imported = _pip(package, platform.name, file)
        at = (imported.name, package.location, platform.name)
        before = pip.get(at)
        pip[at] = replace(imported, groups=(*(before.groups if before else ()), name))


def _conda(record: RepoDataRecord, platform: str, file: str) -> ImportedConda:
    place = package_at(record.url.partition("#")[0], f"{file}: {record.name.normalized}")
    noarch = record.noarch
    return ImportedConda(
        url=place.url,
        subdir=place.subdir,
        platform=platform,
        md5=None if record.md5 is None else record.md5.hex(),
        sha256=None if record.sha256 is None else record.sha256.hex(),
        size=record.size,
        build_number=record.build_number,
        depends=tuple(record.depends),
        constrains=tuple(record.constrains),
        noarch="python" if noarch.python else "generic" if noarch.generic else None,
    )


def _pip(package: PypiLockedPackage, platform: str, file: str) -> ImportedPackage:
    place = package.location

    def blame(what: str) -> UsageError:
        return UsageError(f"{file}: {package.name}: {what}")

    tree = url = path = None
    bare = place.removeprefix("direct+")
    if bare.startswith(trees.PREFIXES):
        tree = trees.of_requirement(bare)
    elif "://" in place:
        url = plain_url(bare, blame)
    elif place.endswith((".whl", ".tar.gz", ".zip")):
        path = relative_path(place, blame)
    else:
        tree = trees.of_folder(trees.file_of(place, blame))
    files = () if tree else (ImportedFile(filename_of(url or path or ""), url, path, _sha256(package)),)
    return ImportedPackage(
        name=normal_name(package.name, blame),
        version=package.version or None,
        files=files,
        platform=platform,
        direct=place.startswith("direct+") or path is not None,
        tree=tree,
        dependencies=_edges(package, blame),
    )


def _edges(package: PypiLockedPackage, blame: Callable[[str], UsageError]) -> tuple[Dependency, ...]:
    """Read `requires_dist`: the package's own metadata, extras and markers included."""
    found = []
    for text in package.requires_dist:
        try:
            requirement = Requirement(text)
        except InvalidRequirement as error:
            reason = str(error).partition("\n")[0]
            raise blame(f"{redact(text)!r} is not a requirement: {reason}") from error
        found.append(
            Dependency(
                name=canonicalize_name(requirement.name),
                marker=None if requirement.marker is None else str(requirement.marker),
                extras=tuple(sorted(map(canonicalize_name, requirement.extras))),
            )
        )
    return tuple(found)


def _sha256(package: PypiLockedPackage) -> str | None:
    try:
        value = package.hashes.sha256 if package.hashes is not None else None
    except AttributeError:
        # rattler wraps hashes that are not there, too.
        return None
    return None if value is None else value.hex()
