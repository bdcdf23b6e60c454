"""What the cache knows of layers that were made before: per artifacts and rule, the layer's digests.

A layer is a function of its artifacts, the prefix, the Python version where it matters, and the writer
version: these are the key.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from envfreeze.digest import Digest
from envfreeze.engines.native.artifacts import debs_of, wheels_of
from envfreeze.locking.model import PREFIX, LayerSeal

if TYPE_CHECKING:
    from envfreeze.locking.model import PlannedLayer, Target
    from envfreeze.store.cache import Cache

_LAYER = "layer"
_PATHS = "paths"


def key_of(target: Target, layer: PlannedLayer, writer: int) -> str:
    """The key of a layer: canonical JSON of all that its bytes depend on."""
    parts: dict[str, Any] = {
        "kind": layer.kind,
        "writer": writer,
        "debs": [[deb.name, deb.digest.hex] for deb in debs_of(target, layer)],
    }
    wheels = wheels_of(target, layer)
    match layer.kind:
        case "system":
            parts["architecture"] = target.platform.architecture
            # Only an image that holds apt names the archives.
            if any(deb.name == "apt" for deb in target.base.packages):
                parts["archives"] = [[archive.name, archive.locations] for archive in target.base.archives]
                parts["indexes"] = [[index.archive, index.suite, index.date] for index in target.base.indexes]
        case "wheels":
            parts |= {"prefix": PREFIX, "python": target.python_minor}
            parts["wheels"] = [[wheel.name, wheel.digest.hex] for wheel in wheels]
        case "environment":
            parts |= {"prefix": PREFIX, "python": target.python}
            parts["wheels"] = [
                [wheel.name, wheel.digest.hex, wheel.requested, wheel.url if wheel.direct else ""]
                for wheel in wheels
            ]
    return json.dumps(parts, sort_keys=True, separators=(",", ":"))


def recall_layer(cache: Cache, key: str) -> LayerSeal | None:
    """The layer made for this key, where the cache still holds it."""
    fact = cache.recall(_LAYER, key)
    if fact is None:
        return None
    try:
        seal = LayerSeal(Digest.parse(fact["digest"]), Digest.parse(fact["diff_id"]), int(fact["size"]))
    except (KeyError, TypeError, ValueError):
        return None
    blob = cache.find(seal.digest)
    if blob is None or blob.stat().st_size != seal.size:
        return None
    return seal


def remember_layer(cache: Cache, key: str, seal: LayerSeal) -> None:
    """Note what a key's layer turned out to be."""
    cache.remember(_LAYER, key, {"digest": str(seal.digest), "diff_id": str(seal.diff_id), "size": seal.size})


def recall_paths(cache: Cache, key: str) -> list[list[str]] | None:
    """The paths of the layer made for this key, as `owners.listing` gave them."""
    fact = cache.recall(_PATHS, key)
    return None if fact is None else fact.get("paths")


def remember_paths(cache: Cache, key: str, paths: list[list[str]]) -> None:
    """Note the paths of a key's layer."""
    cache.remember(_PATHS, key, {"paths": paths})
