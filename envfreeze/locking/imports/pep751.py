"""`pylock.toml` of any tool (PEP 751), read by packaging's own model.

https://packaging.python.org/en/latest/specifications/pylock-toml/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from packaging.pylock import PylockUnsupportedVersionError, PylockValidationError, is_valid_pylock_path
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)

from envfreeze.errors import UsageError
from envfreeze.locking.imports import trees
from envfreeze.locking.imports.foreign import filename_of, load_toml, plain_url, relative_path
from envfreeze.locking.imports.model import Dependency, ImportedFile, ImportedLock, ImportedPackage
from envfreeze.locking.indexes import without_credentials

if TYPE_CHECKING:
    from packaging.pylock import Package, PackageArchive, PackageSdist, PackageWheel

KIND = "pylock.toml"

__all__ = ["KIND", "is_valid_pylock_path", "parse"]


def parse(content: bytes, file: str) -> ImportedLock:
    """Read a `pylock.toml`.

    Args:
        content: the file.
        file: its name, for errors.

    Raises:
        UsageError: it is not one, or of a version that is not known.

    """
    from packaging.pylock import Pylock  # noqa: PLC0415 - heavy

    document = load_toml(content, file).values()
    try:
        lock = Pylock.from_dict(_without_odd_files(document))
    except PylockUnsupportedVersionError as error:
        raise UsageError(f"{file}: {error}", hint="run `pip install --upgrade envfreeze`") from error
    except (PylockValidationError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise UsageError(
            f"{file} is not a valid pylock.toml: {error}", hint="write it anew with its own tool"
        ) from error
    return ImportedLock(
        file=file,
        kind=KIND,
        packages=tuple(_package(package, file) for package in lock.packages),
        extras=frozenset(lock.extras or ()),
        groups=frozenset(lock.dependency_groups or ()),
        default_groups=tuple(lock.default_groups or ()),
        requires_python=None if lock.requires_python is None else str(lock.requires_python),
        environments=tuple(map(str, lock.environments or ())),
    )


def _without_odd_files(document: dict[str, Any]) -> dict[str, Any]:
    """Leave out files of names that no installer takes: packaging refuses a whole document for one."""
    packages = document.get("packages")
    if not isinstance(packages, list):
        return document
    return {**document, "packages": [_without_odd(package) for package in packages]}


def _without_odd(package: Any) -> Any:  # noqa: ANN401 - not judged yet
    if not isinstance(package, dict):
        return package
    kept = dict(package)
    if isinstance(kept.get("wheels"), list) and kept["wheels"]:
        good = [file for file in kept["wheels"] if not _is_odd(file, parse_wheel_filename)]
        kept["wheels"] = good
    if _is_odd(kept.get("sdist"), parse_sdist_filename):
        del kept["sdist"]
    return kept


def _is_odd(file: Any, parse_filename: Any) -> bool:  # noqa: ANN401 - not judged yet
    if not isinstance(file, dict):
        return False
    place = file.get("name") or file.get("url") or file.get("path")
    if not isinstance(place, str):
        return False
    try:
        parse_filename(filename_of(place))
    except (InvalidWheelFilename, InvalidSdistFilename):
        return True
    except ValueError:
        return False
    return False


def _package(package: Package, file: str) -> ImportedPackage:
    def blame(what: str) -> UsageError:
        return UsageError(f"{file}: {package.name}: {what}")

    tree = None
    if package.vcs is not None and package.vcs.type == "git":
        tree = trees.of_repository(
            str(package.vcs.url or package.vcs.path),
            package.vcs.commit_id,
            revision=package.vcs.requested_revision,
            subdirectory=package.vcs.subdirectory,
        )
    elif package.vcs is not None:
        tree = trees.of_requirement(f"{package.vcs.type}+{package.vcs.url or package.vcs.path}")
    elif package.directory is not None:
        folder = trees.file_of(package.directory.path, blame)
        within = package.directory.subdirectory
        tree = trees.of_folder(f"{folder}/{trees.file_of(within, blame)}" if within else folder)
    listed = package.archive or (*(package.wheels or ()), *((package.sdist,) if package.sdist else ()))
    files = listed if isinstance(listed, tuple) else (listed,)
    return ImportedPackage(
        name=package.name,
        version=None if package.version is None else str(package.version),
        files=tuple(_file(one, package.name, file) for one in files),
        marker=_marker(package),
        index=None if package.index is None else without_credentials(package.index),
        direct=package.archive is not None,
        tree=tree,
        dependencies=_edges(package),
    )


def _edges(package: Package) -> tuple[Dependency, ...] | None:
    """Read `dependencies`, tables that tell one locked package; only some tools write them."""
    if package.dependencies is None:
        return None
    named = (one.get("name") for one in package.dependencies)
    return tuple(Dependency(canonicalize_name(name)) for name in named if isinstance(name, str))


def _marker(package: Package) -> str | None:
    return None if package.marker is None else str(package.marker)


def _file(one: PackageArchive | PackageSdist | PackageWheel, package: str, file: str) -> ImportedFile:
    def blame(what: str) -> UsageError:
        return UsageError(f"{file}: {package}: a file's place {what}")

    url = None if one.url is None else plain_url(one.url, blame)
    path = None if one.path is None or url is not None else relative_path(one.path, blame)
    named = getattr(one, "name", None)
    return ImportedFile(
        filename=named or filename_of(url or path or ""),
        url=url,
        path=path,
        sha256=_sha256(one, package, file),
        size=one.size,
        subdirectory=getattr(one, "subdirectory", None),
    )


def _sha256(one: PackageArchive | PackageSdist | PackageWheel, package: str, file: str) -> str | None:
    value = one.hashes.get("sha256")
    if value is None:
        return None
    if len(value) != 64 or not set(value) <= set("0123456789abcdefABCDEF"):  # noqa: PLR2004 - sha256 in hex
        raise UsageError(f"{file}: {package}: {value!r} is not a sha256")
    return value.lower()
