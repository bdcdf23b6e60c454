"""All of an image by package, for a picture of it: what is where, and how large."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from envfreeze.compare import listings
from envfreeze.compare.entries import REBUILT
from envfreeze.compare.ledger import Ledger
from envfreeze.compare.names import layer_names
from envfreeze.compare.reading import Job, read
from envfreeze.oci import media
from envfreeze.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from envfreeze.compare.entries import Entry, Owner
    from envfreeze.compare.model import Verdict
    from envfreeze.oci.image import Image
    from envfreeze.progress import Progress

MOST_FILES: Final = 20_000
"""Files that are listed by name: those that are asked for, then the largest. The rest is counted."""

OTHER: Final = "other files"
"""The name of what no package lists."""


@dataclass(slots=True)
class Part:
    """A package, or what belongs to none.

    Attributes:
        name: of the package.
        source: `pip`, `conda`, `dpkg`; empty for what belongs to none.
        size: bytes of its files.
        count: how many files there are.
        files: path and bytes of those that are listed.

    """

    name: str
    source: str
    size: int = 0
    count: int = 0
    files: list[tuple[str, int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Inventory:
    """An image by package, the largest first."""

    parts: tuple[Part, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(part.size for part in self.parts)


def take(image: Image, named: Collection[str] = (), *, progress: Progress = SILENT) -> Inventory:
    """Read an image whole.

    Args:
        image: the image.
        named: paths that are listed whatever their size.
        progress: is told of the compressed bytes.

    Raises:
        UntrustedError: a layer is damaged.
        NetworkError: a registry does not give it.
        MachineError: there is no room for it.

    """
    names = layer_names(image)
    jobs = [
        Job(layer, names[position], 0, REBUILT, position)
        for position, layer in enumerate(image.layers)
        if layer.media_type in media.LAYERS
    ]
    with Ledger() as ledger:
        read(ledger, jobs, "reading the image", progress)
        ledger.settle(0, REBUILT, bottom=True)
        return Inventory(_parts(ledger, frozenset(named)))


def take_each(
    images: Iterable[tuple[str, Image]], verdict: Verdict, *, progress: Progress = SILENT
) -> tuple[tuple[str, Inventory], ...]:
    """Read images whole, each with its platform, and list by name what a verdict tells of them.

    Raises:
        EnvfreezeError: as `take`.

    """
    found = []
    for platform, image in images:
        told = (one for one in verdict.findings if one.platform in {"", platform})
        named = {one.path for one in told if one.path is not None}
        found.append((platform, take(image, named, progress=progress)))
    return tuple(found)


def _parts(ledger: Ledger, named: Collection[str]) -> tuple[Part, ...]:
    parts: dict[tuple[str, str], Part] = {}
    # The largest of those that nobody asked for, as far as there is room.
    largest: list[tuple[int, str, tuple[str, str]]] = []
    room = max(0, MOST_FILES - len(named))
    for entry in ledger.entries(0, REBUILT):
        if entry.is_directory or (entry.peers and entry.peers != entry.path):
            continue
        key = _key(ledger, entry)
        part = parts.setdefault(key, Part(*key))
        part.size += entry.size
        part.count += 1
        if entry.path in named:
            part.files.append((entry.path, entry.size))
        elif room:
            heapq.heappush(largest, (entry.size, entry.path, key))
            if len(largest) > room:
                heapq.heappop(largest)
    for size, path, key in largest:
        parts[key].files.append((path, size))
    for part in parts.values():
        part.files.sort()
    return tuple(sorted(parts.values(), key=lambda part: (-part.size, part.name)))


def _key(ledger: Ledger, entry: Entry) -> tuple[str, str]:
    owners = (ledger.owner(path, REBUILT) for path in listings.other_names(entry.path))
    owner: Owner | None = next((one for one in owners if one is not None), None)
    if owner is not None:
        return owner.package, owner.source
    notes = listings.own_list_of(entry.path)
    return notes if notes is not None else (OTHER, "")
