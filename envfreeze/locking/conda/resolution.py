"""The conda side of a target: from match specs to one package per name, solved by rattler in this process.

Nothing depends on the machine that asks: not its platform, kernel or driver, nor a configuration of conda's.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from envfreeze.digest import Digest
from envfreeze.errors import ResolutionError, UntrustedError
from envfreeze.locking.conda import channels, failures, virtual
from envfreeze.locking.model import CondaPackage
from envfreeze.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence
    from typing import Any, TypeVar

    from rattler import Gateway, PackageRecord, RepoDataRecord

    from envfreeze.locking.conda.channels import Location
    from envfreeze.oci.platform import Platform
    from envfreeze.progress import Progress
    from envfreeze.project.model import CondaSettings, CondaSpec, Project
    from envfreeze.store.cache import Cache

    _T = TypeVar("_T")

_OTHER_PYTHON = re.compile(r"pypy|graalpy|cp3\d+t\b|_cp3\d+t$")


@dataclass(frozen=True, slots=True)
class Wish:
    """How to resolve: what may move, and what may be used.

    Attributes:
        cache: keeps what the channels say.
        upgrade: forget all pins.
        upgrade_packages: names whose pins are forgotten.
        offline: take from the cache only.
        progress: told what happens.

    """

    cache: Cache
    upgrade: bool = False
    upgrade_packages: tuple[str, ...] = ()
    offline: bool = False
    progress: Progress = SILENT


def resolve(
    project: Project,
    platform: Platform,
    glibc: str,
    wish: Wish,
    *,
    pins: Sequence[CondaPackage] = (),
    cuda: str | None = None,
) -> tuple[CondaPackage, ...]:
    """Resolve the conda packages of a project for a platform.

    Args:
        project: its `conda` is read, and which Python the image must have.
        platform: of the image.
        glibc: of the base.
        wish: what may move, and what may be used.
        pins: the packages locked before; they are kept where the specs still allow it.
        cuda: the newest CUDA that the fleet's oldest driver supports; None: no GPU is asked for.

    Returns:
        The packages, sorted by name, their URLs without credentials; () where the project has no conda side.

    Raises:
        ResolutionError: there is no solution, or a package cannot be locked: all are named.
        NetworkError: a channel did not answer, or refused.
        UntrustedError: a channel's index is damaged, or has another content for a locked file.

    """
    conda = project.conda
    if conda is None:
        return ()
    specs = conda.specs[platform.conda_subdir]
    requested = {_spec_name(spec.text) for spec in specs}
    wanted = [spec.text for spec in specs]
    if project.image.python_source == "conda" and "python" not in requested:
        requested.add("python")
        wanted.append("python")
    if not wanted:
        return ()
    wish.progress.note(
        f"resolving {len(wanted)} conda package{'' if len(wanted) == 1 else 's'} for {platform.conda_subdir}"
    )
    places = channels.of_project(project)
    asking = _Asking(conda, platform.conda_subdir, places, wish)
    kept = _kept(pins, places, wish)
    known = asking.records_of(kept)
    from rattler import ChannelPriority, MatchSpec, solve  # noqa: PLC0415 - heavy
    from rattler.exceptions import SolverError  # noqa: PLC0415 - heavy

    try:
        solution = asking.run(
            solve(
                sources=asking.sources,
                specs=[MatchSpec(text) for text in wanted],
                gateway=asking.gateway,
                platforms=asking.subdirs,
                locked_packages=known,
                virtual_packages=virtual.packages(platform, glibc, cuda=cuda),
                channel_priority=(
                    ChannelPriority.Strict if conda.channel_priority == "strict" else ChannelPriority.Disabled
                ),
                exclude_newer=conda.exclude_newer,
                constraints=_python_constraints(project),
                channel_relations="disabled",
            )
        )
    except SolverError as error:
        raise failures.unsatisfiable(str(error), conda, specs) from error
    packages = tuple(
        sorted((_package(record, requested) for record in solution), key=lambda package: package.name)
    )
    _check_hashes(solution, packages)
    _check_priority(packages, specs, asking)
    _check_unchanged(packages, kept)
    _check_python(project, packages)
    return packages


def python_of(packages: Sequence[CondaPackage]) -> str | None:
    """The exact version of the Python that conda provides; None: it provides none.

    Raises:
        ResolutionError: it is not a CPython of the usual kind, which wheels could be chosen for.

    """
    found = next((package for package in packages if package.name == "python"), None)
    if found is None:
        return None
    if _OTHER_PYTHON.search(found.build):
        raise ResolutionError(
            f"python {found.version} {found.build} from {found.channel} is not the CPython of wheels",
            hint="ask for python=<version>=*_cpython, or *_cp313 where builds are named so",
        )
    try:
        release = Version(found.version).release
    except InvalidVersion as error:
        raise ResolutionError(
            f"python {found.version} from {found.channel} has no version like 3.13.5"
        ) from error
    if len(release) != 3:  # noqa: PLR2004 - major, minor, patch
        raise ResolutionError(f"python {found.version} from {found.channel} has no version like 3.13.5")
    return found.version


class _Asking:
    """The channels of one resolution, and the gateway that reads them."""

    def __init__(self, conda: CondaSettings, subdir: str, places: Sequence[Location], wish: Wish) -> None:
        from rattler import Channel, Client, Gateway, SourceConfig  # noqa: PLC0415 - heavy

        self.conda = conda
        self.places = places
        self.offline = wish.offline
        self.sources = [Channel(place.url) for place in places]
        self.subdirs: list[Any] = [subdir, "noarch"]
        self.gateway: Gateway = Gateway(
            cache_dir=wish.cache.layout.repodata,
            default_config=SourceConfig(
                cache_action="force-cache-only" if wish.offline else "cache-or-fetch"
            ),
            client=Client.default_client(),
        )

    def records_of(self, pins: Sequence[CondaPackage]) -> list[RepoDataRecord]:
        """What the channels say of locked packages today.

        Locked records are given to the solver as the channels state them, since a cutoff needs their time.
        What no channel has any more is let go: it could not be fetched.
        """
        if not pins:
            return []
        wanted = {(pin.channel, pin.subdir, pin.filename) for pin in pins}
        answer = self.run(
            self.gateway.query(
                sources=self.sources,
                platforms=self.subdirs,
                specs=sorted({pin.name for pin in pins}),
                recursive=False,
                channel_relations="disabled",
            )
        )
        return [
            record
            for records in answer
            for record in records
            if (channel_of(record.url), record.subdir, record.file_name) in wanted
        ]

    def names(self, place: Location) -> frozenset[str]:
        """The names of all packages that a channel has for the target."""
        source = self.sources[self.places.index(place)]
        answer = self.run(self.gateway.names([source], self.subdirs, channel_relations="disabled"))
        return frozenset(name.normalized for name in answer)

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Wait for the gateway, and tell its errors in envfreeze's words."""
        import asyncio  # noqa: PLC0415 - heavy

        from rattler.exceptions import (  # noqa: PLC0415 - heavy
            CacheDirError,
            FetchRepoDataError,
            GatewayError,
            IoError,
        )

        try:
            return asyncio.run(work)
        except (GatewayError, FetchRepoDataError, IoError, CacheDirError) as error:
            channel = self._culprit(str(error))
            if not self.offline:
                # What is damaged must not be read again from the cache once the channel is whole.
                for source in self.sources:
                    self.gateway.clear_repodata_cache(source, clear_disk=True)
            raise failures.of_channel(str(error), channel, offline=self.offline) from error

    def _culprit(self, said: str) -> str:
        """Find the channel that an error without a URL is about."""
        import asyncio  # noqa: PLC0415 - heavy

        from rattler.exceptions import GatewayError  # noqa: PLC0415 - heavy

        if "://" not in said and len(self.sources) > 1:
            for place, source in zip(self.places, self.sources, strict=True):
                try:
                    asyncio.run(self.gateway.names([source], self.subdirs, channel_relations="disabled"))
                except GatewayError:
                    return place.bare
        return self.places[0].bare


