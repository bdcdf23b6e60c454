"""A project's OS packages: from the base it names to the packages, indexes and places of the lock."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from envfreeze.errors import ResolutionError, UsageError
from envfreeze.locking.apt import closure, indexes, keyring, known, mirrors, suites
from envfreeze.locking.apt.index import Universe
from envfreeze.locking.apt.relations import sort_key
from envfreeze.locking.apt.release import NAMES, iso
from envfreeze.locking.model import AptBase, AptIndex, Archive, Deb
from envfreeze.progress import SILENT
from envfreeze.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from envfreeze.locking.apt.index import Package
    from envfreeze.locking.apt.indexes import SignedIndex, Wanted
    from envfreeze.locking.apt.suites import Suite
    from envfreeze.oci.platform import Platform
    from envfreeze.progress import Progress
    from envfreeze.project.model import AptArchive, Project
    from envfreeze.store.cache import Cache

APT_FOLDER = Path("/etc/apt")
"""Where the host keeps its apt sources."""

# A Debian version's upstream part, as far as Python's own versions go: 3.13.5, 3.14.0~rc1.
_PYTHON = re.compile(r"(?:\d+:)?(\d+\.\d+\.\d+)(?:~?(a|b|rc)(\d+))?(?:[+-].*)?")
_GLIBC = re.compile(r"(?:\d+:)?(\d+\.\d+)(?:[.+~-].*)?")


@dataclass(frozen=True, slots=True)
class AptResolution:
    """What a base assembled from packages comes to.

    Attributes:
        base: the OS side of the lock; its `notes` are empty.
        python: the exact version of its Python, `3.13.5`; None: it has none.
        glibc: the version of its C library, `2.41`.

    """

    base: AptBase
    python: str | None
    glibc: str


def resolve(
    project: Project,
    platform: Platform,
    *,
    python: bool = True,
    locked: AptBase | None = None,
    cache: Cache,
    offline: bool = False,
    allow_stale: bool = False,
    progress: Progress = SILENT,
    now: datetime | None = None,
    catalogue: Mapping[str, Suite] | None = None,
    host: Path = APT_FOLDER,
) -> AptResolution:
    """Resolve the OS packages of a project for a platform.

    Args:
        project: names the base, its packages, a mirror and further archives.
        platform: of the image; this machine's does not matter.
        python: the image's Python is the base's; else nothing asks for one here.
        locked: what was locked before; an index older than its own is refused.
        cache: keeps the indexes, by digest.
        offline: use only what the cache has.
        allow_stale: accept an index that has expired or is older than the locked one.
        progress: where to report.
        now: the present moment; None: this machine's clock.
        catalogue: the suites there are; None: those that come with envfreeze.
        host: the folder of the host's apt sources.

    Raises:
        UsageError: the base is not known or lacks the Python asked for, or a key cannot be read.
        ResolutionError: a package is not known or cannot be had, or the base's Python does not satisfy
            `requires-python`.
        NetworkError: no place has an index.
        UntrustedError: an index is not signed, not the one asked for, expired, rolled back or damaged.

    """
    now = datetime.now(UTC) if now is None else now
    suite = suites.find(project.image.base, suites.shipped() if catalogue is None else catalogue)
    requested = _requested(project, suite, python=python)
    session = indexes.Session(cache, offline, allow_stale, now, progress)
    base, packages = _closed(project, suite, platform, requested, session, locked=locked, host=host)
    chosen = {package.name: package for package in packages}
    version = python_version(chosen[f"python{suite.python}"].version) if python else None
    if version is not None:
        check_python(project, suite, version)
    if "libc6" not in chosen:
        raise ResolutionError(f"{suite.reference} has no libc6 in the closure of its seed")
    return AptResolution(base, version, glibc_version(chosen["libc6"].version))


def add(
    project: Project,
    suite: Suite,
    platform: Platform,
    requested: set[str],
    installed: Sequence[Package],
    *,
    reference: str,
    locked: AptBase | None = None,
    cache: Cache,
    offline: bool = False,
    allow_stale: bool = False,
    progress: Progress = SILENT,
    now: datetime | None = None,
    host: Path = APT_FOLDER,
) -> AptBase:
    """Resolve packages that are added to what is installed; the arguments are those of `resolve`.

    Args:
        project: names packages' versions, a mirror and further archives.
        suite: where the packages come from.
        platform: of the image.
        requested: names of packages.
        installed: what is there already.
        reference: of the base, for the lock.
        locked: as in `resolve`.
        cache: as in `resolve`.
        offline: as in `resolve`.
        allow_stale: as in `resolve`.
        progress: as in `resolve`.
        now: as in `resolve`.
        host: as in `resolve`.

    Raises:
        UsageError, ResolutionError, NetworkError, UntrustedError: as in `resolve`.

    """
    now = datetime.now(UTC) if now is None else now
    session = indexes.Session(cache, offline, allow_stale, now, progress)
    base, _ = _closed(
        project, suite, platform, requested, session, locked=locked, host=host, installed=installed
    )
    return replace(base, reference=reference)


def _closed(
    project: Project,
    suite: Suite,
    platform: Platform,
    requested: set[str],
    session: indexes.Session,
    *,
    locked: AptBase | None,
    host: Path,
    installed: Sequence[Package] = (),
) -> tuple[AptBase, tuple[Deb, ...]]:
    """The closure of what is requested, as the lock has it and as the indexes do."""
    sources = mirrors.host_sources(host)
    wanted = _wanted(project, suite, platform, locked=locked, host=sources, now=session.now)
    signed = [indexes.find(one, session) for one in wanted]
    for root in dict.fromkeys(index.place.lasting or index.place.name for index in signed):
        session.progress.note(f"OS packages from {root}")
    files = indexes.fetch(signed, platform.debian_architecture, session)
    pinned = pins(project)
    named = known.key(
        signed,
        (file.digest for file in files),
        architecture=platform.debian_architecture,
        requested=requested,
        pins=pinned,
    )
    # What is installed already is no part of the name: such an answer is not kept.
    packages = None if installed else known.recall(session.cache, named)
    if packages is None:
        universe = Universe(indexes.read(files), platform.debian_architecture, pinned)
        found = closure.close(universe, requested, suite=suite.reference, installed=installed)
        _tell_of_two(found, universe, signed, session.progress)
        settled = closure.settled_by(found, platform.debian_architecture)
        packages = tuple(_deb(package, requested, settled[package.name]) for package in found)
        if not installed:
            known.remember(session.cache, named, packages)
    base = AptBase(
        reference=suite.reference,
        archives=_archives(signed, suite),
        indexes=tuple(_locked_index(index) for index in signed),
        packages=packages,
    )
    return base, packages


def satisfied(
    project: Project,
    base: AptBase,
    platform: Platform | None = None,
    *,
    python: bool = True,
    catalogue: Mapping[str, Suite] | None = None,
) -> tuple[str, ...]:
    """Say why locked OS packages no longer satisfy a project, a sentence each; empty where they do.

    Needs no network: what the archive has by now is not asked. Further archives for other platforms than
    `platform` do not count; None: all do.

    Args:
        project: what asks.
        base: what is locked.
        platform: whose further archives count; None: all do.
        python: the image's Python is the base's.
        catalogue: the suites there are; None: those that come with envfreeze.

    Raises:
        UsageError: the base is not known or lacks the Python asked for.

    """
    suite = suites.find(project.image.base, suites.shipped() if catalogue is None else catalogue)
    if base.reference != suite.reference:
        return (f"the base is {suite.reference}, locked is {base.reference}",)
    requested = _requested(project, suite, python=python)
    causes = list(still(project, suite, base, platform, requested))
    locked = {deb.name: deb for deb in base.packages if deb.requested}
    interpreter = locked.get(f"python{suite.python}")
    if python and interpreter is not None:
        try:
            check_python(project, suite, python_version(interpreter.version))
        except ResolutionError as error:
            causes.append(error.message)
    return tuple(causes)


def still(
    project: Project, suite: Suite, base: AptBase, platform: Platform | None, requested: set[str]
) -> tuple[str, ...]:
    """Say why locked packages and archives are not those that a project asks for; empty where they are.

    Args:
        project: what asks.
        suite: where its packages come from.
        base: what is locked.
        platform: whose further archives count; None: all do.
        requested: names of the packages that should be locked by name.

    """
    locked = {deb.name: deb for deb in base.packages if deb.requested}
    causes = [
        f"the OS package {name} is asked for and not locked" for name in sorted(requested - set(locked))
    ]
    causes += [
        f"the OS package {name} is locked and not asked for" for name in sorted(set(locked) - requested)
    ]
    causes += [
        f"the OS package {name} is asked for in version {version}, locked is {locked[name].version}"
        for name, version in sorted(pins(project).items())
        if name in locked and locked[name].version != version
    ]
    ours = {index.archive.name for index in suite.indexes}
    further = [one for one in project.apt if platform is None or one.serves(platform)]
    asked = {(_archive_name(one.url), one.suite, one.components) for one in further}
    known = {(one.archive, one.suite, one.components) for one in base.indexes if one.archive not in ours}
    causes += [
        f"the archive {name} {at} is asked for and not locked" for name, at, _ in sorted(asked - known)
    ]
    causes += [
        f"the archive {name} {at} is locked and not asked for" for name, at, _ in sorted(known - asked)
    ]
    keys = {archive.name: archive.key for archive in base.archives if archive.key is not None}
    causes += [
        f"the archive {name} has another key than the locked one"
        for name in dict.fromkeys(_archive_name(one.url) for one in further)
        if name in keys and keys[name] != _keys(project, further, name)
    ]
    return tuple(causes)


def python_version(version: str) -> str:
    """Return Python's own version of a Debian version: `3.13.5` of `3.13.5-2+deb13u1`.

    Raises:
        ResolutionError: it has none.

    """
    match = _PYTHON.fullmatch(version)
    if match is None:
        raise ResolutionError(f"cannot tell which Python {version!r} is")
    return f"{match[1]}{match[2]}{match[3]}" if match[2] else match[1]


def glibc_version(version: str) -> str:
    """Return the C library's own version of a Debian version: `2.41` of `2.41-12+deb13u4`.

    Raises:
        ResolutionError: it has none.

    """
    match = _GLIBC.fullmatch(version)
    if match is None:
        raise ResolutionError(f"cannot tell which glibc {version!r} is")
    return match[1]


def _requested(project: Project, suite: Suite, *, python: bool) -> set[str]:
    """Return the names of the packages that are asked for, after checking that the Python is the suite's."""
    if not python:
        return {*suite.seed, *project.image.packages}
    if project.image.python not in (None, suite.python):
        raise UsageError(
            f"[image] python: {suite.reference} has Python {suite.python}, not {project.image.python}",
            hint="leave python-source out: a build of python-build-standalone has it; or leave the key out, "
            f'or set it to "{suite.python}"',
        )
    named = {text.partition("=")[0] for text in project.image.packages}
    return {*suite.seed, *suite.python_packages, *named}


