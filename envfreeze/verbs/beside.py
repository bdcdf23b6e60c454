"""Python packages for the base that there will be, resolved while the base is.

uv waits for the package index most of its time, and so does the OS side for its archive. What uv has to know
of the base, its Python and its glibc, hardly ever moves: so uv is asked for the last ones, and what it says
counts if the base turns out to have them. Nothing of the answer, nor which error is told, depends on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from envfreeze.errors import EnvfreezeError
from envfreeze.locking.pip import PipTarget
from envfreeze.once import Once

if TYPE_CHECKING:
    from collections.abc import Callable

    from envfreeze.locking.model import Target, Wheel
    from envfreeze.oci.platform import Platform
    from envfreeze.project.model import Project
    from envfreeze.store.cache import Cache

Base = TypeVar("Base")

_RULE = "base-versions"


def guess(project: Project, platform: Platform, last: Target | None, cache: Cache) -> PipTarget | None:
    """Say what the packages will have to fit, going by the last time; None where there is none to go by."""
    if project.conda is not None:
        return None  # what conda provides is not known before it is resolved
    if last is not None:
        return PipTarget(platform=platform, python=last.python, glibc=last.glibc)
    fact = cache.recall(_RULE, _key(project, platform))
    python, glibc = (None, None) if fact is None else (fact.get("python"), fact.get("glibc"))
    if not isinstance(python, str) or not isinstance(glibc, str):
        return None
    return PipTarget(platform=platform, python=python, glibc=glibc)


def remember(project: Project, target: PipTarget, cache: Cache) -> None:
    """Keep what the packages had to fit, for the next guess.

    Raises:
        MachineError: the disk is full or refuses.

    """
    if project.conda is None:
        fact = {"python": target.python, "glibc": target.glibc}
        cache.remember(_RULE, _key(project, target.platform), fact)


def resolve(
    guessed: PipTarget | None,
    base: Callable[[], Base],
    target_of: Callable[[Base], PipTarget],
    packages: Callable[[PipTarget, Base | None, Callable[[], None] | None], tuple[Wheel, ...]],
) -> tuple[Base, tuple[Wheel, ...]]:
    """Resolve a base and the packages for it, at once where there is a guess.

    Args:
        guessed: what the packages will have to fit; None: nobody knows.
        base: resolves the base.
        target_of: what a base makes of the packages' target.
        packages: resolves the packages for a target, above a base; without the base it is given what to call
            while it waits.

    Raises:
        EnvfreezeError: that of `base`, or if there is none that of `packages` for the true target.

    """
    if guessed is None:
        found = base()
        return found, packages(target_of(found), found, None)
    once = Once(base)
    wheels: tuple[Wheel, ...] = ()
    failure: EnvfreezeError | None = None

    def meanwhile() -> None:
        if once.failed() or target_of(once.result()) != guessed:
            raise _InVainError

    try:
        wheels = packages(guessed, None, meanwhile)
    except _InVainError:
        pass
    except EnvfreezeError as error:
        failure = error
    found = once.result()
    if target_of(found) != guessed:
        return found, packages(target_of(found), found, None)
    if failure is not None:
        raise failure
    return found, wheels


class _InVainError(BaseException):
    """The packages are resolved for nothing. No Exception, so that nobody takes it for an answer."""


def _key(project: Project, platform: Platform) -> str:
    image = project.image
    python = [text for text in (image.python_exact or image.python, image.python_source) if text is not None]
    return " ".join([image.base, str(platform), *python])
