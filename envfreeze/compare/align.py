"""Which layers two images share, and the stretches between them that stand against each other. Pure.

A layer that both have, by its diffID and in the same order among those they share, is not read. What lies
between two shared layers, on either side perhaps nothing, is a gap: its layers are laid on each other, so
that one tree in three layers is the same as that tree in two.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from envfreeze.errors import UntrustedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envfreeze.digest import Digest

MOST_LAYERS = 1000
"""Overlay file systems take 127; a manifest with more than this is made to exhaust its reader."""


@dataclass(frozen=True, slots=True)
class Shared:
    """A layer that both images have; its position in each, 0 for the lowest."""

    reference: int
    rebuilt: int


@dataclass(frozen=True, slots=True)
class Gap:
    """Layers that only one of the images has at this place; the positions of each, lowest first."""

    reference: tuple[int, ...]
    rebuilt: tuple[int, ...]


Slot = Shared | Gap


def align(reference: Sequence[Digest], rebuilt: Sequence[Digest]) -> tuple[Slot, ...]:
    """Lay two lists of diffIDs beside each other.

    Returns:
        Every layer of both once, from the lowest up.

    Raises:
        UntrustedError: an image has more layers than any engine takes.

    """
    for layers in (reference, rebuilt):
        if len(layers) > MOST_LAYERS:
            raise UntrustedError(f"the image has {len(layers)} layers; more than {MOST_LAYERS} is refused")
    slots: list[Slot] = []
    old = new = 0
    matcher = SequenceMatcher(None, reference, rebuilt, autojunk=False)
    for block in matcher.get_matching_blocks():
        if block.a > old or block.b > new:
            slots.append(Gap(tuple(range(old, block.a)), tuple(range(new, block.b))))
        slots += [Shared(block.a + number, block.b + number) for number in range(block.size)]
        old, new = block.a + block.size, block.b + block.size
    return tuple(slots)


def merged(slots: Sequence[Slot], first: int, last: int) -> tuple[Slot, ...]:
    """Make one gap of the slots from one number to another, shared layers between them included."""
    inside = slots[first : last + 1]
    old = tuple(number for slot in inside for number in _positions(slot, rebuilt=False))
    new = tuple(number for slot in inside for number in _positions(slot, rebuilt=True))
    return (*slots[:first], Gap(old, new), *slots[last + 1 :])


def _positions(slot: Slot, *, rebuilt: bool) -> tuple[int, ...]:
    if isinstance(slot, Gap):
        return slot.rebuilt if rebuilt else slot.reference
    return (slot.rebuilt if rebuilt else slot.reference,)
