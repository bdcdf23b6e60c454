"""What two sides of a slot hold, path by path: each difference once, with the kinds of it.

Both sides come sorted from the ledger and are merged, so that memory does not grow with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from envfreeze.compare.entries import OPAQUE, REBUILT, REFERENCE, WHITEOUT, decoded, encoded
from envfreeze.compare.model import Kind
from envfreeze.oci.members import Type
from envfreeze.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envfreeze.compare.entries import Entry
    from envfreeze.compare.ledger import Ledger

_DEFAULT_MODE: Final = 0o755
_TOP: Final = 1 << 30
"""Above all slots."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A path that differs.

    Attributes:
        path: the path.
        old: what the reference has there; None: nothing.
        new: what the other has there; None: nothing.
        kinds: what differs, the gravest first.
        layer: position of the layer that holds it, the rebuilt image's where both do.
        side: of which image that layer is.

    """

    path: str
    old: Entry | None
    new: Entry | None
    kinds: tuple[Kind, ...]
    layer: int
    side: int

    @property
    def is_deletion(self) -> bool:
        """Whether it deletes what layers below hold."""
        return self.old is None and self.new is None

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory on all sides that have it."""
        return all(side is None or side.is_directory for side in (self.old, self.new))


def differences(ledger: Ledger, slot: int) -> Iterator[Difference]:
    """What differs between the sides of a slot, sorted by path; deletions last.

    Names of owners do not count here: see `Kind.OWNER_NAME`.
    """
    for path, old, new in joined(ledger.entries(slot, REFERENCE), ledger.entries(slot, REBUILT)):
        kinds = compared(old, new)
        if kinds:
            layer, side = (new.layer, REBUILT) if new is not None else (old.layer if old else 0, REFERENCE)
            yield Difference(path, old, new, kinds, layer, side)
    yield from _marks(ledger, slot)


def telling(ledger: Ledger, slot: int) -> Iterator[Difference]:
    """The differences of a slot that holds all layers, without times and directories left out of a tar."""
    for one in differences(ledger, slot):
        side = REFERENCE if one.old is None else REBUILT
        entry = one.new if one.old is None else one.old
        is_alone = one.old is None or one.new is None
        left_out = is_alone and entry is not None and _is_implied(ledger, slot, side, entry)
        if one.kinds != (Kind.TIME,) and not left_out:
            yield one


def compared(old: Entry | None, new: Entry | None) -> tuple[Kind, ...]:
    """The kinds in which two entries of one path differ, the gravest first."""
    if old is None or new is None:
        return (Kind.REMOVED,) if new is None else (Kind.ADDED,) if old is None else ()
    of_file = _of_file(old, new)
    kinds = [] if of_file is None else [of_file]
    if old.peers != new.peers and of_file is not Kind.TYPE:
        kinds.append(Kind.HARD_LINK)
    if old.xattrs != new.xattrs:
        kinds.append(Kind.XATTR)
    # What a symbolic link's mode is depends on who packs it; no file system heeds it.
    if old.mode != new.mode and Type.SYMLINK not in {old.type, new.type}:
        kinds.append(Kind.MODE)
    if (old.uid, old.gid) != (new.uid, new.gid):
        kinds.append(Kind.OWNER)
    if old.mtime != new.mtime:
        kinds.append(Kind.TIME)
    return tuple(kinds)


def _of_file(old: Entry, new: Entry) -> Kind | None:
    """What differs of what a path stands for."""
    if old.type is not new.type:
        return Kind.TYPE
    if old.content != new.content:
        return Kind.CONTENT
    if old.link != new.link:
        return Kind.LINK
    return Kind.DEVICE if old.device != new.device else None


def resolved(ledger: Ledger, slot: int, difference: Difference) -> Difference:
    """Look again at a path, knowing what the layers hold that both images have.

    Args:
        ledger: has read what both images share, as far as it was wanted.
        slot: where the difference is.
        difference: as `differences` found it.

    """
    told = difference.kinds != (Kind.TIME,)
    # What is no directory deletes what was in one, as a deletion does.
    deletes = difference.is_deletion or not difference.is_directory
    if told and ledger.is_hidden(slot, difference.path, deletion=deletes):
        return replace(difference, kinds=(Kind.HIDDEN,))
    if difference.is_deletion:
        gone = ledger.below(slot, difference.side, difference.path, deleted=False)
        return difference if gone is not None else replace(difference, kinds=(Kind.IDLE_WHITEOUT,))
    if difference.kinds[0] not in {Kind.ADDED, Kind.REMOVED}:
        return difference
    if difference.is_directory and (found := _everywhere(ledger, difference)) is not None:
        return found
    side = REFERENCE if difference.old is None else REBUILT
    below = ledger.below(slot, side, difference.path, deleted=True)
    entry = difference.new if difference.old is None else difference.old
    if below is None:
        if entry is not None and _is_implied(ledger, slot, side, entry):
            return replace(difference, kinds=(Kind.TAR_FORMAT,))
        return difference
    old, new = (below, difference.new) if difference.old is None else (difference.old, below)
    kinds = tuple(one for one in compared(old, new) if one is not Kind.TIME)
    return replace(difference, old=old, new=new, kinds=kinds or (Kind.REPEATED,))


