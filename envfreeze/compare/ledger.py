"""What layers hold, in a table that spills to disk: comparing images of any size takes the same memory.

The table is SQLite's temporary database: nobody else sees it, and it is gone with the process. Names are
kept as bytes, since a tar may hold any. A path is looked up by slot (the place between shared layers, see
`align`), side and name; within a slot the layers of a side hide each other as in an overlay file system.
"""

from __future__ import annotations

import itertools
import sqlite3
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Self

from envfreeze.compare import statements as sql
from envfreeze.compare.entries import (
    BOTH,
    NUMBERS,
    OPAQUE,
    WHITEOUT,
    Entry,
    Owner,
    Package,
    decoded,
    encoded,
    entry,
    inside,
)
from envfreeze.errors import MachineError
from envfreeze.oci.members import Type

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_CACHE_KIBIBYTES: Final = 16 * 1024
_PIECE: Final = 1000


class Ledger:
    """The table. Several threads may write to it; use it in a `with`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._has_owners = False
        with _in_words():
            # An empty name: a database of its own on disk, kept in memory as far as the cache goes.
            self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
            self._database.execute(f"PRAGMA cache_size = -{_CACHE_KIBIBYTES}")
            self._database.execute("PRAGMA temp_store = FILE")
            self._database.execute("PRAGMA journal_mode = OFF")
            self._database.execute("PRAGMA synchronous = OFF")
            self._database.executescript(sql.SCHEMA)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Forget it all."""
        self._database.close()

    # Writing

    def add_entries(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Add rows made by `row` and `mark_row`; of two of one name in a layer the last counts."""
        self._many(sql.INSERT, rows)

    def add_owners(
        self, slot: int, side: int, layer: int, listing: str, owned: Iterable[tuple[str, Owner]]
    ) -> None:
        """Add the paths that a package's list names."""
        self._has_owners = True
        listed = encoded(listing)
        self._many(
            "INSERT INTO owner VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (slot, side, layer, listed, encoded(path), one.package, one.source, one.hash)
                for path, one in owned
            ),
        )

    def add_packages(
        self, slot: int, side: int, layer: int, listing: str, packages: Iterable[Package]
    ) -> None:
        """Add the packages that a file of a layer tells of."""
        listed = encoded(listing)
        self._many(
            "INSERT INTO package VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            ((slot, side, layer, listed, one.source, one.root, one.name, one.version) for one in packages),
        )

    def want(self, paths: Iterable[str]) -> None:
        """Note paths whose state below is asked for."""
        rows = ((encoded(path),) for path in paths)
        while piece := list(itertools.islice(rows, _PIECE)):
            self._many("INSERT OR IGNORE INTO wanted VALUES (?)", piece)

    def index_paths(self) -> None:
        """Prepare for `below`, once all slots that are compared are in."""
        self._run(sql.BY_PATH)

    def is_wanted(self, path: str) -> bool:
        """Whether the path was noted."""
        return bool(self._rows("SELECT 1 FROM wanted WHERE path = ?", encoded(path)))

    def note_differing(self, slot: int, paths: Iterable[str]) -> None:
        """Note paths that differ between the sides of a slot."""
        rows = ((slot, encoded(path)) for path in paths)
        # In pieces: whoever gives the paths reads them from here.
        while piece := list(itertools.islice(rows, _PIECE)):
            self._many("INSERT OR IGNORE INTO differing VALUES (?, ?)", piece)

    def crossing(self) -> tuple[int, int] | None:
        """The lowest and the highest slot that share a path that differs; None: no slots do."""
        rows = self._rows(
            "SELECT MIN(slot), MAX(slot) FROM differing WHERE path IN"
            " (SELECT path FROM differing GROUP BY path HAVING COUNT(*) > 1)"
        )
        return None if rows[0][0] is None else (rows[0][0], rows[0][1])

    def settle(self, slot: int, side: int, *, bottom: bool) -> int:
        """Lay the layers of one side of a slot on each other, once they are all in.

        Args:
            slot: the slot.
            side: the side.
            bottom: nothing lies below, so that a deletion deletes nothing.

        Returns:
            How many deletions there were that delete nothing.

        """
        if self._link(slot, side):
            self._run(sql.LINK, slot, side)
            self._run(sql.PEERS, slot, side)
        layers = [row[0] for row in self._rows(sql.LAYERS, slot, side)]
        if len(layers) > 1:
            self._hide(slot, side, layers)
        # A deletion and a file in its place: the file alone hides what was there.
        self._run(sql.REPLACED, slot, side)
        self._run(sql.EMPTIED, slot, side)
        idle = self._rows(sql.IDLE, slot, side)[0][0] if bottom else 0
        if bottom:
            self._run(sql.UNMARK, slot, side)
        for table in ("owner", "package"):
            self._run(sql.ORPHANS.format(table=table), slot, side)
        return int(idle)

    def _link(self, slot: int, side: int) -> int:
        """Give hard links what they link to; how many there are."""
        links = self._rows(sql.LINKS, slot, side)
        for layer, path, target in links:
            found = self._rows(sql.TARGET, slot, side, layer, target)
            if found and found[0][0] != NUMBERS[Type.HARDLINK]:
                self._run(sql.FOLLOW, *found[0], slot, side, layer, path)
        return len(links)

    def _hide(self, slot: int, side: int, layers: list[int]) -> None:
        for layer in layers[1:]:
            for path, mark in self._rows(sql.MARKS_OF, slot, side, layer):
                if mark == WHITEOUT:
                    self._run(sql.HIDE_PATH, slot, side, layer, path)
                self._run(sql.HIDE_INSIDE, slot, side, layer, *inside(path))
            # What is no directory hides all that was in the one that it replaces.
            for (path,) in self._rows(sql.REPLACES_DIRECTORY, slot, side, layer):
                self._run(sql.HIDE_INSIDE, slot, side, layer, *inside(path))
        self._run(sql.OVERRIDDEN, slot, side)

    # Reading

    def entries(self, slot: int, side: int) -> Iterator[Entry]:
        """What a side of a slot holds, sorted by the bytes of the paths."""
        yield from map(entry, self._stream(sql.ENTRIES, slot, side))

    def marks(self, slot: int, side: int) -> Iterator[tuple[str, int, int]]:
        """Path, mark and layer of the deletions in a side of a slot."""
        rows = self._stream(sql.MARKS, slot, side)
        yield from ((decoded(path), mark, layer) for path, mark, layer in rows)

    def order(self, slot: int, side: int) -> Iterator[bytes]:
        """The names of a side of a slot in their order in the tar."""
        yield from (row[0] for row in self._stream(sql.ORDER, slot, side))

    def has_inside(self, slot: int, side: int, path: str) -> bool:
        """Whether a side of a slot holds anything inside a directory."""
        return bool(self._rows(sql.HAS_INSIDE, slot, side, *inside(encoded(path))))

    def below(self, slot: int, side: int, path: str) -> Entry | None:
        """What an image holds at a path below a slot, as far as the layers there have been read.

        Args:
            slot: the slot that it is below of.
            side: of the image.
            path: one that was wanted.

        """
        found = self._rows(sql.BELOW, slot, side, BOTH, encoded(path))
        if not found:
            return None
        at, current, marks = found[0][0], encoded(path), WHITEOUT
        while not self._rows(sql.DELETES, at, slot, side, BOTH, current, marks):
            if not current:
                return entry(found[0][1:])
            current, marks = current.rpartition(b"/")[0], OPAQUE
        return None

    def is_hidden(self, slot: int, path: str) -> bool:
        """Whether a layer above a slot, which both images have, replaces or deletes a wanted path."""
        if self._rows(sql.ABOVE, slot, encoded(path)):
            return True
        current, marks = encoded(path), WHITEOUT
        while not self._rows(sql.DELETED_ABOVE, slot, current, marks):
            if not current:
                return False
            current, marks = current.rpartition(b"/")[0], OPAQUE
        return True

    def owner(self, path: str, side: int) -> Owner | None:
        """The package that lists a path: conda's word goes before pip's, and that before dpkg's."""
        if not self._has_owners:
            return None
        rows = self._rows(sql.OWNER, encoded(path), side, BOTH)
        return Owner(*rows[0]) if rows else None

    def packages(self, side: int) -> Iterator[tuple[Package, int, str]]:
        """The packages that the layers read tell of, sorted, with their slot and the file that tells of them.

        Of dpkg's lists the topmost counts.
        """
        for *known, slot, listing in self._stream(sql.PACKAGES, side, BOTH):
            yield Package(*known), slot, decoded(listing)

    def lists_dpkg(self, side: int) -> bool:
        """Whether a layer of this side alone has dpkg's list."""
        return bool(self._rows("SELECT 1 FROM package WHERE side = ? AND source = 'dpkg' LIMIT 1", side))

    # SQLite

    def _rows(self, query: str, *values: object) -> list[Any]:
        with self._lock, _in_words():
            return self._database.execute(query, values).fetchall()

    def _stream(self, query: str, *values: object) -> Iterator[Any]:
        with _in_words():
            yield from self._database.execute(query, values)

    def _run(self, query: str, *values: object) -> None:
        with self._lock, _in_words():
            self._database.execute(query, values)

    def _many(self, query: str, rows: Iterable[tuple[Any, ...]]) -> None:
        with self._lock, _in_words():
            self._database.execute("BEGIN")
            self._database.executemany(query, rows)
            self._database.execute("COMMIT")


@contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise MachineError(
            f"no room to compare the images: {error}", hint="set TMPDIR to a folder with more room"
        ) from error
