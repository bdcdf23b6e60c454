"""Which files a layer is made of, and where they are fetched from."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from envfreeze.locking.standalone.resolution import download
from envfreeze.store.download import Download, fetch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from envfreeze.digest import Digest
    from envfreeze.locking.model import (
        AptBase,
        CondaPackage,
        Deb,
        PlannedLayer,
        StandalonePython,
        Target,
        Wheel,
    )
    from envfreeze.progress import Progress
    from envfreeze.store.cache import Cache


_GONE = (
    "`envfreeze lock --upgrade-package {0.name}` takes the version that the archive has now; a snapshot that "
    "is not there yet may come within a day"
)
_FURTHER_GONE = (
    "{0.archive} keeps no old versions, and no snapshots of it are known: `envfreeze lock --upgrade-package "
    "{0.name}` takes the version that it has now; a mirror of your own, as [[apt]] url, keeps what you need"
)


def debs_of(target: Target, layer: PlannedLayer) -> tuple[Deb, ...]:
    """The OS packages that a layer is made of, sorted by name: all of them for `system`."""
    if layer.kind == "system":
        return target.base.packages
    names = set(layer.packages) if layer.kind == "debs" else set()
    return tuple(deb for deb in target.base.packages if deb.name in names)


def conda_of(target: Target, layer: PlannedLayer) -> tuple[CondaPackage, ...]:
    """The conda packages that a layer is made of, sorted by name."""
    names = set(layer.packages) if layer.kind == "conda" else set()
    return tuple(package for package in target.conda if package.name in names)


def python_of(target: Target, layer: PlannedLayer) -> StandalonePython | None:
    """The Python that a layer is made of; None: it is made of something else."""
    return target.standalone if layer.kind == "python" else None


def wheels_of(target: Target, layer: PlannedLayer) -> tuple[Wheel, ...]:
    """The wheels that a layer is made of, sorted by name; for `environment` those that it marks."""
    if layer.kind == "environment":
        return tuple(wheel for wheel in target.wheels if wheel.requested or wheel.direct)
    names = set(layer.packages) if layer.kind == "wheels" else set()
    return tuple(wheel for wheel in target.wheels if wheel.name in names)


def obtain(
    target: Target,
    debs: Iterable[Deb],
    wheels: Iterable[Wheel],
    conda: Iterable[CondaPackage] = (),
    python: StandalonePython | None = None,
    *,
    cache: Cache,
    root: Path,
    offline: bool,
    progress: Progress,
    authenticate: Callable[[str], str] = str,
    compiled: Callable[[Wheel, Target], Path] | None = None,
) -> dict[Digest, Path]:
    """Have the artifacts in the cache, downloading or building from their locked source what is missing.

    `authenticate` puts credentials into URLs, which the lock never has. `root` is the project's folder, where
    the sources of local projects are. `compiled` has a wheel that needs a compiler; None: only the cache has.

    Raises:
        NetworkError: an artifact cannot be had.
        UntrustedError: what came, or was built, is not what was locked.
        ResolutionError: a locked source cannot be built here.
        MachineError: this machine cannot isolate a build.

    """
    wheels = list(wheels)
    artifacts: list[CondaPackage | Wheel] = [*conda, *(wheel for wheel in wheels if wheel.source is None)]
    downloads = [
        *_deb_downloads(target.base, debs, authenticate),
        *(
            Download(artifact.filename, artifact.digest, artifact.size, (authenticate(artifact.url),))
            for artifact in artifacts
        ),
    ]
    if python is not None:
        downloads.append(download(python))
    files = fetch(cache, downloads, progress=progress, offline=offline)
    if built := [wheel for wheel in wheels if wheel.source is not None]:
        from envfreeze.locking.sources.builder import rebuilt  # noqa: PLC0415 - not needed without sources
        from envfreeze.locking.sources.workshop import Workshop  # noqa: PLC0415 - with it

        workshop = Workshop(cache, progress, offline, authenticate)
        for wheel in built:
            compiles = compiled is not None and wheel.source is not None and wheel.source.devel is not None
            files[wheel.digest] = (
                compiled(wheel, target) if compiled and compiles else rebuilt(wheel, root, workshop)
            )
    return files


def obtain_debs(
    base: AptBase,
    debs: Iterable[Deb],
    *,
    cache: Cache,
    offline: bool,
    progress: Progress,
    authenticate: Callable[[str], str] = str,
) -> dict[Digest, Path]:
    """Have OS packages in the cache; as `obtain`."""
    return fetch(cache, _deb_downloads(base, debs, authenticate), progress=progress, offline=offline)


def _deb_downloads(base: AptBase, debs: Iterable[Deb], authenticate: Callable[[str], str]) -> list[Download]:
    roots = {archive.name: archive.locations for archive in base.archives}
    further = {archive.name for archive in base.archives if archive.key is not None}
    return [
        Download(
            name=deb.filename.rpartition("/")[2],
            digest=deb.digest,
            size=deb.size,
            urls=tuple(authenticate(deb_url(root, deb)) for root in roots[deb.archive]),
            advice=_FURTHER_GONE.format(deb) if deb.archive in further else _GONE.format(deb),
        )
        for deb in debs
    ]


def deb_url(root: str, deb: Deb) -> str:
    """Where a package is below the root of an archive."""
    # A `%` in a file's name is one (`x_1%3a2_amd64.deb`), and is written as such in a URL.
    return f"{root.rstrip('/')}/{quote(deb.filename, safe='/+~:@,=!$&()*;')}"
