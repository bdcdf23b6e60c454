"""Where paths of an image lead: through its links, and whether there is one answer to that at all."""

from __future__ import annotations

import re
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

_HOME: Final = re.compile(r"^\s*home\s*=\s*(.*?)\s*$", re.MULTILINE | re.IGNORECASE)


@dataclass(slots=True)
class Ways:
    """Follows paths of an image.

    Attributes:
        sides: both sides, settled.
        python: the name of Python's library, `python3.13`.

    """

    sides: Sides
    python: str
    _blocked: dict[str, bool] = field(default_factory=dict)

    def lead_astray(self, old: Entry, new: Entry) -> bool:
        """Whether a link leads to nobody's file, or is a folder of the lock that the image has files in."""
        if old.is_directory and self.sides.has_inside(SLOT, REBUILT, old.path):
            return True
        return new.type is Type.SYMLINK and self.end_at_nobodys(new.path)

    def end_at_nobodys(self, path: str) -> bool:
        """Whether a path leads, through links, to a file of the image that the lock does not have."""
        there = self._end(path)
        found = None if there is None else self.sides.find(REBUILT, there)
        if there is None or found is None or found.is_directory:
            return False
        return self.sides.find(REFERENCE, there) is None

    def take_a_library_that_is_nobodys(self, settings: bytes) -> bool:
        """Whether a `pyvenv.cfg` has Python take its library from a folder that the lock has nothing in.

        Python looks for `lib/python3.X` in `home` and in each folder above it (Modules/getpath.py).
        """
        for home in _HOME.findall(settings.decode("utf-8", "surrogateescape")):
            folder = self._end(home)
            while folder:
                library = f"{folder}/lib/{self.python}"
                if self.sides.first_inside(REBUILT, library) and not self.sides.first_inside(
                    REFERENCE, library
                ):
                    return True
                folder = folder.rpartition("/")[0]
        return False

    def _end(self, path: str) -> str | None:
        """Where a path leads through links; None: nowhere, it goes in circles."""
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
                return None
            done = [] if found.link.startswith("/") else done
            left += found.link.split("/")[::-1]
        return "/".join(done)

    def depend_on_who_unpacks(self, new: Entry) -> bool:
        """Whether a path is in what is no directory, or is none itself and has paths in it.

        Some programs write through a link, others remove what they find: either way what the lock has may
        be hidden or overwritten.
        """
        if new.is_directory:
            return False
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
