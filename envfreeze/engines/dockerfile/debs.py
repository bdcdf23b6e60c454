"""The OS packages that are added to a base which is an image: installed by its own apt, from locked files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.engines.dockerfile.fetching import Fetched, in_stages, is_public
from envfreeze.engines.native.artifacts import deb_url, obtain_debs

if TYPE_CHECKING:
    from envfreeze.engines.dockerfile.means import Means
    from envfreeze.engines.dockerfile.staged import Staged
    from envfreeze.locking.model import AptBase, Deb

FOLDER = "/envfreeze/debs"
"""Where the files are while they are installed."""

SUMS = "debs.sha256"

AUTO = "debs.auto"
"""Lists the packages that nobody asked for by name: apt may remove them with what needs them."""


@dataclass(frozen=True, slots=True)
class DebPart:
    """OS packages to install.

    Attributes:
        files: where they are while they are installed, sorted by package; a name has its version in it.
        pins: `name=version` of each, likewise.
        near: whether packages are in the folder.
        stages: what the builder downloads, a stage each; () where all is in the folder.

    """

    files: tuple[str, ...]
    pins: tuple[str, ...]
    near: bool
    stages: tuple[tuple[Fetched, ...], ...]


def write(base: AptBase, folder: str, means: Means, staged: Staged) -> DebPart | None:
    """Put OS packages into the folder, or say where the builder fetches them; None where there are none.

    Args:
        base: the packages.
        folder: where the platform's files are in the build folder.
        means: the lock and where things are.
        staged: the build folder.

    Raises:
        NetworkError: a package cannot be had.
        UntrustedError: a package is not what was locked.

    """
    if not base.packages:
        return None
    places = {deb.name: _public(base, deb) if means.fetches else None for deb in base.packages}
    near = [deb for deb in base.packages if places[deb.name] is None]
    files = obtain_debs(
        base,
        near,
        cache=means.cache,
        offline=means.offline,
        progress=means.progress,
        authenticate=means.authenticate,
    )
    for deb in near:
        staged.artifact(f"{folder}/debs/{filename(deb)}", files[deb.digest], deb.digest, deb.size)
    stages = in_stages(
        [Fetched(filename(deb), url, deb.digest) for deb in base.packages if (url := places[deb.name])]
    )
    folders = {one.filename: f"{FOLDER}-{number}" for number, stage in enumerate(stages, 1) for one in stage}
    paths = {deb: f"{folders.get(filename(deb), FOLDER)}/{filename(deb)}" for deb in base.packages}
    staged.text(f"{folder}/{SUMS}", "".join(f"{deb.digest.hex}  {path}\n" for deb, path in paths.items()))
    staged.text(f"{folder}/{AUTO}", "".join(f"{deb.name}\n" for deb in base.packages if not deb.requested))
    return DebPart(
        files=tuple(paths.values()),
        pins=tuple(f"{deb.name}={deb.version}" for deb in base.packages),
        near=bool(near),
        stages=stages,
    )


def filename(deb: Deb) -> str:
    """A package's file name as apt itself writes it: the colon of an epoch is `%3a`."""
    return f"{deb.name}_{deb.version.replace(':', '%3a')}_{deb.architecture}.deb"


def _public(base: AptBase, deb: Deb) -> str | None:
    """The place that lasts: the snapshot archive at the locked index's date, where there is one."""
    locations = next(archive.locations for archive in base.archives if archive.name == deb.archive)
    urls = [deb_url(root, deb) for root in locations]
    return next((url for url in reversed(urls) if is_public(url)), None)
