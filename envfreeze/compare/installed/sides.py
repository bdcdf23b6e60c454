"""The table of both sides: what the lock puts into an image, and what is in it.

The expected side is that of the reference. Its layers are those of the base, then one for each kind of
origin, as layers of an image lie on each other; a row's place is the number of its origin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from envfreeze.compare import listings
from envfreeze.compare import statements as sql
from envfreeze.compare.entries import REBUILT, REFERENCE, WHITEOUT, encoded, entry, inside, mark_row, row
from envfreeze.compare.installed import origins
from envfreeze.compare.ledger import Ledger
from envfreeze.oci.members import Type

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from envfreeze.compare.entries import Entry
    from envfreeze.compare.installed.hashed import Hashed
    from envfreeze.compare.installed.origins import Origin

SLOT: Final = 0
"""Both sides lie in one: nothing is shared."""

_ORDER: Final = (
    origins.DPKG,
    origins.SYSTEM,
    origins.PYTHON,
    origins.CONDA,
    origins.PIP,
    origins.ENVIRONMENT,
    origins.PROJECT,
)
"""What lies on what (docs/formats/image.md)."""

_STATUS: Final = "var/lib/dpkg/status"
_FIND: Final = f"{sql.SELECT} AND path = ? AND mark = 0 AND hidden = 0 ORDER BY layer DESC LIMIT 1"
_FIRST_INSIDE: Final = f"{sql.SELECT} AND path >= ? AND path < ? AND mark = 0 AND hidden = 0 LIMIT 1"
_LISTED: Final = "SELECT 1 FROM owner WHERE path = ? AND side = ? AND source = ? LIMIT 1"
_COPY_TOLD: Final = {
    "owner": "INSERT INTO owner SELECT slot, ?, layer, listing, path, package, source, hash FROM owner"
    " WHERE slot = ? AND side = ? AND layer < ?",
    "package": "INSERT INTO package SELECT slot, ?, layer, listing, source, root, name, version FROM package"
    " WHERE slot = ? AND side = ? AND layer < ?",
}


class Sides(Ledger):
    """The table.

    Attributes:
        origins: by number.
        scripts: texts of the commands that the lock's packages install, by path.

    """

    def __init__(self) -> None:
        super().__init__()
        self.origins: list[Origin] = []
        self.scripts: dict[str, bytes] = {}
        self._base: Origin | None = None
        self._below = 0
        self._directories: set[tuple[int, str]] = set()

    # Writing

    def keep_base(self, base: Origin, count: int, *, in_image: bool) -> None:
        """Say that the lowest layers are the base's.

        Args:
            base: the base.
            count: how many layers it has.
            in_image: the image has these very layers, and what was read there is expected, too; else they
                have been read as the reference's.

        """
        self._base, self._below = base, count
        if in_image:
            for number in range(count):
                self._run(sql.COPY, REFERENCE, number, SLOT, REBUILT, number)
            for statement in _COPY_TOLD.values():
                self._run(statement, REFERENCE, SLOT, REBUILT, count)

    def expect(self, origin: Origin, files: Iterable[Hashed]) -> None:
        """Expect what an origin puts into an image; of two files at one path the later counts."""
        number = len(self.origins)
        self.origins.append(origin)
        layer = self._below + _ORDER.index(origin.kind)
        self.add_entries(self._rows_of(number, layer, files))

    def _rows_of(self, number: int, layer: int, files: Iterable[Hashed]) -> Iterator[tuple[Any, ...]]:
        for one in files:
            path = one.member.path
            if one.hides:
                yield mark_row(SLOT, REFERENCE, layer, number, path, WHITEOUT)
                continue
            if one.member.type is Type.DIRECTORY:
                # A directory that several packages of a layer bring is as the first gives it.
                if (layer, path) in self._directories:
                    continue
                self._directories.add((layer, path))
            yield row(SLOT, REFERENCE, layer, number, one.member, one.digest)

    def tell_status(self, origin: Origin, status: bytes) -> None:
        """Note the OS packages of dpkg's status as the lock makes it."""
        layer = self._below + _ORDER.index(origin.kind)
        found = listings.read(_STATUS, status)
        self.add_packages(SLOT, REFERENCE, layer, _STATUS, found.packages)

    # Reading

    def origin_of(self, expected: Entry) -> Origin:
        """Where an expected entry comes from."""
        if self._base is not None and self.is_base(expected):
            return self._base
        return self.origins[expected.place]

    def is_base(self, expected: Entry) -> bool:
        """Whether an expected entry is of a base that is an image."""
        return expected.layer < self._below

    def find(self, side: int, path: str) -> Entry | None:
        """What a side has at a path."""
        found = self._rows(_FIND, SLOT, side, encoded(path))
        return entry(found[0]) if found else None

    def is_of(self, source: str, path: str) -> bool:
        """Whether a list of the image's conda (`conda`) or dpkg (`dpkg`) names a path."""
        return bool(self._rows(_LISTED, encoded(path), REBUILT, source))

    def first_inside(self, side: int, path: str) -> Entry | None:
        """Something that a side has inside a directory; None: nothing."""
        found = self._rows(_FIRST_INSIDE, SLOT, side, *inside(encoded(path)))
        return entry(found[0]) if found else None
