"""The packages of an environment on this machine, read from the metadata that installers leave behind.

Nothing of the environment is run: distributions are read by importlib.metadata from its site-packages, conda
packages from `conda-meta/*.json`. What was installed from a URL says so in direct_url.json (PEP 610); an
editable install or a local folder cannot be locked and is refused by name.
"""

from __future__ import annotations

import json
import os
import re
import sys
from importlib.metadata import Distribution, DistributionFinder, MetadataPathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from envfreeze.errors import MachineError, UsageError
from envfreeze.locking.imports import trees
from envfreeze.locking.imports.explicit_conda import package_at
from envfreeze.locking.imports.foreign import Foreign, filename_of, normal_version, plain_url
from envfreeze.locking.imports.model import ImportedConda, ImportedFile, ImportedLock, ImportedPackage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from envfreeze.oci.image import Image

KIND = "environment"

_SITE = re.compile(r"python3\.\d+")
_HEX = re.compile(r"[0-9a-f]{64}")
_BARE = re.compile(r"name|version|build|build_number|url|md5|sha256|size|depends|constrains|noarch")
_INSTALLERS = frozenset({"pip", "setuptools", "wheel", "uv"})
"""What makes an environment rather than belongs to it; venv and its successors put these there unasked."""


def active() -> Path:
    """Give the environment that is active in the user's shell, else the one that envfreeze runs in."""
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        if value := os.environ.get(variable):
            return Path(value)
    return Path(sys.prefix)


def read(prefix: Path) -> ImportedLock:
    """Read an environment's packages.

    Args:
        prefix: the folder of a virtual environment, of a conda environment, or of a Python's prefix.

    Raises:
        UsageError: there is no environment, or metadata in it cannot be read.
        MachineError: the folder cannot be read.

    """
    try:
        conda = tuple(_conda_packages(prefix))
        places = _site_packages(prefix)
        if not conda and not places:
            raise UsageError(
                f"{prefix} is not an environment: it has neither site-packages nor conda-meta",
                hint="name a virtual or conda environment: `envfreeze lock --from-env-at .venv`",
            )
        packages = tuple(_packages(places, _owned_by_conda(prefix)))
    except OSError as error:
        raise MachineError(f"{error.filename or prefix} cannot be read: {error.strerror}") from error
    return ImportedLock(
        file=f"the environment {prefix}",
        kind=KIND,
        packages=packages,
        conda=conda,
        requires_python=_requires_python(prefix, places),
        requested=frozenset(_requested(places)) or None,
    )


def read_image(image: Image, *, shown: str, prefix: str | None = None) -> ImportedLock:
    """Read the packages of an image, wherever it is: those of the Python on its PATH, conda's and dpkg's.

    Args:
        image: the image; its layers are streamed, and nothing of it is run.
        shown: what errors call it.
        prefix: where the environment is in it; None: the first on its PATH that holds packages.

    Raises:
        UsageError: it holds no environment, or metadata in it cannot be read.
        UntrustedError: it is damaged, or not what its digests say.
        MachineError: there is no room for what is read of it.

    """
    from envfreeze.locking.imports import inside_image  # noqa: PLC0415 - not needed elsewhere

    return inside_image.read(image, shown=shown, prefix=prefix)


def _site_packages(prefix: Path) -> list[Path]:
    """List the folders that hold distributions: of a virtual environment, conda or an ordinary prefix."""
    found = []
    for lib in ("lib", "lib64", "local/lib"):
        folder = prefix / lib
        if not folder.is_dir() or (lib == "lib64" and folder.is_symlink()):
            continue
        for python in sorted(folder.iterdir()):
            if _SITE.fullmatch(python.name):
                places = (python / "site-packages", python / "dist-packages")
                found += [place for place in places if place.is_dir()]
    return found


def _requires_python(prefix: Path, places: Iterable[Path]) -> str | None:
    """Tell which minor version of Python the environment has; wheels of another would be other wheels."""
    settings = prefix / "pyvenv.cfg"
    if settings.is_file():
        for line in settings.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition("=")
            if key.strip() in {"version", "version_info"} and (match := re.match(r"\s*(3\.\d+)", value)):
                return f"=={match[1]}.*"
    minors = {place.parent.name.removeprefix("python") for place in places}
    return f"=={minors.pop()}.*" if len(minors) == 1 else None


def _distributions(places: Iterable[Path]) -> Iterable[Distribution]:
    context = DistributionFinder.Context(path=[str(place) for place in places])
    return MetadataPathFinder.find_distributions(context)


def _packages(places: list[Path], owned: frozenset[Path]) -> Iterable[ImportedPackage]:
    seen: set[str] = set()
    for distribution in sorted(_distributions(places), key=lambda one: str(_place_of(one))):
        if _place_of(distribution) in owned:
            continue
        package = _package(distribution)
        # What `sys.path` finds first is what is imported.
        if package is not None and package.name not in seen:
            seen.add(package.name)
            yield package


