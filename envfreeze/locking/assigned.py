"""Packages that come from one index and no other, also where only another package needs them.

uv takes a package from one index only where a project that names the package says so. Which names a pattern
stands for, and which packages are needed at all, is known only from an answer; so it may take more than one.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from envfreeze.errors import ResolutionError
from envfreeze.locking.markers import holds

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from envfreeze.project.model import Assignment

    Document = Mapping[str, Any]
    Ask = Callable[[Mapping[str, str]], Document]
    """Asks for an answer where the named packages come from the named indexes, and are part of it."""
    Unneeded = Callable[[Mapping[str, str], Document], Collection[str]]
    """Tells which of the named packages nothing but their assignment makes part of an answer."""


def index_of(name: str, assignments: Iterable[Assignment], environment: Mapping[str, str]) -> str | None:
    """Give the index that a package is assigned to in a target; None: to none.

    Args:
        name: normalised.
        assignments: the first that fits counts.
        environment: the target's.

    """
    for assignment in assignments:
        if fnmatchcase(name, assignment.packages) and holds(assignment.marker, environment):
            return assignment.index
    return None


def solve(
    assignments: tuple[Assignment, ...],
    requested: Collection[str],
    environment: Mapping[str, str],
    ask: Ask,
    unneeded: Unneeded,
) -> tuple[Document, Mapping[str, str]]:
    """Find the answer in which every assigned package comes from its index.

    Args:
        assignments: the project's.
        requested: names that the project asks for in the target.
        environment: the target's.
        ask: gives an answer; may raise ResolutionError.
        unneeded: looks at an answer.

    Returns:
        The answer, and the packages in it that were assigned.

    Raises:
        ResolutionError: there is none.

    """

    def those(names: Iterable[str]) -> dict[str, str]:
        found = ((name, index_of(name, assignments, environment)) for name in names)
        return {name: index for name, index in found if index is not None}

    fixed = those(requested)
    try:
        document = ask(fixed)
    except ResolutionError:
        # A package that others need may be on its own index only: then there is no answer without it.
        exact = those(assignment.packages for assignment in assignments if "*" not in assignment.packages)
        if exact.keys() <= fixed.keys():
            raise
        document = ask(fixed | exact)
        spare = unneeded(fixed | exact, document)
        fixed |= {name: index for name, index in exact.items() if name not in spare}
        if spare:
            document = ask(fixed)
    while further := those(_names(document)).keys() - fixed.keys():
        fixed |= those(further)
        document = ask(fixed)
    return document, fixed


def _names(document: Document) -> list[str]:
    return [canonicalize_name(str(package["name"])) for package in document.get("packages", ())]
