"""Which layer of one image stands against which of the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envfreeze.digest import Digest


@dataclass(frozen=True, slots=True)
class Place:
    """A layer in its image, without its content.

    Attributes:
        position: 0 for the lowest.
        name: what the image's history calls it.
        digest: of the blob.
        diff_id: of the tar inside.

    """

    position: int
    name: str
    digest: Digest
    diff_id: Digest


@dataclass(frozen=True, slots=True)
class Pair:
    """Two layers that stand for the same; None on the side that has no such layer."""

    reference: Place | None
    rebuilt: Place | None


def pair(reference: Sequence[Place], rebuilt: Sequence[Place]) -> tuple[Pair, ...]:
    """Pair layers: equal ones first, then those of one name, then those at one position.

    A name pairs only where it is unique among the layers that are left on each side, so that a layer that
    was added or taken away does not set all that follow against their neighbours.

    Returns:
        Every layer of both sides once, in the order of the reference, then of the rebuilt image.

    """
    left, right = list(reference), list(rebuilt)
    pairs: list[Pair] = []
    for old in reference:
        equal = [new for new in right if new.diff_id == old.diff_id]
        if equal:
            # One diffID may stand several times in an image: an equal position goes first.
            same = [new for new in equal if new.position == old.position]
            _take(pairs, left, right, old, (same or equal)[0])
    for old in tuple(left):
        named = [new for new in right if new.name == old.name]
        if old.name and len(named) == 1 and sum(other.name == old.name for other in left) == 1:
            _take(pairs, left, right, old, named[0])
    by_position = {new.position: new for new in right}
    for old in tuple(left):
        # With as many layers on both sides the position says more than a name that changed.
        if (len(reference) == len(rebuilt) or not old.name) and old.position in by_position:
            _take(pairs, left, right, old, by_position[old.position])
    pairs += [Pair(old, None) for old in left]
    pairs += [Pair(None, new) for new in right]
    return tuple(sorted(pairs, key=_order))


def _take(pairs: list[Pair], left: list[Place], right: list[Place], old: Place, new: Place) -> None:
    pairs.append(Pair(old, new))
    left.remove(old)
    right.remove(new)


def _order(pair: Pair) -> tuple[int, bool]:
    place = pair.reference or pair.rebuilt
    return (place.position if place is not None else 0), pair.reference is None
