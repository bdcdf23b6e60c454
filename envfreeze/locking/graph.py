"""What needs what in a target: one graph over conda, pip and OS packages, read from the lock alone.

Pure and linear in the size of the lock: every walk visits a package once, whatever cycles and diamonds there
are, and chains are counted without being written out.
"""

from __future__ import annotations

import heapq
import re
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from envfreeze.locking.model import Target

SIDES = ("base", "python", "conda", "pip", "os")
"""The sides of a lock, in the order in which they are shown."""

# A match spec begins with the package's name (https://docs.conda.io/projects/conda/, "package match
# specifications"); a channel may stand before it: `conda-forge::numpy >=1.2`.
_SPEC = re.compile(r"(?:[^\s:]+::)?([A-Za-z0-9_.-]+)")


class Key(NamedTuple):
    """A package of a target: a name may be on several sides."""

    side: str
    name: str


@dataclass(frozen=True, slots=True)
class Node:
    """A package.

    Attributes:
        key: its side and name.
        version: as locked.
        requested: asked for by name; all others are there because of these.
        needs: the packages that it needs, sorted.

    """

    key: Key
    version: str
    requested: bool
    needs: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Graph:
    """The packages of a target.

    Attributes:
        nodes: by key, in the order of `SIDES`, each sorted by name.
        needed_by: the packages that need one, sorted, by key.

    """

    nodes: Mapping[Key, Node]
    needed_by: Mapping[Key, tuple[Key, ...]] = field(repr=False)

    @property
    def roots(self) -> tuple[Key, ...]:
        """Where the graph is entered: what was asked for, then what nothing asked for leads to.

        The latter are packages of a lock that was taken from elsewhere, or was written before locks knew who
        needs whom: those that nothing needs, and one of each cycle that stands alone.
        """
        roots = [key for key, node in self.nodes.items() if node.requested]
        seen = self._reached(roots, set())
        alone = [key for key in self.nodes if not self.needed_by[key] and key not in seen]
        seen = self._reached(alone, seen)
        for key in self.nodes:
            if key not in seen:
                alone.append(key)
                seen = self._reached([key], seen)
        return (*roots, *alone)

    @property
    def dark_sides(self) -> tuple[str, ...]:
        """The sides of which the lock does not tell who needs whom, though some must."""
        return tuple(
            side
            for side in SIDES
            if (nodes := [node for node in self.nodes.values() if node.key.side == side])
            and not any(node.needs for node in nodes)
            and not all(node.requested for node in nodes)
        )

    def find(self, name: str, side: str | None = None) -> tuple[Key, ...]:
        """Return the packages of a name, on one side or on all; spelt as people do, `Scikit_Learn`."""
        # There is one base; who does not want to type all of its reference says so.
        base = next((key.name for key in self.nodes if key.side == "base"), name) if name == "base" else name
        lower = name.lower()
        spelt = {
            "base": base,
            "python": lower,
            "os": lower,
            "conda": lower,
            "pip": canonicalize_name(name),
        }
        wanted = (Key(each, spelt[each]) for each in SIDES if side in (None, each))
        return tuple(key for key in wanted if key in self.nodes)

    def below(self, key: Key) -> set[Key]:
        """Return what a package needs, directly or not, and itself."""
        return self._reached([key], set())

    def _reached(self, keys: Sequence[Key], seen: set[Key]) -> set[Key]:
        waiting = list(keys)
        while waiting:
            key = waiting.pop()
            if key not in seen:
                seen.add(key)
                waiting.extend(self.nodes[key].needs)
        return seen


class Branch(NamedTuple):
    """A line of a tree.

    Attributes:
        key: the package.
        last: for each level from the second on, whether the branch is the last of its siblings there; () for
            a root.
        repeated: what it needs has been shown before and is not shown again.

    """

    key: Key
    last: tuple[bool, ...]
    repeated: bool


@dataclass(frozen=True, slots=True)
class Chains:
    """Why a package is there: from each root that leads to it, the shortest ways.

    Attributes:
        count: how many there are. Diamonds multiply, so this may be a large number; nothing is written out
            that is not asked for.

    """

    count: int
    _graph: Graph = field(repr=False)
    _key: Key
    _distance: Mapping[Key, int] = field(repr=False)
    _first: Collection[Key] = field(repr=False)

    @property
    def asked(self) -> bool:
        """Whether something that was asked for by name is among what leads to the package."""
        return any(self._graph.nodes[key].requested for key in self._distance)

    def __iter__(self) -> Iterator[tuple[Key, ...]]:
        """Give the chains, from a root to the package: the shortest first, then in order of their names."""
        roots = [key for key in self._graph.roots if key in self._distance]
        for root in sorted(roots, key=lambda key: (key not in self._first, self._distance[key], key)):
            yield from self._from((root,))

    def _from(self, begun: tuple[Key, ...]) -> Iterator[tuple[Key, ...]]:
        # A stack of its own: a chain may be longer than Python's is deep.
        waiting = [begun]
        while waiting:
            chain = waiting.pop()
            if chain[-1] == self._key:
                yield chain
                continue
            nearer = self._distance[chain[-1]] - 1
            needs = self._graph.nodes[chain[-1]].needs
            waiting.extend((*chain, key) for key in reversed(needs) if self._distance.get(key) == nearer)


