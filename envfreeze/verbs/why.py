"""`why`: what of the project leads to a package."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.locking import askers, graph
from envfreeze.verbs.tree import tree

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from envfreeze.locking.graph import Chains, Graph, Key
    from envfreeze.oci.platform import Platform


@dataclass(frozen=True, slots=True)
class Reasons:
    """Why a package is in a target.

    Attributes:
        platform: the target's.
        key: the package.
        graph: all packages of the target.
        chains: the shortest chains to it, from each package that leads to it and was asked for.
        asked_by: as in `Tree`.

    """

    platform: Platform
    key: Key
    graph: Graph
    chains: Chains
    asked_by: Mapping[Key, tuple[str, ...]]


def why(
    root: Path, package: str, *, side: str | None = None, platform: Platform | None = None
) -> tuple[Reasons, ...]:
    """Say why a package is locked: on every side that has one of that name, in every target.

    Args:
        root: the project's folder.
        package: its name.
        side: as in `tree`.
        platform: as in `tree`.

    Raises:
        UsageError, EditedError: as `tree` does.

    """
    found = []
    for one in tree(root, package, side=side, platform=platform):
        # What the base brings along by itself explains less than what the project asks for.
        own = {key for key, places in one.asked_by.items() if key.side != "os" or askers.IMAGE in places}
        found += [
            Reasons(one.platform, key, one.graph, graph.chains(one.graph, key, own), one.asked_by)
            for key in one.roots
        ]
    return tuple(found)