def pins(project: Project) -> dict[str, str]:
    """Return the versions that the project names, by package.

    Raises:
        UsageError: it names two of one package.

    """
    pins: dict[str, str] = {}
    for text in project.image.packages:
        name, _, version = text.partition("=")
        if version and pins.setdefault(name, version) != version:
            raise UsageError(
                f"[image] packages: {name} is asked for in two versions, {pins[name]} and {version}",
                hint="name one of them",
            )
    return pins


def check_python(project: Project, suite: Suite, python: str) -> None:
    """Hold a suite's Python against `requires-python`, and against the exact version that is asked for.

    Raises:
        ResolutionError: it is not among them.

    """
    from packaging.specifiers import SpecifierSet  # noqa: PLC0415 - heavy

    requires = project.requires_python
    if project.image.python_exact not in {None, python}:
        raise ResolutionError(
            f"[image] python: {project.image.python_exact} is wanted, {suite.reference} has {python}",
            hint="leave python-source out: a build of python-build-standalone may have it",
        )
    if requires is not None and not SpecifierSet(requires).contains(python, prereleases=True):
        raise ResolutionError(
            f"the project requires Python {requires}, {suite.reference} has {python}",
            hint='set [image] python-source to "standalone", or widen requires-python',
        )


def _wanted(
    project: Project,
    suite: Suite,
    platform: Platform,
    *,
    locked: AptBase | None,
    host: Sequence[mirrors.HostSource],
    now: datetime,
) -> list[Wanted]:
    dates = {
        (index.archive, index.suite): datetime.fromisoformat(index.date)
        for index in (locked.indexes if locked is not None else ())
    }
    wanted = [
        indexes.Wanted(
            archive=index.archive.name,
            suite=index.suite,
            named_in=(index.archive.named_in,),
            components=index.components,
            keyring=index.keyring,
            places=mirrors.places(
                index.archive, index.suite, mirror=project.image.mirror, host=host, now=now
            ),
            locked=dates.get((index.archive.name, index.suite)),
        )
        for index in suite.indexes_for(platform.debian_architecture)
    ]
    own = {index.archive.name for index in suite.indexes}
    for further in project.apt:
        if not further.serves(platform):
            continue
        name = _archive_name(further.url)
        if name in own:
            raise UsageError(
                f"[[apt]] url: {mirrors.further_place(further.url).name} would be named {name} in the lock, "
                f"as an archive of {suite.reference} is",
                hint="another mirror of the distribution is [image] mirror; else move it to another path",
            )
        wanted.append(
            indexes.Wanted(
                archive=name,
                suite=further.suite,
                named_in=() if further.suite.endswith("/") else NAMES,
                components=further.components,
                keyring=_key(project, further),
                places=(mirrors.further_place(further.url),),
                locked=dates.get((name, further.suite)),
                further=True,
            )
        )
    return wanted


