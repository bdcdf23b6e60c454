"""Both sides of the table to a verdict: which packages and which files differ, and whether they may."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from envfreeze.compare import causes, listings, suspects
from envfreeze.compare.entries import REBUILT, REFERENCE, Entry, Owner
from envfreeze.compare.installed import origins, packages, texts, tolerance
from envfreeze.compare.installed.bytecode import is_compiled, source_of
from envfreeze.compare.installed.launchers import interpreter_of, is_same_command
from envfreeze.compare.installed.sides import SLOT
from envfreeze.compare.installed.tally import UNOWNED, Tally
from envfreeze.compare.installed.tolerance import GRAVE, TOLERATED, Ruling
from envfreeze.compare.installed.ways import Ways
from envfreeze.compare.model import Finding, Kind, Level, worst
from envfreeze.compare.phrases import phrase
from envfreeze.compare.trees import Difference, joined
from envfreeze.oci.members import Type

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from envfreeze.compare.collected import Collected
    from envfreeze.compare.installed.origins import Origin
    from envfreeze.compare.installed.packages import Moved, Sets
    from envfreeze.compare.installed.sides import Sides
    from envfreeze.oci.image import Image

_HEX: Final = 12
_LEADS: Final = frozenset({Kind.TYPE, Kind.LINK})


@dataclass(frozen=True, slots=True)
class Installed:
    """How what is installed in an image compares with a lock.

    Attributes:
        level: `tree` where every path is as the lock has it, `packages` where all that differs is what an
            installer may leave different, or belongs to nobody; else `different`.
        findings: what differs, packages first.
        counts: how many findings of each kind there are.

    """

    level: Level
    findings: tuple[Finding, ...] = ()
    counts: Mapping[Kind, int] = field(default_factory=dict)


def judge(
    sides: Sides,
    image: Image,
    *,
    closed: Sequence[str],
    lost: Mapping[Origin, str] | None = None,
    said: Sequence[Finding] = (),
    whole_base: bool = True,
) -> Installed:
    """Compare what a lock puts into an image with what is in it.

    Args:
        sides: both sides, all in; they are settled here.
        image: the image, some files of which are read again.
        closed: where only packages put files, as modules lie in `site-packages`, which is the first.
        lost: packages whose files cannot be had to compare with, and why.
        said: what is known beforehand.
        whole_base: whether what the base has is known.

    Raises:
        UntrustedError: a layer is damaged.
        NetworkError: a registry does not give it.
        MachineError: there is no room to compare.

    """
    for side in (REFERENCE, REBUILT):
        sides.settle(SLOT, side, bottom=True)
    lost = lost or {}
    sets = packages.compared(sides, lost=lost, whole_base=whole_base)
    unseen = frozenset((origin.kind, origin.name) for origin in lost)
    ways = Ways(sides, closed[0].split("/")[-2])
    judging = _Judging(sides, ways, sets, tuple(f"{folder}/" for folder in closed), unseen)
    judging.run()
    judging.look_at_scripts(image)
    judging.look_at_lists(image)
    tally = judging.tally.finish()
    moved = [one.finding() for one in sorted(sets, key=lambda one: (one.kind, one.name))]
    missed = [_unchecked(origin, why) for origin, why in lost.items()]
    return _together(tally, (*said, *missed, *moved))


def _unchecked(origin: Origin, why: str) -> Finding:
    how = "not compared" if origin.kind == origins.PYTHON else "held against its own list alone"
    what = f"{origins.SHOWN[origin.kind]} {origin.version}: {why}; its files were {how}"
    return Finding(Kind.UNCHECKED, GRAVE, "packages", origin.name, None, what, causes.ARTIFACT_GONE)


def _together(tally: Collected, first: Sequence[Finding]) -> Installed:
    counts = dict(tally.counts)
    for one in first:
        counts[one.kind] = counts.get(one.kind, 0) + 1
    level = worst((tally.level, *(one.level for one in first)))
    # Times are no part of a lock: `identical` and `layers` are not to be known here.
    return Installed(worst((level, Level.TREE)), (*first, *tally.kept), counts)


@dataclass(slots=True)
class _Judging:
    sides: Sides
    ways: Ways
    sets: Sets
    closed: tuple[str, ...]
    lost: frozenset[tuple[str, str]]
    tally: Tally = field(default_factory=Tally)
    _scripts: list[tuple[Origin, Entry, Entry]] = field(default_factory=list)
    _settings: list[tuple[Ruling, Origin, Entry, Entry]] = field(default_factory=list)
    _listed_by_md5: list[tuple[Entry, Owner]] = field(default_factory=list)

    def run(self) -> None:
        """Go through both sides, path by path."""
        for path, old, new in joined(self.sides.entries(SLOT, REFERENCE), self.sides.entries(SLOT, REBUILT)):
            if not path:
                continue
            if new is None:
                if old is not None:
                    self._missing(old)
            elif old is None:
                self._further(new)
            else:
                self._both(old, new)

    # What the lock has

    def _missing(self, old: Entry) -> None:
        origin = self.sides.origin_of(old)
        if old.is_directory and self.sides.has_inside(SLOT, REBUILT, old.path):
            return
        moved = self.sets.lacking.get(origin)
        if moved is None and (own := listings.own_list_of(old.path)) is not None:
            # That somebody asked for a package is in its folder, and of the environment.
            moved = self.sets.of_name(own[1], own[0])
        if moved is not None:
            moved.missing += not old.is_directory
            return
        ruling = tolerance.of_missing(origin, old)
        what = f"{old.type.value}{_size(old)} -> none"
        self.tally.add(ruling, origin.place, self._package(origin, old.path), old.path, what)

    def _both(self, old: Entry, new: Entry) -> None:
        origin = self.sides.origin_of(old)
        both = old.is_directory and new.is_directory
        if both and origin.kind in {origins.PIP, origins.CONDA} and not tolerance.lets_others_write(new):
            return
        if not tolerance.differs(old, new):
            return
        told = self.sides.owner(old.path, REBUILT)
        for ruling in tolerance.of_changed(origin, old, new, told):
            moved = self.sets.lacking.get(origin)
            if moved is not None and moved.found:
                moved.changed += 1
                return
            if ruling.kind is Kind.CONTENT and ruling.level is GRAVE and old.path in self.sides.scripts:
                self._scripts.append((origin, old, new))
                continue
            astray = ruling.kind in _LEADS and ruling.level is TOLERATED and self.ways.lead_astray(old, new)
            if ruling.kind is Kind.CONTENT and old.path.endswith("/pyvenv.cfg"):
                self._settings.append((ruling, origin, old, new))
                continue
            strict = ruling._replace(level=GRAVE, cause=causes.CHANGED_AFTER_INSTALL)
            self._say(strict if astray else ruling, origin, old, new)

    def _say(self, ruling: Ruling, origin: Origin, old: Entry, new: Entry) -> None:
        difference = Difference(old.path, old, new, (ruling.kind,), new.layer, REBUILT)
        what = phrase(ruling.kind, difference)
        self.tally.add(ruling, origin.place, self._package(origin, old.path), old.path, what)

    def _package(self, origin: Origin, path: str) -> str | None:
        """The package that a path is of; of a base's path the one that the base's own lists name."""
        if origin.kind != origins.BASE:
            return origin.package
        owner = self._listed(path, REFERENCE)
        return None if owner is None else owner.package

    def _listed(self, path: str, side: int) -> Owner | None:
        owners = (self.sides.owner(name, side) for name in listings.other_names(path))
        return next((one for one in owners if one is not None), None)

    # What the lock has not

    def _further(self, new: Entry) -> None:
        if new.is_directory and not (tolerance.lets_others_write(new) and self._is_closed(new.path)):
            return
        moved, owner = self._moved_of(new)
        if moved is not None:
            moved.further += 1
        elif owner is not None and (owner.source, owner.package) in self.lost:
            self._by_own_list(new, owner)
        elif (ruling := self._ruled(new)) is not None:
            near = self._near(new.path)
            place = near.place if near is not None else UNOWNED
            what = f"none -> {new.type.value}{_size(new)}"
            self.tally.add(ruling, place, None if near is None else near.package, new.path, what)
        else:
            self.tally.unowned(new)

    def _moved_of(self, new: Entry) -> tuple[Moved | None, Owner | None]:
        """The package that is not as locked and that a file is of; and what the image's lists say of it."""
        owner = self._listed(new.path, REBUILT)
        if owner is None and (own := listings.own_list_of(new.path)) is not None:
            owner = Owner(own[0], own[1], "")
        if owner is None and is_compiled(new.path):
            # Compiled when it was first imported, so that no list has it.
            owner = self._listed(source_of(new.path), REBUILT)
        if owner is None:
            return None, None
        return self.sets.of_name(owner.source, owner.package), owner

    def _by_own_list(self, new: Entry, owner: Owner) -> None:
        """A file of a package that there is nothing to compare with: it should be what its list says."""
        algorithm, _, stated = owner.hash.partition(":")
        if not new.content or not stated:
            return
        if algorithm == "md5":
            self._listed_by_md5.append((new, owner))
        elif new.content.hex() != stated:
            self._not_as_listed(new, owner, stated, new.content.hex())

    def _not_as_listed(self, new: Entry, owner: Owner, stated: str, found: str) -> None:
        what = f"content {stated[:_HEX]} in its own list -> {found[:_HEX]}"
        ruling = Ruling(Kind.CONTENT, GRAVE, causes.TAMPERING)
        self.tally.add(ruling, origins.PLACES[owner.source], owner.package, new.path, what)

    def look_at_lists(self, image: Image) -> None:
        """Read the files of OS packages that there is nothing else to compare with."""
        wanted: dict[int, set[str]] = {}
        for new, _ in self._listed_by_md5:
            wanted.setdefault(new.layer, set()).add(new.path)
        found = texts.md5s(image, wanted)
        for new, owner in self._listed_by_md5:
            stated = owner.hash.removeprefix("md5:")
            if (got := found.get(new.path)) is not None and got != stated:
                self._not_as_listed(new, owner, stated, got)

    def _ruled(self, new: Entry) -> Ruling | None:
        """What is to be said of a path that no package of the lock has; None: nobody owns it."""
        path = new.path
        if tolerance.gives_power(new) or self.ways.depend_on_who_unpacks(new):
            return Ruling(Kind.ADDED, GRAVE, causes.CHANGED_AFTER_INSTALL)
        is_bytecode = is_compiled(path) and new.type is Type.FILE
        if is_bytecode and self.sides.find(REFERENCE, source_of(path)) is not None:
            return Ruling(Kind.ADDED, TOLERATED, causes.BYTECODE)
        noted = listings.DIST_INFO.match(path) is not None and listings.is_note(path)
        if noted and not path.endswith(".pyc"):
            return Ruling(Kind.ADDED, TOLERATED, causes.INSTALLER_METADATA)
        if self._is_closed(path):
            return Ruling(Kind.ADDED, GRAVE, causes.CHANGED_AFTER_INSTALL)
        cause = suspects.by_path(path, Kind.ADDED)
        if cause is None or cause is causes.BYTECODE:
            return None
        return Ruling(Kind.ADDED, TOLERATED, cause)

    def _is_closed(self, path: str) -> bool:
        return any(f"{path}/".startswith(folder) for folder in self.closed)

    def _near(self, path: str) -> Origin | None:
        """What of the lock has files in the nearest folder around a path; where all share one, None."""
        folder = path.rpartition("/")[0]
        while not folder.endswith("-packages") and any(f"{folder}/".startswith(one) for one in self.closed):
            found = self.sides.first_inside(REFERENCE, folder)
            if found is not None:
                return self.sides.origin_of(found)
            folder = folder.rpartition("/")[0]
        return None

    # Commands

    def look_at_scripts(self, image: Image) -> None:
        """Read the commands' scripts and settings that differ: another installer may have written them."""
        wanted: dict[int, set[str]] = {}
        for new in (*(one[-1] for one in self._scripts), *(one[-1] for one in self._settings)):
            wanted.setdefault(new.layer, set()).add(new.path)
        found = texts.read(image, wanted)
        for ruling, origin, old, new in self._settings:
            strict = ruling._replace(level=GRAVE, cause=causes.CHANGED_AFTER_INSTALL)
            astray = self.ways.take_a_library_that_is_nobodys(found.get(new.path, b""))
            self._say(strict if astray else ruling, origin, old, new)
        for origin, old, new in self._scripts:
            text = found.get(old.path)
            same = text is not None and is_same_command(self.sides.scripts[old.path], text)
            same = same and not self.ways.end_at_nobodys(interpreter_of(text or b""))
            rulings = tolerance.of_changed(origin, old, new, self.sides.owner(old.path, REBUILT))
            grave = next(one for one in rulings if one.kind is Kind.CONTENT)
            ruling = Ruling(Kind.CONTENT, TOLERATED, causes.LAUNCHER) if same else grave
            self._say(ruling, origin, old, new)


def _size(entry: Entry) -> str:
    return f", {entry.size} bytes" if entry.type is Type.FILE else f" to {entry.link}" if entry.link else ""
