"""Which files a layer is made of, and where they are fetched from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.store.download import Download, fetch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from envfreeze.digest import Digest
    from envfreeze.locking.model import AptBase, Deb, PlannedLayer, Target, Wheel
    from envfreeze.progress import Progress
    from envfreeze.store.cache import Cache


def debs_of(target: Target, layer: PlannedLayer) -> tuple[Deb, ...]:
    """The OS packages that a layer is made of, sorted by name: all of them for `system`."""
    if layer.kind == "system":
        return target.base.packages
    names = set(layer.packages) if layer.kind == "debs" else set()
    return tuple(deb for deb in target.base.packages if deb.name in names)


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
    *,
    cache: Cache,
    root: Path,
    offline: bool,
    progress: Progress,
    authenticate: Callable[[str], str] = str,
) -> dict[Digest, Path]:
    """Have the artifacts in the cache, downloading or building from their locked source what is missing.

    `authenticate` puts credentials into the URLs of wheels, which the lock never has. `root` is the project's
    folder, where the sources of local projects are.

    Raises:
        NetworkError: an artifact cannot be had.
        UntrustedError: what came, or was built, is not what was locked.
        ResolutionError: a locked source cannot be built here.
        MachineError: this machine cannot isolate a build.

    """
    wheels = list(wheels)
    fetched = [wheel for wheel in wheels if wheel.source is None]
    downloads = [
        *_deb_downloads(target.base, debs),
        *(
            Download(wheel.filename, wheel.digest, wheel.size, (authenticate(wheel.url),))
            for wheel in fetched
        ),
    ]
    files = fetch(cache, downloads, progress=progress, offline=offline)
    if built := [wheel for wheel in wheels if wheel.source is not None]:
        from envfreeze.locking.sources import Workshop, rebuilt  # noqa: PLC0415 - not needed without sources

        workshop = Workshop(cache, progress, offline, authenticate)
        files |= {wheel.digest: rebuilt(wheel, root, workshop) for wheel in built}
    return files


def obtain_debs(
    base: AptBase, debs: Iterable[Deb], *, cache: Cache, offline: bool, progress: Progress
) -> dict[Digest, Path]:
    """Have OS packages in the cache; as `obtain`."""
    return fetch(cache, _deb_downloads(base, debs), progress=progress, offline=offline)


def _deb_downloads(base: AptBase, debs: Iterable[Deb]) -> list[Download]:
    roots = {archive.name: archive.locations for archive in base.archives}
    return [
        Download(
            name=deb.filename.rpartition("/")[2],
            digest=deb.digest,
            size=deb.size,
            urls=tuple(f"{root.rstrip('/')}/{deb.filename}" for root in roots[deb.archive]),
        )
        for deb in debs
    ]