def _key(project: Project, archive: AptArchive) -> bytes:
    """Return the keyring that a further archive names, the bytes that the lock's input hash covers."""
    known = project.inputs.get(archive.key)
    if known is not None:
        return known
    try:
        return (project.root / archive.key).read_bytes()
    except OSError as error:
        raise UsageError(
            f"[[apt]] key: cannot read {archive.key}: {error.strerror}",
            hint="give the archive's public key as a file of the project",
        ) from None


def _keys(project: Project, archives: Iterable[AptArchive], name: str) -> bytes:
    """Return the certificates of a further archive, binary: those of all its suites, each file once."""
    own = (one for one in archives if _archive_name(one.url) == name)
    return b"".join(dict.fromkeys(keyring.binary(_key(project, one), where=one.key) for one in own))


def _tell_of_two(
    packages: Iterable[Package], universe: Universe, signed: Iterable[SignedIndex], progress: Progress
) -> None:
    """Say of the packages that both the distribution and a further archive have which is taken, and why."""
    further = {index.wanted.archive for index in signed if index.wanted.further}
    for package in packages if further else ():
        known = universe.versions(package.name)
        own = next((version for version, archive in known if archive not in further), None)
        other = next((one for one in known if one[1] in further), None)
        if package.archive in further and own is not None:
            progress.note(
                f"{package.name} {package.version} is taken from {package.archive}, since it is named or "
                f"needed; the distribution has {own}"
            )
        elif own is not None and other is not None and sort_key(other[0]) > sort_key(package.version):
            version, archive = other
            progress.note(
                f"{package.name} {package.version} is the distribution's; {archive} has {version}: "
                f'packages = ["{package.name}={version}"] takes that'
            )


