"""What is below a target's packages: the OS packages or the image that it lies on, and its Python."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from envfreeze.errors import NetworkError, UsageError
from envfreeze.locking import conda, indexes, toolchain
from envfreeze.locking.apt.suites import is_suite
from envfreeze.locking.model import PREFIX, STANDALONE_PREFIX
from envfreeze.locking.standalone.places import MIRRORS
from envfreeze.replacing import replace
from envfreeze.verbs import cuda_base
from envfreeze.verbs.wish import BASE, PYTHON

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envfreeze.locking.image.resolution import Means
    from envfreeze.locking.model import AptBase, ImageBase, StandalonePython, Target
    from envfreeze.oci.platform import Platform
    from envfreeze.project.model import Project
    from envfreeze.verbs.wish import Wish


@dataclass(frozen=True, slots=True)
class OsSide:
    """The OS side of a target.

    Attributes:
        base: the OS packages.
        python: the exact version of the Python; None: conda brings it.
        glibc: the version of the C library.
        fresh: it was resolved now.
        image: the base, where that is an image.
        standalone: the Python, where it is a build of python-build-standalone.
        prefix: where a virtual environment goes, without the leading slash.

    """

    base: AptBase
    python: str | None
    glibc: str
    fresh: bool
    image: ImageBase | None = None
    standalone: StandalonePython | None = None
    prefix: str = PREFIX


@dataclass(frozen=True, slots=True)
class _Lacking:
    """What a build of python-build-standalone is wanted for.

    Attributes:
        why: the base's Python is not the one, in words.
        minor: the minor version that the base's distribution has; None: it is not known.
        prefix: where the build goes, without the leading slash.

    """

    why: str
    minor: str | None
    prefix: str = STANDALONE_PREFIX


def resolved(
    project: Project, platform: Platform, last: Target | None, wish: Wish, *, python: bool
) -> OsSide:
    """Resolve the OS side of a target.

    Args:
        project: what is asked for.
        platform: of the image.
        last: what was locked before.
        wish: what may move, and what may be used.
        python: it has to bring a Python; else conda does.

    Raises:
        EnvfreezeError: as `apt.resolve`, `image.resolve` and `standalone.resolve`.

    """
    found, lacking = (_of_suite if is_suite(project.image.base) else _of_image)(
        project, platform, last, wish, python=python
    )
    if lacking is None:
        return found
    from envfreeze.locking.standalone import resolution as standalone  # noqa: PLC0415 - only for such Pythons

    before = None if last is None else last.standalone
    try:
        build = standalone.resolve(
            project,
            platform,
            standalone.Means(wish.cache, wish.offline, wish.progress),
            glibc=found.glibc,
            nearest_to=lacking.minor,
            prefix=lacking.prefix,
            last=before,
            move=wish.upgrade or PYTHON in wish.upgrade_packages,
        )
    except NetworkError as error:
        raise type(error)(
            error.message,
            hint=error.hint if MIRRORS in error.hint else "; ".join(filter(None, (error.hint, MIRRORS))),
            details=(*error.details, f"a build of python-build-standalone is wanted: {lacking.why}"),
        ) from error
    if wish.review and build != before:
        wish.progress.note(
            f"{platform}: Python {build.version} is the build {build.build} of python-build-standalone: "
            f"{lacking.why}"
        )
    return replace(found, python=build.version, standalone=build)


def _of_suite(
    project: Project, platform: Platform, last: Target | None, wish: Wish, *, python: bool
) -> tuple[OsSide, _Lacking | None]:
    from envfreeze.locking import apt  # noqa: PLC0415 - not needed where nothing moves

    lacking = _lacking(project) if python else None
    python = python and lacking is None
    if last is not None and last.image is not None:
        last = None
    if (
        last is not None
        and not _moving(last, wish)
        and not apt.satisfied(project, last.base, platform, python=python)
    ):
        was_base = conda.python_of(last.conda) is None
        version = last.python if was_base and python else None
        return OsSide(last.base, version, last.glibc, fresh=False), lacking
    resolution = apt.resolve(
        project,
        platform,
        python=python,
        locked=None if last is None else last.base,
        cache=wish.cache,
        offline=wish.offline,
        allow_stale=wish.allow_stale,
        progress=wish.progress,
    )
    return OsSide(resolution.base, resolution.python, resolution.glibc, fresh=True), lacking


def _lacking(project: Project) -> _Lacking | None:
    """What the suite's own Python is not good for; None: it is the one."""
    from envfreeze.locking.apt import suites  # noqa: PLC0415 - not needed where nothing moves
    from envfreeze.locking.standalone.choice import instead_of_suite  # noqa: PLC0415 - with it

    suite = suites.find(project.image.base, suites.shipped())
    if not instead_of_suite(project, suite.python):
        return None
    if project.image.python_source is not None:
        return _Lacking("[image] python-source says so", suite.python)
    return _Lacking(f"{suite.reference} has Python {suite.python}", suite.python)


