"""Who asks for the packages that are not there for another package's sake."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.errors import EnvfreezeError
from envfreeze.locking import requirements
from envfreeze.locking.apt import suites
from envfreeze.locking.graph import Key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envfreeze.locking.model import Target
    from envfreeze.project.model import Project

IMAGE = "[image] packages"
"""Who asks for an OS package that the project names."""

BASE = "[image] base"
"""Who asks for a base that is an image."""

PYTHON_SOURCE = "[image] python-source"
PYTHON = "[image] python"
REQUIRES = "requires-python"
"""Who asks for a Python that is no package; `BASE` where the base is the only reason."""

PROJECT = "the project"
"""Who asks, where the project's own files do not say it any more."""


def of_target(target: Target, project: Project | None) -> Mapping[Key, tuple[str, ...]]:
    """Say who asks for each package of a target that is asked for by name.

    Args:
        target: of a lock.
        project: as it is now; None where it cannot be read: the lock is explained all the same.

    Returns:
        The places, as a person would name them, `requirements.in`; one at least for each package.

    """
    python = requirements.named_in(project) if project is not None else {}
    conda = tuple(name for name in project.inputs if name.endswith((".yml", ".yaml"))) if project else ()
    system = _of_base(target, project)
    found: dict[Key, tuple[str, ...]] = {}
    if target.image is not None:
        found[Key("base", target.image.reference)] = (BASE,)
    if target.standalone is not None:
        found[Key("python", "python")] = _of_python(project)
    found |= {Key("conda", one.name): conda for one in target.conda if one.requested}
    found |= {Key("pip", one.name): python.get(one.name, ()) for one in target.wheels if one.requested}
    found |= {Key("os", one.name): system.get(one.name, ()) for one in target.base.packages if one.requested}
    return {key: places or (PROJECT,) for key, places in found.items()}


def _of_python(project: Project | None) -> tuple[str, ...]:
    if project is None:
        return ()
    said = {
        PYTHON_SOURCE: project.image.python_source,
        PYTHON: project.image.python,
        REQUIRES: project.requires_python,
    }
    return tuple(place for place, value in said.items() if value is not None) or (BASE,)


def _of_base(target: Target, project: Project | None) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    image = target.image
    reference = target.base.reference if image is None else f"apt:{image.distribution}/{image.codename}"
    try:
        suite = suites.find(reference, suites.shipped())
    except EnvfreezeError:  # a suite that this version does not know
        suite = None
    if suite is not None:
        for name in suite.seed if image is None else ():
            found.setdefault(name, []).append(f"the seed of {suite.reference}")
        for name in suite.python_packages:
            found.setdefault(name, []).append(f"the Python of {suite.reference}")
    for name in project.image.packages if project is not None else ():
        found.setdefault(name.partition("=")[0], []).append(IMAGE)
    return {name: tuple(places) for name, places in found.items()}
