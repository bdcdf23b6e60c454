"""The Python that an image lacks: its distribution's packages, or one from elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.errors import UsageError
from envfreeze.locking.image import python as pythons
from envfreeze.locking.image.inventory import SYMLINK
from envfreeze.locking.standalone.choice import instead_of_suite

if TYPE_CHECKING:
    from envfreeze.locking.apt.suites import Suite
    from envfreeze.locking.image.inventory import Inventory
    from envfreeze.locking.image.system import Distribution
    from envfreeze.locking.model import ImageBase
    from envfreeze.project.model import Project


def is_merged(inventory: Inventory) -> bool:
    """Whether `/bin` is `/usr/bin`: packages are laid out so."""
    link = inventory.find("bin")
    return link is not None and link.kind == SYMLINK


def packages(project: Project, inventory: Inventory, suite: Suite | None) -> set[str] | None:
    """The distribution's packages of a Python that fits; None: it has none, or others are wanted."""
    source, asked = project.image.python_source, project.image.python
    if suite is None or source not in {None, "distribution"} or asked not in {None, suite.python}:
        return None
    if source is None and (instead_of_suite(project, suite.python) or not is_merged(inventory)):
        return None
    return set(suite.python_packages)


def why(
    project: Project, image: ImageBase, inventory: Inventory, distribution: Distribution, suite: Suite | None
) -> str:
    """Why the Python has to come from elsewhere.

    Raises:
        UsageError: it must not.

    """
    source, asked = project.image.python_source, project.image.python_exact or project.image.python
    if source == "standalone":
        return "[image] python-source says so"
    own = ", ".join(one.version for one in pythons.interpreters(inventory, image.env))
    has = f"{image.reference} has Python {own}" if own else f"{image.reference} has no Python"
    if source != "base":
        has += f", and {distribution.name or 'it'} has " + (
            f"{suite.python}" if suite is not None else "no packages that envfreeze adds"
        )
    if source is None:
        return has
    wanted = f"Python {asked}" if asked else "a Python that fits"
    raise UsageError(
        f"[image] python: {wanted} is wanted; {has}",
        hint='leave python-source out, or set it to "standalone", for a build of python-build-standalone; or '
        "choose a base with the Python",
    )
