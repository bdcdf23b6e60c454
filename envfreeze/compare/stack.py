"""Two stacks of layers in the ledger: what both share is passed over, the rest is read and laid together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from envfreeze.compare import trees
from envfreeze.compare.align import Gap, Shared, align, merged
from envfreeze.compare.entries import BOTH, REBUILT, REFERENCE
from envfreeze.compare.ledger import Ledger
from envfreeze.compare.reading import Job, check, read

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from envfreeze.compare.align import Slot
    from envfreeze.compare.trees import Difference
    from envfreeze.oci.image import Image, Layer
    from envfreeze.progress import Progress


@dataclass(slots=True)
class Stack:
    """Two images' layers beside each other.

    Attributes:
        reference: the image as it was.
        rebuilt: the other image.
        names: what the layers of each are called, lowest first.
        slots: where they stand against each other.
        ledger: what was read of them.
        idle: by slot, deletions that delete nothing.
        layers_read: how many layers were opened.
        saw_shared: what both share has been read too.

    """

    reference: Image
    rebuilt: Image
    names: tuple[Sequence[str], Sequence[str]]
    slots: tuple[Slot, ...]
    ledger: Ledger
    progress: Progress
    idle: dict[int, int] = field(default_factory=dict)
    layers_read: int = 0
    saw_shared: bool = False

    @property
    def gaps(self) -> list[tuple[int, Gap]]:
        """The slots whose layers differ, with their numbers."""
        return [(number, slot) for number, slot in enumerate(self.slots) if isinstance(slot, Gap)]

    @property
    def shared(self) -> list[tuple[int, Shared]]:
        """The slots that both images have, with their numbers."""
        return [(number, slot) for number, slot in enumerate(self.slots) if isinstance(slot, Shared)]

    def layer(self, side: int, position: int) -> Layer:
        """A layer of an image; one that both have is taken from the rebuilt one."""
        return (self.reference if side == REFERENCE else self.rebuilt).layers[position]

    def name(self, side: int, position: int) -> str:
        """What findings call a layer."""
        return self.names[side][position]

    def differences(self, only: int | None = None) -> Iterator[tuple[int, Difference]]:
        """What differs, slot by slot or in one of them, with what lies below where that has been read."""
        for number, _ in self.gaps:
            if only not in {None, number}:
                continue
            for one in trees.differences(self.ledger, number):
                yield number, trees.resolved(self.ledger, number, one) if self.saw_shared else one

    def see_shared(self, why: str) -> None:
        """Read what both images share, as far as it was wanted."""
        jobs = [
            Job(
                self.layer(REBUILT, slot.rebuilt),
                self.name(REBUILT, slot.rebuilt),
                number,
                BOTH,
                slot.rebuilt,
            )
            for number, slot in self.shared
        ]
        self.ledger.index_paths()
        read(self.ledger, jobs, why, self.progress)
        self.layers_read += len(jobs)
        self.saw_shared = True


def stacked(
    reference: Image, rebuilt: Image, names: tuple[Sequence[str], Sequence[str]], progress: Progress
) -> Stack:
    """Lay two images beside each other and read the layers that they do not share; to be closed.

    Where one path differs in two places, as when layers changed their order, the stretch between them is
    laid on each other with all of its layers.

    Raises:
        UntrustedError: a layer is damaged, or not what its diffID says.
        NetworkError: a registry does not give a layer.
        MachineError: there is no room to compare.

    """
    slots = align(*([layer.diff_id for layer in image.layers] for image in (reference, rebuilt)))
    recompressed = [
        (names[side][position], layer)
        for slot in slots
        if isinstance(slot, Shared)
        for side, position, image in (
            (REFERENCE, slot.reference, reference),
            (REBUILT, slot.rebuilt, rebuilt),
        )
        if (layer := image.layers[position]).digest
        != (rebuilt.layers[slot.rebuilt] if side == REFERENCE else reference.layers[slot.reference]).digest
    ]
    # One diffID for two blobs is only what a config says.
    check(recompressed, progress)
    opened = len(recompressed)
    while True:
        stack = Stack(reference, rebuilt, names, slots, Ledger(), progress)
        try:
            opened += _fill(stack)
            crossing = stack.ledger.crossing()
        except BaseException:
            stack.ledger.close()
            raise
        if crossing is None:
            stack.layers_read = opened
            return stack
        stack.ledger.close()
        slots = merged(slots, *crossing)


def _fill(stack: Stack) -> int:
    jobs = [
        Job(stack.layer(side, position), stack.name(side, position), number, side, position)
        for number, gap in stack.gaps
        for side, positions in ((REFERENCE, gap.reference), (REBUILT, gap.rebuilt))
        for position in positions
    ]
    if jobs:
        read(stack.ledger, jobs, "comparing layers", stack.progress)
    for number, _ in stack.gaps:
        idle = [stack.ledger.settle(number, side, bottom=number == 0) for side in (REFERENCE, REBUILT)]
        stack.idle[number] = abs(idle[1] - idle[0])
    if len(stack.gaps) > 1:
        for number, _ in stack.gaps:
            stack.ledger.note_differing(
                number,
                (one.path for one in trees.differences(stack.ledger, number) if not one.is_directory),
            )
    return len(jobs)
