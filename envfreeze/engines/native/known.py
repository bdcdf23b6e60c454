"""What the cache knows of layers that were made before: per artifacts and rule, the layer's digests.

Facts are integrity-checked by the store; what is damaged there is not recalled.

A layer is a function of its artifacts, the prefix, the Python version where it matters, and the writer
version: these are the key.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from envfreeze.digest import Digest
from envfreeze.engines.native.artifacts import conda_of, debs_of, wheels_of
from envfreeze.locking.model import CONDA_PREFIX, LayerSeal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from envfreeze.locking.model import CondaPackage, ImageBase, PlannedLayer, Target, Wheel
    from envfreeze.store.cache import Cache

CHECKS = 2
"""Counted up when artifacts are read more strictly, or a byte rule is mended before its writer is released:
layers that were made before are then made again."""

_LAYER = "layer"
_PATHS = "paths"
_CLASHES = "clashes"
_VERDICT = "verdict"
_ROOM = "room"
_DIST_INFO = "dist-info"


def key_of(target: Target, layer: PlannedLayer, writer: int) -> str:
    """The key of a layer: canonical JSON of all that its bytes depend on."""
    parts: dict[str, Any] = {
        "kind": layer.kind,
        "writer": writer,
        "checks": CHECKS,
        "debs": [[deb.name, deb.digest.hex] for deb in debs_of(target, layer)],
    }
    wheels = wheels_of(target, layer)
    match layer.kind:
        case "system":
            parts["architecture"] = target.platform.architecture
            if target.image is not None:
                parts["image"] = _image_key(target.image)
            # Only an image that holds apt says which packages were asked for and where they come from.
            if any(deb.name == "apt" for deb in target.base.packages):
                parts["requested"] = [deb.name for deb in target.base.packages if deb.requested]
                parts["archives"] = [[archive.name, archive.locations] for archive in target.base.archives]
                parts["indexes"] = [
                    [index.archive, index.suite, index.components, index.date]
                    for index in target.base.indexes
                ]
        case "python":
            parts |= _python_key(target)
        case "conda":
            parts |= {"prefix": CONDA_PREFIX}
            parts["conda"] = [_conda_key(target, package) for package in conda_of(target, layer)]
        case "wheels":
            parts |= {"prefix": target.prefix, "python": target.python_minor}
            parts["wheels"] = [[wheel.name, wheel.digest.hex] for wheel in wheels]
        case "environment":
            parts |= _environment_key(target, wheels)
    return json.dumps(parts, sort_keys=True, separators=(",", ":"))


def _environment_key(target: Target, wheels: Sequence[Wheel]) -> dict[str, Any]:
    parts: dict[str, Any] = {"prefix": target.prefix, "python": target.python}
    if target.image is not None:
        # Also so that layers are held against each other once for each base.
        parts |= {"interpreter": target.interpreter, "image": _image_key(target.image)}
    if target.standalone is not None:
        parts |= {"interpreter": target.interpreter}
    parts["wheels"] = [
        [
            wheel.name,
            wheel.digest.hex,
            wheel.requested,
            wheel.url if wheel.direct else "",
            *_origin(wheel),
        ]
        for wheel in wheels
    ]
    if target.conda:
        parts["conda"] = [
            [
                *(package.name, package.version, package.build, package.subdir),
                *(package.channel, package.url, package.requested),
            ]
            for package in target.conda
        ]
    return parts


def _python_key(target: Target) -> dict[str, Any]:
    python = target.standalone
    return {} if python is None else {"prefix": python.prefix, "python": [python.version, python.digest.hex]}


def _image_key(image: ImageBase) -> list[str]:
    return [layer.diff_id.hex for layer in image.layers]


def _conda_key(target: Target, package: CondaPackage) -> list[Any]:
    """All that the bytes of a conda package's part of a layer depend on, and whether it may be in one."""
    # Only what is for every platform has modules whose place depends on the Python.
    provided = any(other.name == "python" for other in target.conda)
    python = target.python_minor if provided and package.subdir == "noarch" else ""
    return [
        *(package.name, package.version, package.build, package.build_number, package.subdir),
        *(package.channel, package.filename, package.digest.hex, package.md5, package.url),
        *(package.depends, package.constrains, package.noarch, package.allowed_scripts, python),
        *([target.python_minor] if package.name == "python" else []),
    ]


def _origin(wheel: Wheel) -> list[str | None]:
    """What direct_url.json says of a built wheel beside its URL."""
    source = wheel.source
    if source is None:
        return []
    return [source.kind, source.url, source.digest.hex, source.commit, source.revision, source.subdirectory]


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
    if blob is None:
        return None
    if blob.stat().st_size != seal.size:
        # Left there it would be taken for the layer that is made anew.
        cache.discard(seal.digest)
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


def recall_clashes(cache: Cache, key: str) -> list[str]:
    """What OS packages overwrite of each other, noted with the key of the `system` layer."""
    fact = cache.recall(_CLASHES, key)
    return [] if fact is None else list(fact["clashes"])


def remember_clashes(cache: Cache, key: str, clashes: Sequence[str]) -> None:
    """Note what OS packages overwrite of each other."""
    cache.remember(_CLASHES, key, {"clashes": list(clashes)})


def recall_verdict(cache: Cache, keys: Mapping[str, str]) -> tuple[str, ...] | None:
    """What was found when these layers were held against each other; None: they were not."""
    fact = cache.recall(_VERDICT, _whole(keys))
    return None if fact is None else tuple(fact["notes"])


def remember_verdict(cache: Cache, keys: Mapping[str, str], notes: Sequence[str]) -> None:
    """Note what was found when these layers were held against each other."""
    cache.remember(_VERDICT, _whole(keys), {"notes": list(notes)})


def recall_room(
    cache: Cache, keys: Mapping[str, str], files: Sequence[str]
) -> dict[str, tuple[int, int, int]] | None:
    """What `owners.room_for` said of these files above these layers."""
    fact = cache.recall(_ROOM, "\n".join((_whole(keys), *files)))
    if fact is None:
        return None
    return {path: (mode, uid, gid) for path, (mode, uid, gid) in fact["folders"].items()}


def remember_room(
    cache: Cache, keys: Mapping[str, str], files: Sequence[str], folders: Mapping[str, tuple[int, int, int]]
) -> None:
    """Note what `owners.room_for` said."""
    cache.remember(_ROOM, "\n".join((_whole(keys), *files)), {"folders": dict(folders)})


def recall_dist_info(cache: Cache, wheel: Wheel) -> str | None:
    """The name of a wheel's `.dist-info` folder."""
    fact = cache.recall(_DIST_INFO, f"{CHECKS} {wheel.digest}")
    return None if fact is None else str(fact["name"])


def recall_requires_python(cache: Cache, wheel: Wheel) -> str:
    """Which Pythons a wheel says it is for; empty: it does not say, or was not opened yet."""
    fact = cache.recall(_DIST_INFO, f"{CHECKS} {wheel.digest}")
    return "" if fact is None else str(fact.get("requires-python", ""))


def remember_dist_info(cache: Cache, wheel: Wheel, name: str, requires_python: str) -> None:
    """Note the name of a wheel's `.dist-info` folder, and which Pythons the wheel says it is for."""
    fact = {"name": name, "requires-python": requires_python}
    cache.remember(_DIST_INFO, f"{CHECKS} {wheel.digest}", fact)


def _whole(keys: Mapping[str, str]) -> str:
    return "\n".join(keys.values())
