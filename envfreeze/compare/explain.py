"""The differences of a stack as findings: each with its level, its package and the likely cause.

Two rounds over the differences. The first finds out whether the verdict depends on layers that both images
have, and which files to look into; the second makes the findings.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from envfreeze.compare import causes, contents, listings, suspects, trees
from envfreeze.compare.align import Gap
from envfreeze.compare.entries import BOTH, REBUILT, REFERENCE, Owner
from envfreeze.compare.insides import NOTHING, look
from envfreeze.compare.model import UNKNOWN, Finding, Kind, Level, finding, worst
from envfreeze.compare.names import ASSEMBLED
from envfreeze.compare.packages import Sets
from envfreeze.compare.phrases import phrase
from envfreeze.compare.stack import whole
from envfreeze.errors import UntrustedError
from envfreeze.replacing import replace

if TYPE_CHECKING:
    from pathlib import Path

    from envfreeze.compare.collected import Collected
    from envfreeze.compare.insides import Insight
    from envfreeze.compare.ledger import Ledger
    from envfreeze.compare.model import Cause
    from envfreeze.compare.stack import Stack
    from envfreeze.compare.trees import Difference

_ALONE: Final = frozenset({Kind.ADDED, Kind.REMOVED})
_CHEAP: Final = 256 << 20
"""Bytes of shared layers that are read to be exact about every path; of more, only where it matters more."""


@dataclass(slots=True)
class _Outlook:
    """What levels are possible, before the layers that both images have are read."""

    best: set[Level] = field(default_factory=set)
    least: set[Level] = field(default_factory=set)

    def add(self, best: Level, least: Level | None = None) -> None:
        self.best.add(best)
        self.least.add(best if least is None else least)

    @property
    def is_open(self) -> bool:
        return worst(self.best) is not worst(self.least)


class Explanation:
    """Makes the findings of a stack.

    Args:
        stack: the images, their own layers read.
        found: where findings go; its level counts.
        folder: an empty one, for files that are looked into.

    """

    def __init__(self, stack: Stack, found: Collected, folder: Path) -> None:
        self._stack = stack
        self._ledger = stack.ledger
        self._found = found
        self._folder = folder
        self._numbers = [number for number, _ in stack.gaps]
        self._sets = Sets(self._ledger, self._numbers)
        self._base_moved = _base_moved(stack)
        self._whole: Ledger | None = None

    def run(self) -> None:
        """Find everything."""
        try:
            self._run()
        finally:
            if self._whole is not None:
                self._whole.close()

    def _run(self) -> None:
        self._look_further()
        wish = contents.Wish()
        for _, one in self._stack.differences():
            if Kind.CONTENT in one.kinds:
                wish.add(one, grave=self._owned(one) is not None)
        self._contents = contents.extract(self._stack, wish, self._folder)
        for said in self._sets.findings():
            self._found.add(self._of_base(said) if "OS package" in said.what else said)
        self._gaps()
        if self._whole is not None and self._found.level.reaches(Level.TREE):
            # Nothing of the layers told it, and laid on each other they differ all the same.
            for one in trees.telling(self._whole, 0):
                self._add(one)

    def _gaps(self) -> None:
        for number, gap in self._stack.gaps:
            before, alike = self._found.counts.total(), True
            for _, one in self._stack.differences(number):
                alike = alike and all(
                    entry is not None and entry.side != BOTH for entry in (one.old, one.new)
                )
                self._add(one)
            if alike and len(gap.reference) == len(gap.rebuilt) == 1:
                self._packing(number, gap, silent=self._found.counts.total() == before)

    # The first round

    def _look_further(self) -> None:
        """Read what both images have, where the level depends on it."""
        stack = self._stack
        if not stack.shared:
            return
        outlook = _Outlook()
        outlook.add(self._found.level)
        outlook.add(Level.DIFFERENT if self._sets.moved else Level.IDENTICAL)
        highest = max(number for number, _ in stack.shared)
        cheap = sum(stack.layer(REBUILT, slot.rebuilt).size for _, slot in stack.shared) <= _CHEAP
        for number, one in stack.differences():
            best, least = self._possible(one)
            if cheap and (number < highest or one.kinds[0] in _ALONE):
                # A layer above may hide it, or one below hold the same.
                best = min(best, Level.TREE, key=lambda level: level.rank)
            outlook.add(best, least)
        half = self._ledger.lists_dpkg(REFERENCE) is not self._ledger.lists_dpkg(REBUILT)
        if not half and not outlook.is_open:
            return
        self._ledger.want(one.path for _, one in stack.differences() if one.kinds != (Kind.TIME,))
        stack.see_shared("reading the layers that both images have")
        if cheap:
            self._whole = whole(stack)
        self._sets = Sets(self._ledger, self._numbers)

    def _possible(self, one: Difference) -> tuple[Level, Level]:
        """The best and the worst level that a difference may turn out to leave."""
        if one.is_deletion:
            return Level.TREE, Level.DIFFERENT if suspects.may_be_owned(one.path) else Level.PACKAGES
        if one.is_directory and one.kinds[0] in _ALONE:
            return Level.TREE, Level.PACKAGES
        known = worst(self._level(kind, one) for kind in one.kinds)
        if known is not Level.PACKAGES or not suspects.may_be_owned(one.path):
            return known, known
        if self._owned(one) is not None:
            return known, known
        return Level.TREE if one.kinds[0] in _ALONE else known, Level.DIFFERENT

    # The second round

    def _add(self, one: Difference) -> None:
        layer = self._stack.name(one.side, one.layer)
        for kind in self._told(one):
            if not self._found.wants(kind, layer):
                self._found.count(kind, self._level(kind, one))
                continue
            owner = self._owner(one)
            insight = self._inside(one) if kind is Kind.CONTENT else NOTHING
            made = Finding(
                kind,
                self._level(kind, one),
                layer,
                None if owner is None else owner.package,
                one.path,
                phrase(kind, one),
                self._cause(kind, one, insight),
                insight.details,
            )
            # How many layers are the base's nobody says; the lowest is one of them.
            self._found.add(self._of_base(made) if one.layer == 0 else made)

    @staticmethod
    def _told(one: Difference) -> tuple[Kind, ...]:
        """The kinds that are worth a finding: a path that is another file has another time, of course."""
        graver = tuple(kind for kind in one.kinds if kind is not Kind.TIME)
        return (Kind.TYPE,) if Kind.TYPE in graver else graver or one.kinds

    def _level(self, kind: Kind, one: Difference) -> Level:
        if self._whole is not None and kind.level is Level.PACKAGES and not self._whole.differs(one.path):
            # All layers laid on each other are the same there.
            return Level.TREE
        if kind.level is Level.PACKAGES and self._owned(one) is not None:
            return Level.DIFFERENT
        return kind.level

    def _owned(self, one: Difference) -> Owner | None:
        """The package that a file is a part of: one that lists it, and for which it is no mere note."""
        if one.is_directory and not one.is_deletion:
            return None
        if listings.is_note(one.path):
            return None
        return self._listed(one)

    def _listed(self, one: Difference) -> Owner | None:
        for path in listings.other_names(one.path):
            for side in (REBUILT, REFERENCE):
                owner = self._ledger.owner(path, side)
                if owner is not None:
                    return owner
        return None

    def _owner(self, one: Difference) -> Owner | None:
        notes = listings.own_list_of(one.path)
        owner = None if one.is_directory and not one.is_deletion else self._listed(one)
        # conda says what belongs to it better than the notes of the wheel that it was made from.
        if notes is not None and (owner is None or owner.source != "conda"):
            return Owner(*notes, "")
        return owner

    def _inside(self, one: Difference) -> Insight:
        files = self._contents.both(one.path)
        if files is None:
            return NOTHING
        try:
            return look(one.path, *files)
        except UntrustedError as error:
            return replace(NOTHING, details=(error.message,))

    def _cause(self, kind: Kind, one: Difference, insight: Insight) -> Cause:
        owner = self._owner(one)
        moved = owner is not None and owner.package in self._sets.moved
        attribute = suspects.of_attribute(kind, one.old, one.new)
        if attribute is not None:
            return attribute
        by_path = suspects.by_path(one.path, kind)
        if moved:
            return causes.FLOATING_PACKAGE
        if by_path is not None:
            return by_path
        if kind in {Kind.CONTENT, Kind.LINK, Kind.TYPE, Kind.ADDED, Kind.REMOVED} and owner is not None:
            told = self._of_package(one)
            if told is not None:
                return told
        return insight.cause or (
            causes.CHANGED_AFTER_INSTALL if owner is not None else suspects.of_file(one.path)
        )

    def _of_package(self, one: Difference) -> Cause | None:
        old, new = self._by_side(one, REFERENCE), self._by_side(one, REBUILT)
        told = suspects.of_package_file((one.old, old), (one.new, new))
        if told is not None:
            return told
        files = self._contents.both(one.path)
        if files is None or not any(side is not None and side.hash.startswith("md5:") for side in (old, new)):
            return None
        md5 = [hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest() for file in files]
        return suspects.by_md5(
            (md5[0], md5[1]), tuple("" if side is None else side.hash for side in (old, new))
        )

    def _by_side(self, one: Difference, side: int) -> Owner | None:
        found = (self._ledger.owner(path, side) for path in listings.other_names(one.path))
        return next((owner for owner in found if owner is not None), None)

    def _of_base(self, made: Finding) -> Finding:
        """A finding about the base, where that is another one: what changed in it has no other cause."""
        if not self._base_moved:
            return made
        vague = {UNKNOWN, causes.FLOATING_PACKAGE, causes.REBUILT_PACKAGE, causes.PROJECT_FILES}
        return replace(made, cause=causes.RE_PUSHED_BASE) if made.cause in vague else made

    def _packing(self, number: int, gap: Gap, *, silent: bool) -> None:
        """How two layers with the same names are packed differently."""
        layer = self._stack.name(REBUILT, gap.rebuilt[0])
        if self._stack.idle[number]:
            what = f"{self._stack.idle[number]} deletions that delete nothing"
            self._found.add(finding(Kind.IDLE_WHITEOUT, layer, what, causes.OTHER_FILE_SYSTEM))
            silent = False
        names = trees.other_names(self._ledger, number)
        if names is not None:
            what = f"{names[0]} -> {names[1]} ({names[2]} paths)"
            self._found.add(finding(Kind.OWNER_NAME, layer, what, causes.OTHER_BUILDER))
            silent = False
        order = trees.other_order(self._ledger, number)
        if order is not None:
            what = f"member {order[0]}: {order[1]} -> {order[2]}"
            self._found.add(finding(Kind.TAR_ORDER, layer, what, causes.OTHER_BUILDER))
            silent = False
        if silent:
            what = "same members in the same order, other headers"
            self._found.add(finding(Kind.TAR_FORMAT, layer, what, causes.OTHER_BUILDER))


def _base_moved(stack: Stack) -> bool:
    """Whether the lowest layers differ, and are those of a base that envfreeze did not assemble."""
    first = stack.slots[0]
    if not isinstance(first, Gap) or not first.reference or not first.rebuilt:
        return False
    # An image that is one layer has no base that anybody could tell from the rest.
    if len(stack.reference.layers) == 1 or len(stack.rebuilt.layers) == 1:
        return False
    names = (stack.name(REFERENCE, 0), stack.name(REBUILT, 0))
    return not any(ASSEMBLED.fullmatch(name) for name in names)
