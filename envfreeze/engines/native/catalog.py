"""The catalogue that a push leaves beside an image: which layer is which artifacts', and what is in it.

Who names the image with `--cache-from` believes it, so nothing of it is ever written down as a fact of the
cache. The format is in docs/formats/layers-1.md.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from envfreeze.engines.native import known
from envfreeze.engines.native.artifacts import wheels_of
from envfreeze.engines.native.catalog_lists import pack, pack_contents
from envfreeze.errors import UntrustedError
from envfreeze.locking.image import reading
from envfreeze.locking.model import LayerSeal
from envfreeze.oci import canonical
from envfreeze.oci.descriptor import Descriptor, parse_digest
from envfreeze.oci.registry.referrers import Part, PartElsewhere

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from envfreeze.digest import Digest
    from envfreeze.locking.model import ImageLayer, Target
    from envfreeze.store.cache import Cache

TYPE = "application/vnd.envfreeze.layers.v1+json"
"""The artifact type, and the type of the catalogue itself."""

PATHS = "application/vnd.envfreeze.paths.v1+json+gzip"
"""The type of the paths of a layer."""

CONTENTS = "application/vnd.envfreeze.contents.v1+json+gzip"
"""The type of the contents of a layer of a base."""

SCHEMA = 1

_DIST_INFO = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]*\.dist-info")


Room = tuple[Sequence[str], Mapping[str, tuple[int, int, int]]]
"""The project's files in an image, and what `owners.room_for` said of them."""


@dataclass(frozen=True, slots=True)
class Made:
    """A target of which an image was made.

    Attributes:
        target: the target.
        keys: name of each layer to its key.
        verdict: what was found when the layers were held against each other; None: they were not.
        room: the project's files; None: there are none.

    """

    target: Target
    keys: Mapping[str, str]
    verdict: Sequence[str] | None
    room: Room | None


@dataclass(frozen=True, slots=True)
class Entry:
    """A layer that was made.

    Attributes:
        seal: its digests and size.
        paths: the blob that lists its paths.
        clashes: what its OS packages overwrite of each other.

    """

    seal: LayerSeal
    paths: Descriptor
    clashes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Catalog:
    """What one push knew.

    Attributes:
        layers: by `name_of` their keys.
        verdicts: what was found when the layers of some keys were held against each other.
        dist_info: digest of a wheel to the name of its `.dist-info` folder.
        rooms: by `name_of_room`, the folders above a project's files that are not 0755 and root's.
        contents: by `name_of` what they are known by (`reading.key_of`), the blobs that list what the layers
            of bases hold.

    """

    layers: Mapping[str, Entry] = field(default_factory=dict)
    verdicts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    dist_info: Mapping[Digest, str] = field(default_factory=dict)
    rooms: Mapping[str, Mapping[str, tuple[int, int, int]]] = field(default_factory=dict)
    contents: Mapping[str, Descriptor] = field(default_factory=dict)


def name_of(key: str) -> str:
    """How a catalogue calls a layer's key (`known.key_of`), which is long."""
    return hashlib.sha256(key.encode()).hexdigest()


def name_of_all(keys: Iterable[str]) -> str:
    """How a catalogue calls the keys of all layers of an image, in their order."""
    return name_of("\n".join(keys))


def name_of_room(keys: Iterable[str], files: Iterable[str]) -> str:
    """How a catalogue calls a project's files above the layers of some keys."""
    return name_of("\n".join((*keys, "", *files)))