def channel_of(url: str) -> str:
    """The channel of a package's URL: without subdir, file name, credentials."""
    return channels.without_credentials(url).rsplit("/", 2)[0]


def _kept(pins: Sequence[CondaPackage], places: Sequence[Location], wish: Wish) -> list[CondaPackage]:
    known = {place.bare for place in places}
    if wish.upgrade:
        return []
    return [pin for pin in pins if pin.name not in wish.upgrade_packages and pin.channel in known]


def _python_constraints(project: Project) -> list[str]:
    """What the project says of Python, for the case that conda provides it."""
    exact, minor = project.image.python_exact, project.image.python
    constraints = [] if minor is None else [f"python {minor}.*"] if exact is None else [f"python =={exact}"]
    if project.requires_python:
        # conda reads `==3.12.*` and `===` otherwise; what cannot be said here is checked afterwards.
        parts = [str(part) for part in SpecifierSet(project.requires_python)]
        simple = sorted(part for part in parts if re.fullmatch(r"(?:>=|<=|<|>|!=)[0-9.]+", part))
        constraints += [f"python {','.join(simple)}"] if simple else []
    return constraints


def _check_python(project: Project, packages: Sequence[CondaPackage]) -> None:
    python, requires = python_of(packages), project.requires_python
    if python and requires and not SpecifierSet(requires).contains(python, prereleases=True):
        raise ResolutionError(
            f"the project requires Python {requires}, conda has {python}",
            hint="ask for another python in the environment file, or widen requires-python",
        )


