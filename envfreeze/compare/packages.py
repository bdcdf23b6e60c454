"""Which packages differ between two images, from what their layers list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.compare import causes, listings
from envfreeze.compare.entries import OPAQUE, REBUILT, REFERENCE, Package
from envfreeze.compare.model import Finding, Kind, finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from envfreeze.compare.ledger import Ledger

_Key = tuple[str, str, str]
_PLACE = "packages"
_SHOWN = {"pip": "Python package", "conda": "conda package", "dpkg": "OS package"}


class Sets:
    """The packages of both images, as far as their layers have been read.

    Attributes:
        moved: names of those that are not the same on both sides.

    """

    def __init__(self, ledger: Ledger, slots: Sequence[int]) -> None:
        self._old = _visible(ledger, REFERENCE, slots)
        self._new = _visible(ledger, REBUILT, slots)
        # A layer that deletes a package's notes tells that the other image has it, wherever that lies.
        for side, other in ((REFERENCE, self._new), (REBUILT, self._old)):
            for package in _deleted(ledger, side, slots):
                other.setdefault((package.source, package.root, package.name), package.version)
        keys = self._old.keys() | self._new.keys()
        self.moved = frozenset(key[2] for key in keys if self._old.get(key) != self._new.get(key))

    def findings(self) -> Iterator[Finding]:
        """One for each package that came, went or has another version."""
        for key in sorted(self._old.keys() | self._new.keys()):
            was, now = self._old.get(key), self._new.get(key)
            if was == now:
                continue
            source, root, name = key
            kind = (
                Kind.PACKAGE_ADDED
                if was is None
                else Kind.PACKAGE_REMOVED
                if now is None
                else Kind.PACKAGE_VERSION
            )
            where = f" in {root}" if root and source != "dpkg" else ""
            what = f"{_SHOWN[source]}{where}: {was or 'none'} -> {now or 'none'}"
            yield finding(kind, _PLACE, what, causes.FLOATING_PACKAGE, package=name)


def _visible(ledger: Ledger, side: int, slots: Sequence[int]) -> dict[_Key, str]:
    """Version by source, root and name; what a layer above deletes does not count."""
    deleted = [(slot, path, mark) for slot in slots for path, mark, _ in ledger.marks(slot, side)]
    by_path: dict[str, int] = {}
    inside: dict[str, int] = {}
    for slot, path, mark in deleted:
        where = inside if mark == OPAQUE else by_path
        where[path] = max(slot, where.get(path, -1))
    found: dict[_Key, str] = {}
    for package, slot, listing in ledger.packages(side):
        if not _is_deleted(listing, slot, by_path, inside) and not _is_condas(ledger, package, listing, side):
            found[package.source, package.root, package.name] = package.version
    return found


def _is_deleted(path: str, slot: int, by_path: Mapping[str, int], inside: Mapping[str, int]) -> bool:
    current = path
    while current:
        if by_path.get(current, -1) > slot:
            return True
        current = current.rpartition("/")[0]
        if inside.get(current, -1) > slot:
            return True
    return False


def _is_condas(ledger: Ledger, package: Package, listing: str, side: int) -> bool:
    """Whether a Python package is conda's, which has its own record of it."""
    if package.source != "pip":
        return False
    owner = ledger.owner(listing, side)
    return owner is not None and owner.source == "conda"


def _deleted(ledger: Ledger, side: int, slots: Sequence[int]) -> Iterator[Package]:
    """The Python packages whose notes a side deletes, as the paths tell."""
    for slot in slots:
        for path, _, _ in ledger.marks(slot, side):
            wheel = listings.DIST_INFO.fullmatch(path)
            if wheel is not None:
                yield Package("pip", wheel["root"], listings.normal(wheel["name"]), wheel["version"])
