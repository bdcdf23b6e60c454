"""Which build of python-build-standalone a project gets, and when it gets one at all. Pure.

The rules are told in docs/how-to/image-bases.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from envfreeze.errors import ResolutionError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from envfreeze.locking.standalone.builds import Build
    from envfreeze.oci.platform import Platform
    from envfreeze.project.model import Project

USUAL = "3.13"
"""The minor version where nothing says which: that of the default base, apt:debian/trixie."""

_PATCHES = 100
_NAMED = 4


def instead_of_suite(project: Project, minor: str) -> bool:
    """Whether a project wants another Python than a distribution's packages can bring.

    Goes by what the project says and nothing else, so that the same project always gets the same kind of
    Python. An exact version is no distribution's: its packages move on.

    Args:
        project: what asks.
        minor: the minor version that the distribution has.

    """
    source = project.image.python_source
    if source is not None:
        return source == "standalone"
    if project.image.python_exact is not None or project.image.python not in {None, minor}:
        return True
    return project.requires_python is not None and not _may_meet(project.requires_python, minor)


def pick(builds: Sequence[Build], project: Project, platform: Platform, nearest_to: str | None) -> Build:
    """Choose a build: of the minor version asked for, else of the nearest that fits, the newest.

    Args:
        builds: those there are for the platform.
        project: what asks.
        platform: for messages.
        nearest_to: a minor version; None: `USUAL`.

    Raises:
        ResolutionError: none fits; the hint names the nearest.

    """
    fitting = [build for build in builds if meets(project, build.version)]
    if not fitting:
        raise _none(builds, project, platform)
    wanted = _number(nearest_to or USUAL)
    # Of two that are equally near the newer one.
    return min(fitting, key=lambda build: (abs(_number(build.minor) - wanted), *_newest_first(build)))


def meets(project: Project, version: str) -> bool:
    """Whether an exact version is what a project asks for."""
    image, requires = project.image, project.requires_python
    if image.python_exact not in {None, version}:
        return False
    if image.python is not None and not version.startswith(f"{image.python}."):
        return False
    return requires is None or SpecifierSet(requires).contains(version, prereleases=True)


def _newest_first(build: Build) -> tuple[int, ...]:
    return tuple(-part for part in Version(build.version).release)


def _none(builds: Sequence[Build], project: Project, platform: Platform) -> ResolutionError:
    image, requires = project.image, project.requires_python
    asked = image.python_exact or image.python
    wanted = f"Python {asked}" if asked is not None else "Python"
    if requires is not None and (asked is None or any(_is_of(build, asked) for build in builds)):
        wanted += f" that requires-python ({requires}) accepts"
    near = ", ".join(_near(builds, asked or USUAL))
    return ResolutionError(
        f"python-build-standalone has no {wanted} for {platform}",
        hint=(f"the nearest it has: {near}; " if near else "")
        + "newer ones may be in a newer list: `pip install --upgrade pbs-installer`",
    )


def _is_of(build: Build, asked: str) -> bool:
    return f"{build.version}.".startswith(f"{asked}.")


def _near(builds: Sequence[Build], asked: str) -> Iterable[str]:
    """The nearest versions: exact ones of the same minor version, else minor ones."""
    minor = ".".join(asked.split(".")[:2])
    patches = [build.version for build in builds if build.minor == minor]
    if asked != minor and patches:
        return _nearest(patches, Version(asked).micro, lambda text: Version(text).micro)
    return _nearest(dict.fromkeys(build.minor for build in builds), _number(asked), _number)


def _nearest(texts: Collection[str], wanted: int, number: Callable[[str], int]) -> list[str]:
    by_distance = sorted(texts, key=lambda text: (abs(number(text) - wanted), -number(text)))
    return sorted(by_distance[:_NAMED], key=Version, reverse=True)


def _number(version: str) -> int:
    return Version(version).minor


def _may_meet(requires: str, minor: str) -> bool:
    specifier = SpecifierSet(requires)
    return any(specifier.contains(f"{minor}.{patch}") for patch in range(_PATCHES))