def _of_image(
    project: Project, platform: Platform, last: Target | None, wish: Wish, *, python: bool
) -> tuple[OsSide, _Lacking | None]:
    from envfreeze.locking.image import resolution as image  # noqa: PLC0415 - only for such bases

    found = image.resolve(
        project,
        platform,
        image_means(wish),
        python=python,
        last=last,
        move_image=wish.upgrade or BASE in wish.upgrade_packages,
        move_packages=_moving(last, wish),
    )
    made = OsSide(found.base, found.python, found.glibc, found.fresh, image=found.image, prefix=found.prefix)
    if found.lacks is None:
        return made, None
    return made, _Lacking(found.lacks, found.minor, found.standalone_prefix)


def _moving(last: Target | None, wish: Wish) -> bool:
    return wish.upgrade or (
        last is not None and any(deb.name in wish.upgrade_packages for deb in last.base.packages)
    )


def image_means(wish: Wish) -> Means:
    """What resolving a base that is an image may use."""
    from envfreeze.locking.image.resolution import Means  # noqa: PLC0415 - only for such bases

    return Means(wish.cache, wish.offline, wish.allow_stale, wish.progress)


def drift(project: Project, target: Target, wish: Wish, *, python: bool) -> tuple[str, ...]:
    """Say why the OS side of a target no longer is what the project asks for."""
    from envfreeze.locking import apt  # noqa: PLC0415 - not needed where nothing moved

    project = cuda_base.settled(project, target)
    needing = toolchain.joined(project, target)
    if is_suite(project.image.base):
        lacking = _lacking(project) if python else None
        own = python and lacking is None
        causes = apt.satisfied(needing, target.base, target.platform, python=own)
    else:
        from envfreeze.locking.image.resolution import satisfied  # noqa: PLC0415 - only for such bases

        causes = satisfied(needing, target, image_means(wish), python=python)
    return causes or tuple(_of_python(project, target))


def _of_python(project: Project, target: Target) -> Iterator[str]:
    locked = target.standalone
    if locked is None:
        return
    from envfreeze.locking.standalone.choice import meets  # noqa: PLC0415 - only for such Pythons

    if not meets(project, locked.version):
        yield f"the Python is {locked.version}, which is not what the project asks for"


def check_source(project: Project, *, conda_provides: bool) -> None:
    """Hold where Python is said to come from against whether conda provides it.

    Raises:
        UsageError: the two say different things.

    """
    source = project.image.python_source
    if source is None or (source == "conda") == conda_provides:
        return
    if conda_provides:
        raise UsageError(
            f'[image] python-source is "{source}", and the conda packages bring Python',
            hint="leave the key out, or take `python` and what needs it out of the environment file",
        )
    raise UsageError(
        '[image] python-source is "conda", and no conda package is asked for',
        hint="write an environment.yml with `python` among its dependencies, or leave the key out",
    )


def reviewed(project: Project, base: AptBase, wish: Wish) -> AptBase:
    """The base with a note for everything in its maintainer scripts that no rule covers."""
    from envfreeze.engines.native.review import review_packages  # noqa: PLC0415 - not needed where nothing moves

    notes = review_packages(
        base,
        cache=wish.cache,
        offline=wish.offline,
        progress=wish.progress,
        authenticate=partial(indexes.authenticate, project=project),
    )
    for note in notes:
        wish.progress.warn(note)
    return replace(base, notes=notes)