def _spec_name(text: str) -> str:
    from rattler import MatchSpec  # noqa: PLC0415 - heavy

    name = MatchSpec(text).name
    return "" if name is None else str(name.normalized)


def _package(record: RepoDataRecord, requested: set[str]) -> CondaPackage:
    noarch = "python" if record.noarch.python else "generic" if record.noarch.generic else None
    name = record.name.normalized
    return CondaPackage(
        name=name,
        version=str(record.version),
        build=str(record.build),
        build_number=record.build_number,
        subdir=record.subdir,
        channel=channel_of(record.url),
        filename=record.file_name,
        digest=Digest((record.sha256 or bytes(32)).hex()),
        md5=None if record.md5 is None else record.md5.hex(),
        size=record.size,
        url=channels.without_credentials(record.url),
        depends=tuple(record.depends),
        constrains=tuple(record.constrains),
        noarch=noarch,
        requested=name in requested,
        purls=purls_of(record),
    )


def purls_of(record: PackageRecord) -> tuple[str, ...]:
    """Give the package URLs of a record, which rattler hands out as JSON alone."""
    return tuple(json.loads(record.to_json()).get("purls") or ())


def _check_hashes(solution: Sequence[RepoDataRecord], packages: Sequence[CondaPackage]) -> None:
    """Refuse packages that no sha256 vouches for."""
    bare = {record.file_name for record in solution if record.sha256 is None}
    unhashed = [
        f"{package.filename} of {package.channel}" for package in packages if package.filename in bare
    ]
    if unhashed:
        raise ResolutionError(
            f"{len(unhashed)} conda package{'' if len(unhashed) == 1 else 's'} without a sha256",
            details=tuple(sorted(unhashed)),
            hint="let the channel be indexed anew: conda-index and rattler-index write sha256",
        )


def _check_priority(packages: Sequence[CondaPackage], specs: Sequence[CondaSpec], asking: _Asking) -> None:
    """Refuse a package of a channel that comes after another one with packages of that name.

    The solver leaves a channel out of account that has the name but nothing that fits the spec. For conda's
    strict priority the name alone counts: a package that a team's own channel has is never another's.
    """
    if asking.conda.channel_priority != "strict":
        return
    from rattler import MatchSpec  # noqa: PLC0415 - heavy

    parsed = [MatchSpec(spec.text) for spec in specs]
    told = {spec.name.normalized for spec in parsed if spec.name is not None and spec.channel is not None}
    order = [place.bare for place in asking.places]
    lower = [package for package in packages if package.channel in order[1:] and package.name not in told]
    last = max((order.index(package.channel) for package in lower), default=0)
    for number, place in enumerate(asking.places[:last]):
        names = asking.names(place)
        for package in lower:
            if package.name in names and order.index(package.channel) > number:
                raise ResolutionError(
                    f"only {package.channel} has a {package.name} that fits, and {place.bare}, which comes "
                    "first, has others of that name",
                    hint=f"ask for one that the first has, write <channel>::{package.name}, or set [conda] "
                    'channel-priority = "disabled"',
                )


def _check_unchanged(packages: Sequence[CondaPackage], pins: Sequence[CondaPackage]) -> None:
    """Refuse a channel that has other bytes under a locked name."""
    before = {(pin.channel, pin.subdir, pin.filename): pin for pin in pins}
    changed = [
        (package, before[key])
        for package in packages
        if (key := (package.channel, package.subdir, package.filename)) in before
        and package.digest != before[key].digest
    ]
    if changed:
        accept = "".join(f" --upgrade-package {package.name}" for package, _ in changed)
        raise UntrustedError(
            "conda packages have other content now than was locked under the same name",
            details=tuple(
                f"{package.url}: locked as {pin.digest}, now {package.digest}" for package, pin in changed
            ),
            hint=f"if that is meant, accept it with `envfreeze lock{accept}`",
        )
