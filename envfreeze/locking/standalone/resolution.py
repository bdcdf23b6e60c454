"""A project's Python, where it is a build of python-build-standalone: the value of the lock."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from envfreeze.errors import MachineError, NetworkError, UsageError
from envfreeze.locking.indexes import without_credentials
from envfreeze.locking.model import STANDALONE_PREFIX, StandalonePython
from envfreeze.locking.standalone import builds, choice, places
from envfreeze.progress import SILENT
from envfreeze.replacing import replace
from envfreeze.store.download import Download, fetch, get

if TYPE_CHECKING:
    from envfreeze.locking.standalone.builds import Build
    from envfreeze.oci.platform import Platform
    from envfreeze.progress import Progress
    from envfreeze.project.model import Project
    from envfreeze.store.cache import Cache

_LARGEST_INDEX = 1 << 26


@dataclass(frozen=True, slots=True)
class Means:
    """With what a Python is resolved.

    Attributes:
        cache: keeps the archive.
        offline: use only what the cache has.
        progress: told what is fetched.

    """

    cache: Cache
    offline: bool = False
    progress: Progress = SILENT


def resolve(
    project: Project,
    platform: Platform,
    means: Means,
    *,
    glibc: str,
    nearest_to: str | None = None,
    prefix: str = STANDALONE_PREFIX,
    last: StandalonePython | None = None,
    move: bool = False,
) -> StandalonePython:
    """Resolve a project's Python to a build, and fetch it: the lock has its size, and that it can be had.

    Args:
        project: says which version, and names a mirror and a list of builds.
        platform: of the image.
        means: with what.
        glibc: of the base.
        nearest_to: the minor version to stay near to where the project names none.
        prefix: where it is to live in the image.
        last: what was locked before; it stays where it fits and nothing is to move.
        move: take the newest that fits.

    Raises:
        UsageError: the base's C library is older than the builds need.
        ResolutionError: no build has the version.
        NetworkError: the list or the archive cannot be had.
        UntrustedError: the list is malformed, or the archive is not the listed one.

    """
    _check_glibc(project, glibc)
    if last is not None and not move and choice.meets(project, last.version):
        return replace(last, prefix=prefix, urls=_urls(project, last, last.urls[-1]))
    build = choice.pick(_listed(project, platform, means), project, platform, nearest_to)
    own = without_credentials(build.url)
    if last is not None and build.digest == last.digest:
        return replace(last, prefix=prefix, urls=_urls(project, build, own))
    python = StandalonePython(
        version=build.version,
        build=build.build,
        filename=build.filename,
        digest=build.digest,
        size=0,
        urls=_urls(project, build, own),
        prefix=prefix,
    )
    path = obtain(python, means)
    try:
        return replace(python, size=path.stat().st_size)
    except OSError as error:
        raise MachineError(f"{path} cannot be read: {error.strerror}") from error


def download(python: StandalonePython) -> Download:
    """What is to be fetched of a locked build."""
    return Download(
        name=python.filename,
        digest=python.digest,
        size=python.size or None,
        urls=places.urls(python),
        advice=places.MIRRORS,
    )


def obtain(python: StandalonePython, means: Means) -> Path:
    """Have a build's archive in the cache.

    Raises:
        NetworkError: it cannot be had.
        UntrustedError: what came is not what is wanted.

    """
    wanted = download(python)
    return fetch(means.cache, [wanted], progress=means.progress, offline=means.offline)[python.digest]


def _urls(project: Project, build: Build | StandalonePython, own: str) -> tuple[str, ...]:
    mirror = project.image.python_mirror
    return (own,) if mirror is None else (places.at(mirror, build.build, build.filename), own)


def _listed(project: Project, platform: Platform, means: Means) -> tuple[Build, ...]:
    place = project.image.python_index or os.environ.get(places.INDEX, "").strip()
    if not place:
        return builds.shipped(platform)
    if "://" not in place and not place.startswith("file:"):
        place = Path(place).absolute().as_uri()  # uv takes a path, too
    if means.offline and not place.startswith("file:"):
        raise NetworkError(
            "which Pythons there are has to be asked, and nothing is fetched offline",
            hint="run it once without --offline",
        )
    document = get(place, progress=means.progress, limit=_LARGEST_INDEX)
    return builds.read(document, platform, without_credentials(place))


def _check_glibc(project: Project, glibc: str) -> None:
    oldest = builds.GLIBC
    if tuple(int(part) for part in glibc.split(".")[:2]) < oldest:
        raise UsageError(
            f"[image] base: {project.image.base} has glibc {glibc}, and python-build-standalone needs "
            f"{oldest[0]}.{oldest[1]}",
            hint="choose a base of a later release, or one that has the Python",
        )