def _place_of(distribution: Distribution) -> object:
    return getattr(distribution, "_path", "")


def _package(distribution: Distribution) -> ImportedPackage | None:
    where = str(_place_of(distribution))

    def blame(what: str) -> UsageError:
        return UsageError(f"{where}: {what}", hint="reinstall the package, or remove what is left of it")

    try:
        metadata: Mapping[str, Any] = distribution.metadata  # type: ignore[assignment]
        name, version = metadata["Name"], metadata["Version"]
        installer = (distribution.read_text("INSTALLER") or "").strip()
        written = distribution.read_text("direct_url.json")
    except (UnicodeDecodeError, KeyError, ValueError, TypeError) as error:
        raise blame(f"its metadata cannot be read: {error}") from error
    if not name or not version:
        raise blame("its metadata give no name or version")
    normal = canonicalize_name(str(name))
    if installer == "conda" or normal in _INSTALLERS:
        return None
    pinned = normal_version(str(version), blame)
    if where.endswith(".egg-info") and not installer:
        return ImportedPackage(normal, pinned, refused="is a development install")
    return ImportedPackage(normal, pinned) if written is None else _direct(normal, pinned, written, where)


def _direct(name: str, version: str, written: str, where: str) -> ImportedPackage:
    """Read direct_url.json (PEP 610): an archive with its hash, a repository, or a folder."""
    try:
        document = json.loads(written)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{where}/direct_url.json is not JSON: {error}") from error
    table = Foreign(f"{where}/direct_url.json: ", document if isinstance(document, dict) else {})
    url = table.string("url")
    if table.has("vcs_info"):
        vcs = table.inner("vcs_info")
        subdirectory = table.optional_string("subdirectory") if table.has("subdirectory") else None
        tree = trees.of_requirement(f"{vcs.string('vcs')}+{url}")
        if vcs.string("vcs") == "git":
            revision = vcs.optional_string("requested_revision") if vcs.has("requested_revision") else None
            commit = vcs.optional_string("commit_id")
            tree = trees.of_repository(url, commit, revision=revision, subdirectory=subdirectory)
        return ImportedPackage(name, version, tree=tree)
    if table.has("dir_info"):
        kind = "an editable install" if table.inner("dir_info").flag("editable") else "a local install"
        return ImportedPackage(name, version, tree=trees.of_folder(url, f"is {kind}"))
    plain = plain_url(url, lambda what: table.wrong("url", what))
    archive = table.inner("archive_info")
    hashes = archive.inner("hashes")
    stated = hashes.optional_string("sha256") if hashes.has("sha256") else None
    if stated is None and archive.has("hash"):
        algorithm, _, value = archive.string("hash").partition("=")
        stated = value if algorithm == "sha256" else None
    if stated is not None and not _HEX.fullmatch(stated):
        raise archive.wrong("hashes", f"{stated!r} is not a sha256")
    file = ImportedFile(filename_of(plain), url=plain, sha256=stated)
    return ImportedPackage(name, version, (file,), direct=True)


def _requested(places: list[Path]) -> Iterable[str]:
    """Name what was asked for, where an installer noted it (PEP 376's REQUESTED)."""
    for distribution in _distributions(places):
        if distribution.read_text("REQUESTED") is not None and distribution.metadata["Name"]:
            yield canonicalize_name(distribution.metadata["Name"])


def _owned_by_conda(prefix: Path) -> frozenset[Path]:
    """Give the metadata folders of Python distributions that conda packages brought."""
    folder = prefix / "conda-meta"
    owned: set[Path] = set()
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        document = json.loads(path.read_bytes())
        names = document.get("files") if isinstance(document, dict) else None
        for name in names if isinstance(names, list) else ():
            head, found, _ = str(name).partition(".dist-info/")
            if found:
                owned.add(prefix / f"{head}.dist-info")
    return frozenset(owned)


def _conda_packages(prefix: Path) -> Iterable[ImportedConda]:
    folder = prefix / "conda-meta"
    if not folder.is_dir():
        return
    for path in sorted(folder.glob("*.json")):
        try:
            document = json.loads(path.read_bytes())
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{path} is not JSON: {error}") from error
        values = document if isinstance(document, dict) else {}
        record = Foreign(f"{path}: ", {key: values[key] for key in values if _BARE.fullmatch(key)})
        place = package_at(record.string("url").partition("#")[0], str(path))
        noarch = record.get("noarch")
        yield ImportedConda(
            url=place.url,
            subdir=place.subdir,
            md5=record.optional_string("md5") if record.has("md5") else None,
            sha256=record.optional_string("sha256") if record.has("sha256") else None,
            size=record.optional_size("size") if record.has("size") else None,
            build_number=record.optional_size("build_number") if record.has("build_number") else None,
            depends=record.optional_strings("depends") if record.has("depends") else None,
            constrains=record.optional_strings("constrains") if record.has("constrains") else None,
            noarch=noarch if noarch in {"python", "generic"} else None,
        )