def _archive_name(url: str) -> str:
    """Name a further archive by host and path: `packages.example.org/debian`."""
    parts = urlsplit(mirrors.further_place(url).root)
    return f"{parts.netloc.rpartition('@')[2]}{parts.path}".strip("/")


def _archives(signed: Iterable[SignedIndex], suite: Suite) -> tuple[Archive, ...]:
    """Return the archives of the indexes, each with its mirror first and then its snapshot.

    A snapshot is asked for at the newest date of the archive's indexes, when all of them were current, and
    the time that it takes to settle (`SuiteArchive.settled`).
    """
    known = {index.archive.name: index.archive for index in suite.indexes}
    keys: dict[str, dict[bytes, None]] = {}
    by_name: dict[str, list[SignedIndex]] = {}
    for index in signed:
        by_name.setdefault(index.wanted.archive, []).append(index)
        if index.wanted.further:
            ring = keyring.binary(index.wanted.keyring, where=f"the keyring for {index.wanted.archive}")
            keys.setdefault(index.wanted.archive, {})[ring] = None
    archives = []
    for name in sorted(by_name):
        lasting = [index.place.lasting for index in by_name[name] if index.place.lasting is not None]
        archive = known.get(name)
        if archive is not None and archive.snapshot is not None:
            date = max(index.release.date for index in by_name[name])
            lasting.append(f"{archive.snapshot}/{mirrors.stamp(date + archive.settled)}")
        key = b"".join(keys[name]) if name in keys else None
        archives.append(Archive(name, tuple(dict.fromkeys(lasting)), key))
    return tuple(archives)


def _locked_index(index: SignedIndex) -> AptIndex:
    return AptIndex(
        archive=index.wanted.archive,
        suite=index.wanted.suite,
        components=index.wanted.components,
        date=iso(index.release.date),
        digest=index.digest,
    )


def _deb(package: Package, requested: set[str], depends: tuple[str, ...]) -> Deb:
    return Deb(
        name=package.name,
        version=package.version,
        architecture=package.architecture,
        filename=package.filename,
        digest=package.digest,
        size=package.size,
        archive=package.archive,
        requested=package.name in requested,
        depends=depends,
    )