def _everywhere(ledger: Ledger, difference: Difference) -> Difference | None:
    """A directory that one side has in another place of its layers; None where one side has none at all."""
    sides = [ledger.below(_TOP, side, difference.path, deleted=True) for side in (REFERENCE, REBUILT)]
    if not all(entry is not None and entry.is_directory for entry in sides):
        return None
    old, new = sides
    kinds = tuple(one for one in compared(old, new) if one is not Kind.TIME)
    return replace(difference, old=old, new=new, kinds=kinds or (Kind.REPEATED,))


def _is_implied(ledger: Ledger, slot: int, side: int, entry: Entry) -> bool:
    """Whether the side without an entry for a directory has it all the same: of what is inside."""
    plain = (entry.mode, entry.uid, entry.gid, entry.xattrs) == (_DEFAULT_MODE, 0, 0, ())
    return entry.is_directory and plain and ledger.has_inside(slot, side, entry.path)


def other_order(ledger: Ledger, slot: int) -> tuple[int, str, str] | None:
    """The number and the names of the first members in another order; None where the order is the same.

    Asked of two layers that hold the same names: of others it says where one of them has a name more.
    """
    sides = (ledger.order(slot, REFERENCE), ledger.order(slot, REBUILT))
    for number, (old, new) in enumerate(zip(*sides, strict=False), 1):
        if old != new:
            return number, decoded(old), decoded(new)
    return None


def other_names(ledger: Ledger, slot: int) -> tuple[str, str, int] | None:
    """User and group names of the first path that has others, and how many have; None where none does."""
    first: tuple[str, str] | None = None
    count = 0
    for _, old, new in joined(ledger.entries(slot, REFERENCE), ledger.entries(slot, REBUILT)):
        if old is not None and new is not None and old.names != new.names:
            count += 1
            first = first or (":".join(old.names), ":".join(new.names))
    return None if first is None else (*first, count)


def joined(old: Iterator[Entry], new: Iterator[Entry]) -> Iterator[tuple[str, Entry | None, Entry | None]]:
    """Two streams that are sorted by the bytes of their paths as one: path, and what each has there."""
    before, after = next(old, None), next(new, None)
    while before is not None or after is not None:
        if after is None or (before is not None and encoded(before.path) < encoded(after.path)):
            assert before is not None  # noqa: S101 - the loop's condition
            yield before.path, before, None
            before = next(old, None)
        elif before is None or encoded(after.path) < encoded(before.path):
            yield after.path, None, after
            after = next(new, None)
        else:
            yield before.path, before, after
            before, after = next(old, None), next(new, None)


def _marks(ledger: Ledger, slot: int) -> Iterator[Difference]:
    """Deletions that one side alone has; those that the same slot's other side makes up for are none."""
    kinds = {WHITEOUT: Kind.WHITEOUT, OPAQUE: Kind.OPAQUE}
    for mine, other in ((REFERENCE, REBUILT), (REBUILT, REFERENCE)):
        theirs = _Cursor(ledger.marks(slot, other))
        for path, mark, layer in ledger.marks(slot, mine):
            if not theirs.has((encoded(path), mark)):
                yield Difference(path, None, None, (kinds[mark],), layer, mine)


class _Cursor:
    """Whether a sorted stream has a key; to be asked in rising order."""

    def __init__(self, stream: Iterator[tuple[str, int, int]]) -> None:
        self._stream = stream
        self._next = next(stream, None)

    def has(self, key: tuple[bytes, int]) -> bool:
        while self._next is not None and (encoded(self._next[0]), self._next[1]) < key:
            self._next = next(self._stream, None)
        return self._next is not None and (encoded(self._next[0]), self._next[1]) == key
