"""The catalogue that a push leaves beside an image: which layer is which artifacts', and what is in it.

Who names the image with `--cache-from` believes it, so nothing of it is ever written down as a fact of the
cache. The format is in docs/formats/layers-1.md.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from envfreeze.engines.native import known
from envfreeze.engines.native.artifacts import wheels_of
from envfreeze.errors import UntrustedError
from envfreeze.locking.model import LayerSeal
from envfreeze.oci import canonical, gzip
from envfreeze.oci.descriptor import Descriptor, parse_digest
from envfreeze.oci.registry.referrers import Part, PartElsewhere

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from envfreeze.digest import Digest
    from envfreeze.engines.native.owners import Path
    from envfreeze.locking.model import Target
    from envfreeze.store.cache import Cache

TYPE = "application/vnd.envfreeze.layers.v1+json"
"""The artifact type, and the type of the catalogue itself."""

PATHS = "application/vnd.envfreeze.paths.v1+json+gzip"
"""The type of the paths of a layer."""

SCHEMA = 1

_DIST_INFO = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]*\.dist-info")
_MOST_INFLATED = 1 << 29
_PATH_PARTS = 4


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

    """

    layers: Mapping[str, Entry] = field(default_factory=dict)
    verdicts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    dist_info: Mapping[Digest, str] = field(default_factory=dict)
    rooms: Mapping[str, Mapping[str, tuple[int, int, int]]] = field(default_factory=dict)


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
) -> tuple[Part | PartElsewhere, ...]:
    """Write the catalogue of some images: the document first, then the paths of the layers.

    Args:
        cache: has the facts.
        images: what was made.
        beside: what is known of a key that the cache knows nothing of.
        dist_info: what is known of wheels that the cache knows nothing of.

    """
    parts: dict[Digest, Part | PartElsewhere] = {}
    layers: dict[str, Any] = {}
    verdicts: dict[str, Any] = {}
    rooms: dict[str, Any] = {}
    names = {str(digest): name for digest, name in dist_info.items()}
    for made in images:
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
    }
    return Part(TYPE, canonical.dump(document)), *(parts[digest] for digest in sorted(parts))


def _dist_info(cache: Cache, target: Target) -> dict[str, str]:
    return {
        str(wheel.digest): name
        for planned in target.layers
        for wheel in wheels_of(target, planned)
        if (name := known.recall_dist_info(cache, wheel)) is not None
    }


def _known(cache: Cache, key: str) -> tuple[LayerSeal, Part, tuple[str, ...]] | None:
    seal, paths = known.recall_layer(cache, key), known.recall_paths(cache, key)
    if seal is None or paths is None:
        return None
    return seal, Part(PATHS, _packed(paths)), tuple(known.recall_clashes(cache, key))


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


def _packed(paths: list[Path]) -> bytes:
    raw = json.dumps(paths, separators=(",", ":"), ensure_ascii=False).encode()
    pieces = (raw[start : start + gzip.CHUNK] for start in range(0, len(raw), gzip.CHUNK))
    return b"".join(gzip.compressed(piece) for piece in pieces)


def unpack(packed: bytes, what: str) -> list[Path]:
    """Read the paths of a layer.

    Raises:
        UntrustedError: they are malformed, or far too many.

    """
    import zlib  # noqa: PLC0415 - only where something is taken ready-made

    raw = bytearray()
    rest = packed
    try:
        while rest:
            stream = zlib.decompressobj(wbits=31)
            raw += stream.decompress(rest, _MOST_INFLATED - len(raw))
            if not stream.eof:
                raise UntrustedError(f"{what} is cut, or has more than {_MOST_INFLATED} bytes")
            rest = stream.unused_data
        paths = json.loads(raw.decode())
    except (zlib.error, ValueError, RecursionError) as error:
        raise UntrustedError(f"{what} is damaged") from error
    if not isinstance(paths, list) or not all(
        isinstance(path, list) and len(path) == _PATH_PARTS and all(isinstance(part, str) for part in path)
        for path in paths
    ):
        raise UntrustedError(f"{what} is no list of paths")
    return paths
