"""What changed inside a few of the files that should be a package's: the package is opened once more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from envfreeze.compare.entries import REBUILT, REFERENCE
from envfreeze.compare.insides.readers import reader
from envfreeze.compare.installed import texts
from envfreeze.compare.installed.hashed import bytes_of
from envfreeze.compare.installed.tolerance import GRAVE
from envfreeze.compare.model import Kind
from envfreeze.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from envfreeze.compare.installed.sides import Sides
    from envfreeze.compare.installed.verdict import Installed
    from envfreeze.compare.model import Finding
    from envfreeze.engines.native.contents import Contents, Piece
    from envfreeze.oci.image import Image

_MOST: Final = 40
"""Files that are looked into: beyond that nobody reads what was found there."""

_LARGEST: Final = 1 << 20
"""Bytes of a file that is looked into."""


class _Wish(NamedTuple):
    """A file to look into: the number of its piece, and the position of its layer."""

    piece: int
    layer: int


def looked_into(
    installed: Installed,
    sides: Sides,
    contents: Contents,
    pieces: Sequence[Piece],
    image: Image,
    folder: Path,
) -> Installed:
    """Show what changed inside files of packages.

    Args:
        installed: what was found.
        sides: both sides, settled.
        contents: opens the pieces.
        pieces: in the order in which they were laid into the sides.
        image: the image.
        folder: where the files may lie for a moment.

    Raises:
        UntrustedError: a layer or an artifact is damaged.
        NetworkError: a registry does not give a layer.

    """
    wishes = _wishes(installed, sides, len(pieces))
    if not wishes:
        return installed
    wanted: dict[int, set[str]] = {}
    for path, wish in wishes.items():
        wanted.setdefault(wish.layer, set()).add(path)
    there = texts.read(image, wanted, limit=_LARGEST)
    old, new = folder / "expected", folder / "found"
    details: dict[str, tuple[str, ...]] = {}
    for path, expected in _expected(wishes, contents, pieces):
        if path in there:
            old.write_bytes(expected)
            new.write_bytes(there[path])
            details[path] = reader(path, old, new)(old, new).details
    findings = tuple(
        replace(one, details=details[one.path]) if one.path in details and _is_wished(one) else one
        for one in installed.findings
    )
    return replace(installed, findings=findings)


def _is_wished(one: Finding) -> bool:
    return one.kind is Kind.CONTENT and one.level is GRAVE


def _wishes(installed: Installed, sides: Sides, count: int) -> dict[str, _Wish]:
    found: dict[str, _Wish] = {}
    for one in installed.findings:
        if one.path is None or not _is_wished(one) or len(found) >= _MOST:
            continue
        old, new = sides.find(REFERENCE, one.path), sides.find(REBUILT, one.path)
        if old is None or new is None or max(old.size, new.size) > _LARGEST or sides.is_base(old):
            continue
        if old.place < count:
            found[one.path] = _Wish(old.place, new.layer)
    return found


def _expected(
    wishes: Mapping[str, _Wish], contents: Contents, pieces: Sequence[Piece]
) -> Iterator[tuple[str, bytes]]:
    for number in sorted({wish.piece for wish in wishes.values()}):
        with contents.opened(pieces[number]) as content:
            for entry in content.entries:
                wish = wishes.get(entry.path)
                if wish is not None and wish.piece == number and (text := bytes_of(entry)) is not None:
                    yield entry.path, text
