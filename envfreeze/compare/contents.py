"""The files whose inside is to be shown, out of their layers: a second reading, as far as it is needed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from envfreeze.compare.entries import REBUILT, REFERENCE
from envfreeze.oci.inflate import inflate
from envfreeze.oci.members import Type, members

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from envfreeze.compare.stack import Stack
    from envfreeze.compare.trees import Difference

MOST_FILES: Final = 400
"""Files that are looked into: beyond that nobody reads what was found there."""

LARGEST: Final = 64 << 20
"""Bytes of a file that is looked into."""

_MOST_BYTES: Final = 1 << 30

_Place = tuple[int, int]
"""Side and position of a layer."""


@dataclass(slots=True)
class Wish:
    """The files to look into, gathered while differences pass by."""

    paths: dict[str, tuple[_Place, _Place]] = field(default_factory=dict)
    _bytes: int = 0

    def add(self, difference: Difference, *, grave: bool) -> None:
        """Take a file whose content differs, where there is room; half of it is kept for what is grave."""
        old, new = difference.old, difference.new
        if old is None or new is None or max(old.size, new.size) > LARGEST:
            return
        room = MOST_FILES if grave else MOST_FILES // 2
        if len(self.paths) < room and self._bytes + old.size + new.size <= _MOST_BYTES:
            self._bytes += old.size + new.size
            self.paths[difference.path] = (old.side, old.layer), (new.side, new.layer)


@dataclass(frozen=True, slots=True)
class Contents:
    """Files of both images in a folder, by their side and path."""

    files: dict[tuple[int, str], Path]

    def both(self, path: str) -> tuple[Path, Path] | None:
        """The file of the reference and of the other image; None where one is not there."""
        old, new = self.files.get((REFERENCE, path)), self.files.get((REBUILT, path))
        return None if old is None or new is None else (old, new)


def extract(stack: Stack, wish: Wish, folder: Path) -> Contents:
    """Write the wanted files to a folder, under names that come from nobody.

    Args:
        stack: the images.
        wish: the files.
        folder: an empty one.

    Raises:
        UntrustedError: a layer is damaged.
        NetworkError: a registry does not give it.
        OSError: the folder cannot be written.

    """
    wanted: dict[_Place, dict[str, int]] = {}
    for path, places in wish.paths.items():
        for role, place in zip((REFERENCE, REBUILT), places, strict=True):
            wanted.setdefault(place, {})[path] = role
    found: dict[tuple[int, str], Path] = {}
    for place, roles in sorted(wanted.items()):
        for path, file in _read(stack, place, set(roles), folder, len(found)):
            found[roles[path], path] = file
    return Contents(found)


def _read(
    stack: Stack, place: _Place, left: set[str], folder: Path, number: int
) -> Iterable[tuple[str, Path]]:
    layer = stack.layer(*place)
    with inflate(layer.open(), layer.media_type) as stream:
        for member, content in members(stream):
            if member.path not in left or member.type is not Type.FILE:
                continue
            left.discard(member.path)
            number += 1
            file = folder / str(number)
            with file.open("wb") as output:
                for chunk in content.chunks():
                    output.write(chunk)
            yield member.path, file
            if not left:
                return
