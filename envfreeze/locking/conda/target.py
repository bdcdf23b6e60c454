"""The conda side of a target as a whole: resolved, looked into, and what it provides to pip."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from envfreeze.errors import ResolutionError
from envfreeze.locking.conda import channels
from envfreeze.locking.conda.resolution import resolve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envfreeze.locking.conda.resolution import Wish
    from envfreeze.locking.model import CondaPackage, Wheel
    from envfreeze.locking.provided import Provided
    from envfreeze.oci.platform import Platform
    from envfreeze.project.model import Project


@dataclass(frozen=True, slots=True)
class Side:
    """The conda side of a target.

    Attributes:
        packages: sorted by name; () without a conda side.
        provided: the Python distributions that lie in them, where conda provides Python.

    """

    packages: tuple[CondaPackage, ...] = ()
    provided: tuple[Provided, ...] = ()


def side(
    project: Project,
    platform: Platform,
    glibc: str,
    wish: Wish,
    *,
    pins: Sequence[CondaPackage] = (),
    cuda: str | None = None,
) -> Side:
    """Resolve the conda side of a target and look into its packages.

    Args:
        project: what is asked for.
        platform: of the image.
        glibc: of the base.
        wish: what may move, and what may be used.
        pins: the packages locked before.
        cuda: the newest CUDA that the fleet's oldest driver supports; None: no GPU is asked for.

    Raises:
        UsageError: a package has link scripts, and is not allowed to.
        ResolutionError: there is no solution, or a package cannot be locked.
        NetworkError: a channel or a package cannot be had.
        UntrustedError: a channel's index or a package is damaged or not what was locked.

    """
    packages = resolve(project, platform, glibc, wish, pins=pins, cuda=cuda)
    if project.conda is None or not packages:
        return Side()

    from envfreeze.locking.conda import contents  # noqa: PLC0415 - not needed without a conda side
    from envfreeze.locking.conda.provided import provided  # noqa: PLC0415 - with it

    looked = contents.look(
        packages,
        cache=wish.cache,
        offline=wish.offline,
        progress=wish.progress,
        authenticate=partial(channels.authenticate, project=project),
    )
    contents.check_scripts(packages, looked, project.conda.allow_link_scripts)
    packages = contents.with_scripts_allowed(contents.with_md5(packages, looked), looked)
    _warn_of_files(packages, wish)
    # Without a Python of conda's, wheels go to the base's: what lies in conda's prefix does not reach it.
    has_python = any(package.name == "python" for package in packages)
    read = partial(
        contents.metadata,
        cache=wish.cache,
        offline=wish.offline,
        progress=wish.progress,
        authenticate=partial(channels.authenticate, project=project),
    )
    settings = project.conda
    there = provided(packages, looked, settings.name_map, settings.environment, read) if has_python else ()
    return Side(packages, there)


def names_python(project: Project, platform: Platform) -> bool:
    """Whether the environment file itself asks for conda's Python, or the project says that it is conda's."""
    if project.conda is None:
        return False
    if project.image.python_source == "conda":
        return True
    from rattler import MatchSpec  # noqa: PLC0415 - heavy

    names = (MatchSpec(spec.text).name for spec in project.conda.specs[platform.conda_subdir])
    return any(name is not None and name.normalized == "python" for name in names)


def check_once(provided: Sequence[Provided], wheels: Sequence[Wheel]) -> None:
    """Refuse a distribution that would be in the image twice.

    Raises:
        ResolutionError: conda and pip both have one.

    """
    names = {wheel.name for wheel in wheels}
    twice = [one for one in provided if one.name in names]
    if twice:
        raise ResolutionError(
            "Python distributions would be in the image twice, from conda and from pip",
            details=tuple(map(str, twice)),
            hint="let one of the two bring them: take them out of the environment file or out of pip's "
            "requirements; where a lock or an environment was taken, mend it there first, as in "
            f"`conda install --force-reinstall {twice[0].package}`",
        )


def _warn_of_files(packages: Sequence[CondaPackage], wish: Wish) -> None:
    here = [package.name for package in packages if package.url.startswith("file:")]
    if here:
        wish.progress.warn(
            f"{', '.join(here)}: locked from a channel in a folder; another machine needs the same files at "
            "the same path"
        )
