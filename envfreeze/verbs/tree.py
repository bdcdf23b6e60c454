"""`tree`: what of a lock needs what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from envfreeze.errors import EnvfreezeError, UsageError
from envfreeze.locking import askers, files, graph
from envfreeze.locking.conda import names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from envfreeze.locking.graph import Graph, Key
    from envfreeze.locking.model import Lock, Target
    from envfreeze.oci.platform import Platform
    from envfreeze.project.model import Project


@dataclass(frozen=True, slots=True)
class Tree:
    """The packages of one target, and where to enter them.

    Attributes:
        platform: the target's.
        graph: all of its packages.
        roots: what was asked for, or the package that was named, of the sides that were named.
        asked_by: who asks for the packages that are asked for by name: files, as a person names them.

    """

    platform: Platform
    graph: Graph
    roots: tuple[Key, ...]
    asked_by: Mapping[Key, tuple[str, ...]]


def provided(target: Target, project: Project | None) -> Mapping[str, str]:
    """Name of a Python package to that of the locked conda package that provides it, where the two differ."""
    if not target.conda:
        return {}
    settings = None if project is None else project.conda
    known = {**names.shipped(), **(settings.name_map if settings is not None else {})}
    locked = {package.name for package in target.conda}
    return {canonicalize_name(python): name for name, python in known.items() if name in locked}


def tree(
    root: Path,
    package: str | None = None,
    *,
    side: str | None = None,
    platform: Platform | None = None,
) -> tuple[Tree, ...]:
    """Read the lock in a folder as trees, one for each target; nothing but the folder is looked at.

    Args:
        root: the project's folder.
        package: begin at this package and not at what was asked for.
        side: one of `graph.SIDES` alone; None: all.
        platform: of one target alone; None: all.

    Returns:
        The trees, in the targets' order; with `package` of those targets that have it.

    Raises:
        UsageError: there is no lock, or no such package or platform in it; the hint has the nearest names.
        EditedError: the lock was edited or is damaged.

    """
    lock = files.read(root)
    project = _project(root)
    made = []
    for target in _targets(lock, platform):
        whole = graph.of_target(target, provided(target, project))
        roots = whole.roots if package is None else whole.find(package)
        made.append(
            Tree(
                platform=target.platform,
                graph=whole,
                roots=tuple(key for key in roots if side in (None, key.side)),
                asked_by=askers.of_target(target, project),
            )
        )
    if package is None:
        return tuple(made)
    found = tuple(one for one in made if one.roots)
    if not found:
        raise _unknown(package, side, [one.graph for one in made])
    return found


def _project(root: Path) -> Project | None:
    from envfreeze.project.load import load  # noqa: PLC0415 - heavy

    try:
        return load(root)
    except EnvfreezeError:  # the lock is explained without it; `lock` will say what is wrong
        return None


def _targets(lock: Lock, platform: Platform | None) -> list[Target]:
    chosen = [target for target in lock.targets if platform in (None, target.platform)]
    if not chosen:
        known = ", ".join(str(target.platform) for target in lock.targets)
        raise UsageError(f"the lock has nothing for {platform}", hint=f"it is for {known}")
    return chosen


def _unknown(package: str, side: str | None, graphs: Sequence[Graph]) -> UsageError:
    elsewhere = {key.side for one in graphs for key in one.find(package)}
    if elsewhere:
        return UsageError(
            f"{package} is not locked on the {side} side", hint=f"it is on the {' and '.join(elsewhere)} side"
        )
    names = {key.name for one in graphs for key in one.nodes if side in (None, key.side)}
    near = graph.nearest(names, package)
    return UsageError(
        f"nothing that is locked is called {package}",
        hint=f"did you mean {' or '.join(near)}?" if near else "`envfreeze tree` shows everything",
    )
