"""A base that is an image: what it is, which Python it has, and which packages have to be added to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.errors import NetworkError, ResolutionError, UsageError
from envfreeze.locking.apt import resolution as apt
from envfreeze.locking.apt import suites
from envfreeze.locking.image import dpkg, lacking, pulled, system
from envfreeze.locking.image import python as pythons
from envfreeze.locking.image.room import Room
from envfreeze.locking.model import (
    CONDA_PREFIX,
    PREFIX,
    PREFIX_BESIDE,
    STANDALONE_PREFIX,
    STANDALONE_PREFIX_BESIDE,
    AptBase,
    ImageBase,
)
from envfreeze.oci.registry import Registries
from envfreeze.progress import SILENT
from envfreeze.replacing import replace

if TYPE_CHECKING:
    from envfreeze.locking.apt.index import Package
    from envfreeze.locking.apt.suites import Suite
    from envfreeze.locking.image.inventory import Inventory
    from envfreeze.locking.image.python import Interpreter
    from envfreeze.locking.image.system import Distribution
    from envfreeze.locking.model import Target
    from envfreeze.oci.platform import Platform
    from envfreeze.progress import Progress
    from envfreeze.project.model import Project
    from envfreeze.store.cache import Cache


@dataclass(frozen=True, slots=True)
class ImageResolution:
    """What a base that is an image comes to.

    Attributes:
        image: the image.
        base: the packages that are added to it; its `notes` are empty.
        python: the exact version of the Python, `3.13.5`; None: it comes from elsewhere.
        glibc: the version of the C library, `2.41`.
        fresh: the packages were resolved now.
        prefix: where a virtual environment goes, without the leading slash.
        lacks: why neither the image nor its distribution has the Python, in words; None: one of them has it,
            or conda brings it.
        minor: the minor version of the distribution's Python; None: it is not known.
        standalone_prefix: where a Python that is no package goes, without the leading slash.

    """

    image: ImageBase
    base: AptBase
    python: str | None
    glibc: str
    fresh: bool
    prefix: str
    lacks: str | None
    minor: str | None
    standalone_prefix: str


@dataclass(frozen=True, slots=True)
class Means:
    """With what a base is resolved.

    Attributes:
        cache: keeps blobs, indexes and what was found in layers.
        offline: use only what the cache has.
        allow_stale: accept an index that has expired or is older than the locked one.
        progress: where to report.

    """

    cache: Cache
    offline: bool = False
    allow_stale: bool = False
    progress: Progress = SILENT


def resolve(
    project: Project,
    platform: Platform,
    means: Means,
    *,
    python: bool = True,
    last: Target | None = None,
    move_image: bool = False,
    move_packages: bool = False,
) -> ImageResolution:
    """Resolve a project's base, where that is an image.

    The registry is asked only where there is no locked image of that reference, or it is to move.

    Args:
        project: names the base, its packages, a mirror and further archives.
        platform: of the image.
        means: with what.
        python: the image's Python is the base's or added to it; else conda brings it.
        last: what was locked before.
        move_image: ask the registry again.
        move_packages: resolve the packages anew, although the locked ones would do.

    Raises:
        UsageError: the base cannot be what the project asks for.
        ResolutionError: packages cannot be resolved, or there is no Python that fits.
        NetworkError: a registry or an index cannot be had.
        UntrustedError: an image or an index is not what it should be.

    """
    kept = _kept(project, last)
    image = kept
    if image is None or (move_image and not means.offline):
        image = _asked(project, platform, means)
    found = _found(project, image, platform, means, python=python)
    same = last is not None and kept is not None and kept.manifest == image.manifest
    if last is not None and same and not move_packages and not found.unlike(project, last.base):
        return found.resolution(project, image, last.base, fresh=False)
    base = AptBase(image.reference, (), (), ())
    if found.missing:
        base = apt.add(
            project,
            found.suite_for_missing(),
            platform,
            found.missing,
            found.installed,
            reference=image.reference,
            locked=None if last is None else last.base,
            cache=means.cache,
            offline=means.offline,
            allow_stale=means.allow_stale,
            progress=means.progress,
        )
    return found.resolution(project, image, base, fresh=True)


def satisfied(project: Project, target: Target, means: Means, *, python: bool = True) -> tuple[str, ...]:
    """Say why a locked base that is an image no longer satisfies a project; empty where it does.

    Of a Python that is no package that is whether there has to be one, not which.

    What the reference is in the registry by now is not asked.

    Args:
        project: what asks.
        target: what is locked.
        means: with what, where the layers have to be looked into again.
        python: the image's Python is the base's or added to it.

    Raises:
        UsageError, NetworkError, UntrustedError: as in `resolve`.

    """
    kept = _kept(project, target)
    if kept is None:
        locked = target.base.reference if target.image is None else target.image.reference
        return (f"the base is {project.image.base}, locked is {locked}",)
    try:
        found = _found(project, kept, target.platform, means, python=python)
    except ResolutionError as error:
        return (error.message,)
    causes = found.unlike(project, target.base)
    now, then = _told(found.interpreter, found.lacks), _told_of(kept, target)
    if now != then:
        causes = (f"the Python of the base is {now}, locked is {then}", *causes)
    return causes


def _told(interpreter: Interpreter | None, lacks: str | None) -> str:
    if interpreter is not None:
        return interpreter.path
    return "none" if lacks is None else "python-build-standalone's"


def _told_of(image: ImageBase, target: Target) -> str:
    return image.interpreter or ("none" if target.standalone is None else "python-build-standalone's")


def _kept(project: Project, last: Target | None) -> ImageBase | None:
    """The locked image, where it is still the one that the project names."""
    if last is None or last.image is None or last.image.reference != project.image.base:
        return None
    return last.image


def _asked(project: Project, platform: Platform, means: Means) -> ImageBase:
    reference = project.image.base
    if means.offline:
        raise NetworkError(
            f"which image {reference} is has to be asked of its registry, and nothing is fetched offline",
            hint="run it once without --offline",
        )
    with Registries(mirrors=project.mirrors, progress=means.progress) as registries:
        image = pulled.ask(
            reference, platform, registries=registries, cache=means.cache, mirrors=project.mirrors
        )
    means.progress.note(f"{reference} for {platform} is {image.manifest}")
    return image


def _found(project: Project, image: ImageBase, platform: Platform, means: Means, *, python: bool) -> _Found:
    """Look into an image."""
    inventory = pulled.look(image, cache=means.cache, offline=means.offline, progress=means.progress)
    room = Room(image, inventory, means.cache)
    if project.conda is not None:
        room.free(
            "conda packages go",
            CONDA_PREFIX,
            otherwise="; or leave the environment file out, for pip's packages on the base's own Python",
        )
    prefix = room.free("the environment goes", PREFIX, PREFIX_BESIDE) if python else PREFIX
    glibc = system.glibc(inventory, image.reference, platform)
    distribution = system.distribution(inventory)
    suite = suites.shipped().get(distribution.suite)
    installed = dpkg.installed(inventory, platform.debian_architecture)
    wanted = {text.partition("=")[0] for text in project.image.packages}
    interpreter, lacks, standalone_prefix = None, None, STANDALONE_PREFIX
    if python:
        interpreter = pythons.chosen(project, inventory, image.env)
        added = None if interpreter else lacking.packages(project, inventory, suite)
        if interpreter is None and added is None:
            lacks = lacking.why(project, image, inventory, distribution, suite)
            standalone_prefix = room.free("Python goes", STANDALONE_PREFIX, STANDALONE_PREFIX_BESIDE)
        wanted |= added or set()
    pins = apt.pins(project)
    there = {package.name: package.version for package in installed}
    return _Found(
        inventory=inventory,
        distribution=distribution,
        suite=suite,
        installed=installed,
        interpreter=interpreter,
        missing={name for name in wanted if name not in there or there[name] != pins.get(name, there[name])},
        glibc=glibc,
        platform=platform,
        python=python,
        prefix=prefix,
        lacks=lacks,
        standalone_prefix=standalone_prefix,
    )


@dataclass(frozen=True, slots=True)
class _Found:
    """What was found in an image, and what it lacks."""

    inventory: Inventory
    distribution: Distribution
    suite: Suite | None
    installed: tuple[Package, ...]
    interpreter: Interpreter | None
    missing: set[str]
    glibc: str
    platform: Platform
    python: bool
    prefix: str
    lacks: str | None
    standalone_prefix: str

    def unlike(self, project: Project, base: AptBase) -> tuple[str, ...]:
        """Say how the locked packages are not those that have to be added."""
        if not self.missing:
            return tuple(
                f"the OS package {deb.name} is locked and not asked for"
                for deb in base.packages
                if deb.requested
            )
        return apt.still(project, self.suite_for_missing(), base, self.platform, self.missing)

    def suite_for_missing(self) -> Suite:
        """The suite that packages can be added from.

        Raises:
            UsageError: there is none, or the image has no merged `/usr`.

        """
        names = ", ".join(sorted(self.missing))
        what = self.distribution.name or "a system without os-release"
        if self.suite is None:
            known = ", ".join(sorted(one.removeprefix("apt:") for one in suites.shipped()))
            raise UsageError(
                f"[image] packages: {names} cannot be added: the base is {what}",
                hint=f"OS packages are added to {known}; for others choose a base that has them",
            )
        if not lacking.is_merged(self.inventory):
            raise UsageError(
                f"[image] packages: {names} cannot be added: the base, {what}, has /bin apart from /usr/bin",
                hint="choose a base of a later release",
            )
        return self.suite

    def resolution(
        self, project: Project, image: ImageBase, base: AptBase, *, fresh: bool
    ) -> ImageResolution:
        """Put the values together."""
        versions = {deb.name: deb.version for deb in base.packages}
        version = None if self.interpreter is None else self.interpreter.version
        if self.python and version is None and self.lacks is None and self.suite is not None:
            there = {package.name: package.version for package in self.installed}
            name = f"python{self.suite.python}"
            version = apt.python_version(versions.get(name) or there[name])
            apt.check_python(project, self.suite, version)
        libc = versions.get("libc6")
        return ImageResolution(
            image=replace(
                image,
                distribution=self.distribution.id,
                release=self.distribution.release,
                codename=self.distribution.codename,
                interpreter=None if self.interpreter is None else self.interpreter.path,
            ),
            base=base,
            python=version,
            glibc=self.glibc if libc is None else apt.glibc_version(libc),
            fresh=fresh and bool(base.packages),
            prefix=self.prefix,
            lacks=self.lacks,
            minor=None if self.suite is None else self.suite.python,
            standalone_prefix=self.standalone_prefix,
        )