def of_target(target: Target, conda_names: Mapping[str, str] | None = None) -> Graph:
    """Build the graph of a target.

    Args:
        target: of a lock.
        conda_names: normalised name of a Python package to the name of the conda package that provides it,
            where the two differ.

    """
    conda = {package.name: package for package in target.conda}
    wheels = {wheel.name: wheel for wheel in target.wheels}
    debs = {deb.name: deb for deb in target.base.packages}
    provided = {canonicalize_name(name): name for name in conda} | dict(conda_names or {})

    def of_wheel(name: str) -> Key | None:
        if name in wheels:
            return Key("pip", name)
        return Key("conda", provided[name]) if provided.get(name) in conda else None

    image = [] if target.image is None else [target.image]
    nodes = [Node(Key("base", one.reference), str(one.manifest), requested=True, needs=()) for one in image]
    if target.standalone is not None:
        nodes.append(Node(Key("python", "python"), target.standalone.release, requested=True, needs=()))
    nodes += [
        Node(
            Key("conda", name),
            package.version,
            package.requested,
            # Virtual packages (`__glibc`) are facts of the target and not locked.
            _sorted(Key("conda", spec) for spec in map(_spec_name, package.depends) if spec in conda),
        )
        for name, package in sorted(conda.items())
    ]
    nodes += [
        Node(
            Key("pip", name),
            wheel.version,
            wheel.requested,
            _sorted(key for needed in wheel.dependencies if (key := of_wheel(needed)) is not None),
        )
        for name, wheel in sorted(wheels.items())
    ]
    nodes += [
        Node(
            Key("os", name),
            deb.version,
            deb.requested,
            _sorted(Key("os", needed) for needed in deb.depends if needed in debs),
        )
        for name, deb in sorted(debs.items())
    ]
    return _graph(nodes)


def walk(
    graph: Graph, roots: Sequence[Key], *, depth: int | None = None, inverted: bool = False
) -> Iterator[Branch]:
    """Walk a tree from its roots down.

    A package's own branches come once, where they are met first, so cycles end and diamonds do not multiply;
    with a depth they come again where they are met nearer to a root, and reach further.

    Args:
        graph: the packages.
        roots: where to begin, in order.
        depth: how many levels below the roots; None: all.
        inverted: go from a package to those that need it.

    """
    shown: dict[Key, int] = {}
    waiting: list[tuple[Key, tuple[bool, ...]]] = [(key, ()) for key in reversed(roots)]
    while waiting:
        key, last = waiting.pop()
        below = graph.needed_by[key] if inverted else graph.nodes[key].needs
        level = len(last)
        if not below or level == depth:
            yield Branch(key, last, repeated=False)
            continue
        before = shown.get(key)
        if before is not None and (depth is None or before <= level):
            yield Branch(key, last, repeated=True)
            continue
        shown[key] = level
        yield Branch(key, last, repeated=False)
        final = len(below) - 1
        waiting.extend((child, (*last, index == final)) for index, child in reversed(tuple(enumerate(below))))


def chains(graph: Graph, key: Key, first: Collection[Key] = ()) -> Chains:
    """Say why a package is there.

    Args:
        graph: the packages of its target.
        key: the package.
        first: roots whose chains come before all others, however long they are.

    """
    distance = {key: 0}
    ways = {key: 1}
    waiting = deque([key])
    while waiting:
        current = waiting.popleft()
        for parent in graph.needed_by[current]:
            if parent not in distance:
                distance[parent] = distance[current] + 1
                ways[parent] = 0
                waiting.append(parent)
            if distance[parent] == distance[current] + 1:
                ways[parent] += ways[current]
    count = sum(ways[root] for root in graph.roots if root in distance)
    return Chains(count, graph, key, distance, first)


def nearest(names: Collection[str], wanted: str, *, count: int = 3) -> tuple[str, ...]:
    """Return the names that a misspelt one most likely means."""
    import difflib  # noqa: PLC0415 - only for an error

    holding = heapq.nsmallest(count, (name for name in names if wanted.lower() in name), key=len)
    alike = difflib.get_close_matches(wanted.lower(), sorted(names), n=count)
    return tuple(dict.fromkeys([*alike, *holding]))[:count]


def _graph(nodes: Sequence[Node]) -> Graph:
    above: dict[Key, list[Key]] = {node.key: [] for node in nodes}
    for node in nodes:
        for key in node.needs:
            above[key].append(node.key)
    return Graph(
        nodes={node.key: node for node in nodes},
        needed_by={key: _sorted(parents) for key, parents in above.items()},
    )


def _sorted(keys: Iterator[Key] | Sequence[Key]) -> tuple[Key, ...]:
    return tuple(sorted(set(keys)))


def _spec_name(spec: str) -> str:
    match = _SPEC.match(spec.strip())
    return match[1].lower() if match else ""
