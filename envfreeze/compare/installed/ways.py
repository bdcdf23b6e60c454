"""Where paths of an image lead: through its links, and whether there is one answer to that at all."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from envfreeze.compare.entries import REBUILT, REFERENCE
from envfreeze.compare.installed.sides import SLOT
from envfreeze.oci.members import Type

if TYPE_CHECKING:
    from envfreeze.compare.entries import Entry
    from envfreeze.compare.installed.sides import Sides

_MOST_LINKS: Final = 40
"""That Linux follows on one path (path_resolution(7))."""


@dataclass(slots=True)
class Ways:
    """Follows paths of an image.

    Attributes:
        sides: both sides, settled.

    """

    sides: Sides
    _blocked: dict[str, bool] = field(default_factory=dict)

    def lead_astray(self, old: Entry, new: Entry) -> bool:
        """Whether a link leads to nobody's file, or is a folder of the lock that the image has files in."""
        if old.is_directory and self.sides.has_inside(SLOT, REBUILT, old.path):
            return True
        return new.type is Type.SYMLINK and self.end_at_nobodys(new.path)

    def end_at_nobodys(self, path: str) -> bool:
        """Whether a path leads, through links, to a file of the image that the lock does not have."""
        left, done = path.split("/")[::-1], list[str]()
        links = 0
        while left:
            part = left.pop()
            if part in {"", "."}:
                continue
            if part == "..":
                done = done[:-1]
                continue
            found = self.sides.find(REBUILT, "/".join((*done, part)))
            if found is None or found.type is not Type.SYMLINK:
                done.append(part)
                continue
            links += 1
            if links > _MOST_LINKS:
                return False
            done = [] if found.link.startswith("/") else done
            left += found.link.split("/")[::-1]
        there = "/".join(done)
        found = self.sides.find(REBUILT, there)
        return found is not None and not found.is_directory and self.sides.find(REFERENCE, there) is None

    def depend_on_who_unpacks(self, new: Entry) -> bool:
        """Whether a path is in what is no directory, or is none itself and has paths in it.

        Some programs write through a link, others remove what they find: either way what the lock has may
        be hidden or overwritten.
        """
        return self._is_blocked(new.path.rpartition("/")[0]) or self.sides.has_inside(SLOT, REBUILT, new.path)

    def _is_blocked(self, folder: str) -> bool:
        """Whether a folder, or one that it is in, is no directory."""
        passed = []
        blocked = False
        while folder and not blocked and folder not in self._blocked:
            passed.append(folder)
            found = self.sides.find(REBUILT, folder)
            blocked = found is not None and not found.is_directory
            folder = folder.rpartition("/")[0]
        blocked = blocked or self._blocked.get(folder, False)
        self._blocked |= dict.fromkeys(passed, blocked)
        return blocked