def write(
    cache: Cache,
    images: Iterable[Made],
    beside: Callable[[str], tuple[LayerSeal, PartElsewhere, tuple[str, ...]] | None],
    dist_info: Mapping[Digest, str],
    contents: Callable[[ImageLayer], PartElsewhere | None] = lambda _: None,
) -> tuple[Part | PartElsewhere, ...]:
    """Write the catalogue of some images: the document first, then the paths of the layers.

    Args:
        cache: has the facts.
        images: what was made.
        beside: what is known of a key that the cache knows nothing of.
        dist_info: what is known of wheels that the cache knows nothing of.
        contents: what is known of a base's layer that the cache knows nothing of.

    """
    parts: dict[Digest, Part | PartElsewhere] = {}
    layers: dict[str, Any] = {}
    verdicts: dict[str, Any] = {}
    rooms: dict[str, Any] = {}
    below: dict[str, Any] = {}
    names = {str(digest): name for digest, name in dist_info.items()}
    for made in images:
        for layer in () if made.target.image is None else made.target.image.layers:
            held = _contents(cache, layer) or contents(layer)
            if held is not None:
                parts[held.descriptor.digest] = held
                below[name_of(reading.key_of(layer))] = held.descriptor.as_json()
        for key in made.keys.values():
            found = _known(cache, key) or beside(key)
            if found is None:
                continue
            seal, paths, clashes = found
            parts[paths.descriptor.digest] = paths
            layers[name_of(key)] = {
                "digest": str(seal.digest),
                "diff_id": str(seal.diff_id),
                "size": seal.size,
                "paths": paths.descriptor.as_json(),
                "clashes": list(clashes),
            }
        if made.verdict is not None:
            verdicts[name_of_all(made.keys.values())] = list(made.verdict)
        if made.room is not None:
            files, folders = made.room
            rooms[name_of_room(made.keys.values(), files)] = folders
        names |= _dist_info(cache, made.target)
    document = {
        "schema": SCHEMA,
        "layers": layers,
        "verdicts": verdicts,
        "dist_info": names,
        "rooms": rooms,
        "contents": below,
    }
    return Part(TYPE, canonical.dump(document)), *(parts[digest] for digest in sorted(parts))


def _dist_info(cache: Cache, target: Target) -> dict[str, str]:
    return {
        str(wheel.digest): name
        for planned in target.layers
        for wheel in wheels_of(target, planned)
        if (name := known.recall_dist_info(cache, wheel)) is not None
    }


def _contents(cache: Cache, layer: ImageLayer) -> Part | None:
    """What is in a layer of a base, where the cache knows it and a registry takes the list."""
    found = reading.recall(cache, layer)
    if found is None:
        return None
    part = Part(CONTENTS, pack_contents(found))
    return part if len(part.content) <= canonical.LIMIT else None


def _known(cache: Cache, key: str) -> tuple[LayerSeal, Part, tuple[str, ...]] | None:
    seal, paths = known.recall_layer(cache, key), known.recall_paths(cache, key)
    if seal is None or paths is None:
        return None
    return seal, Part(PATHS, pack(paths)), tuple(known.recall_clashes(cache, key))


def read(document: bytes, what: str) -> Catalog:
    """Read a catalogue; one of a newer schema says nothing.

    Raises:
        UntrustedError: it is malformed.

    """
    parsed = canonical.parse(document, what)
    if parsed.get("schema") != SCHEMA:
        return Catalog()
    try:
        return Catalog(
            {str(name): _entry(value, what) for name, value in parsed["layers"].items()},
            {str(name): tuple(map(str, notes)) for name, notes in parsed["verdicts"].items()},
            {parse_digest(digest, what): _folder(name) for digest, name in parsed["dist_info"].items()},
            {str(name): _room(value) for name, value in parsed["rooms"].items()},
            {str(name): Descriptor.parse(value, what) for name, value in parsed.get("contents", {}).items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UntrustedError(f"{what} is no catalogue of layers") from error


def _entry(value: Mapping[str, Any], what: str) -> Entry:
    size = value["size"]
    if not isinstance(size, int) or size < 0:
        raise ValueError(size)
    seal = LayerSeal(parse_digest(value["digest"], what), parse_digest(value["diff_id"], what), size)
    return Entry(seal, Descriptor.parse(value["paths"], what), tuple(map(str, value["clashes"])))


def _room(value: Mapping[str, Any]) -> dict[str, tuple[int, int, int]]:
    found = {}
    for path, (mode, uid, gid) in value.items():
        if not all(isinstance(number, int) and 0 <= number < 1 << 31 for number in (mode, uid, gid)):
            raise ValueError(path)
        found[str(path)] = mode, uid, gid
    return found


def _folder(name: object) -> str:
    # It becomes a part of a path in a layer.
    if not isinstance(name, str) or not _DIST_INFO.fullmatch(name):
        raise ValueError(name)
    return name
