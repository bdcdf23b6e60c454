"""Findings as they are gathered: grave ones path by path, tolerated ones once for a package and a cause."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from envfreeze.compare import causes
from envfreeze.compare.collected import Collected
from envfreeze.compare.installed.tolerance import GRAVE, TOLERATED
from envfreeze.compare.model import Finding, Kind
from envfreeze.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envfreeze.compare.entries import Entry
    from envfreeze.compare.installed.tolerance import Ruling
    from envfreeze.compare.model import Cause

_MOST_FOLDERS: Final = 10_000
_DEPTH: Final = 3
UNOWNED: Final = "no package of the lock"
"""Where findings stand in a report that are about what nobody owns."""


class _Kept(NamedTuple):
    """What tolerated findings have in common."""

    kind: Kind
    place: str
    package: str | None
    cause: Cause


@dataclass(slots=True)
class _Few:
    """Tolerated findings that are told as one: the first of them, and how many there are."""

    first: Finding
    count: int = 1


@dataclass(slots=True)
class _Folder:
    count: int = 0
    size: int = 0


@dataclass(slots=True)
class Tally:
    """What was found in one image.

    Attributes:
        found: grave findings, and in the end all.

    """

    found: Collected = field(default_factory=Collected)
    _tolerated: dict[_Kept, _Few] = field(default_factory=dict)
    _folders: dict[str, _Folder] = field(default_factory=dict)

    def add(self, ruling: Ruling, place: str, package: str | None, path: str, what: str) -> None:
        """Take what was ruled of a path."""
        one = Finding(ruling.kind, ruling.level, place, package, path, what, ruling.cause)
        if ruling.level is GRAVE:
            self.found.add(one)
            return
        key = _Kept(ruling.kind, place, package, ruling.cause)
        if key in self._tolerated:
            self._tolerated[key].count += 1
        else:
            self._tolerated[key] = _Few(one)

    def unowned(self, entry: Entry) -> None:
        """Take a path that no package of the lock has."""
        folder = "/".join(entry.path.split("/")[:-1][:_DEPTH])
        if folder not in self._folders and len(self._folders) >= _MOST_FOLDERS:
            folder = folder.partition("/")[0]
        kept = self._folders.setdefault(folder, _Folder())
        kept.count += 1
        kept.size += entry.size

    def finish(self) -> Collected:
        """All findings: those that are tolerated after the grave ones, then what nobody owns, by folder."""
        for one in (*self._few(), *self._by_folder()):
            self.found.add(one)
        return self.found

    def _few(self) -> Iterator[Finding]:
        for few in self._tolerated.values():
            more = f", and {few.count - 1} more like it" if few.count > 1 else ""
            place = f"{few.first.layer}, tolerated"
            yield replace(few.first, layer=place, what=f"{few.first.what}{more}")

    def _by_folder(self) -> Iterator[Finding]:
        ordered = sorted(self._folders.items(), key=lambda item: (-item[1].size, item[0]))
        for path, folder in ordered:
            files = f"{folder.count} file{'s' * (folder.count != 1)}, {folder.size} bytes"
            yield Finding(Kind.UNOWNED, TOLERATED, UNOWNED, None, path or "/", files, causes.UNOWNED)
