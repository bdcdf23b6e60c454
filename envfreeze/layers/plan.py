"""The plan of layers for a target: which artifacts share a layer, and in which order the layers lie.

A large package has a layer of its own, so that it is pulled once and shared by every image that holds it.
Small ones are spread over a fixed number of buckets by a hash of their name: a package that changes
changes its bucket and nothing else. The numbers are part of writer version 1 (docs/formats/writer-1.md).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from envfreeze.errors import UntrustedError, UsageError
from envfreeze.locking.model import PlannedLayer
from envfreeze.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envfreeze.locking.model import Target

LARGE = 8 << 20
"""Bytes of an artifact from which on it has a layer of its own."""

DEB_BUCKETS = 8
CONDA_BUCKETS = 8
WHEEL_BUCKETS = 16

MOST_LARGE_DEBS = 24
MOST_LARGE_CONDA = 24
MOST_LARGE_WHEELS = 48
"""Large conda packages count among these. With the buckets, `system`, `environment` and the project's files
there are at most `MOST_PLANNED` layers."""

MOST_PLANNED = DEB_BUCKETS + CONDA_BUCKETS + WHEEL_BUCKETS + MOST_LARGE_DEBS + MOST_LARGE_WHEELS + 3

MOST_LAYERS = 126
"""Of an image, those of its base among them: overlay takes 127."""


def plan(target: Target) -> tuple[PlannedLayer, ...]:
    """Plan the layers of a target, the lowest first.

    OS packages lie lowest since they change least, then what no package owns, then a Python that is no
    package, then conda packages, then wheels, the large ones of each below the buckets of small ones, then
    the environment. Where two packages own one path, the upper layer wins, and within a layer the package
    whose name sorts later. The layers of a base that is an image lie below all of them and are not planned.

    Raises:
        UsageError: the base has so many layers that there is no room for others.

    """
    debs = {deb.name: deb.size for deb in target.base.packages}
    # A name of digits alone would be that of a bucket.
    conda = {package.name: (package.size or 0) * (not package.name.isdigit()) for package in target.conda}
    wheels = {wheel.name: wheel.size or 0 for wheel in target.wheels}
    most_debs, most_conda, most_wheels = _most(target)
    most_wheels -= len(_large(conda, most_conda))
    # A base that is an image has all that no package owns; only what is added to it changes that.
    system = [PlannedLayer("system", "system", ())] if target.image is None or debs else []
    python = [] if target.standalone is None else [PlannedLayer("python", "python", ())]
    return (
        *_spread("debs", "deb", debs, buckets=DEB_BUCKETS, most_large=most_debs),
        *system,
        *python,
        *_spread("conda", "conda", conda, buckets=CONDA_BUCKETS, most_large=most_conda),
        *_spread("wheels", "wheel", wheels, buckets=WHEEL_BUCKETS, most_large=most_wheels),
        PlannedLayer("environment", "environment", ()),
    )


def _most(target: Target) -> tuple[int, int, int]:
    """How many large debs, conda packages, and conda packages and wheels may have layers of their own.

    The layers of a base that is an image take the place of those of large wheels, then of large debs, where
    there would be more than `MOST_LAYERS`.
    """
    room = MOST_LAYERS - MOST_PLANNED - (0 if target.image is None else len(target.image.layers))
    room -= target.standalone is not None
    short = max(0, -room)
    wheels = max(0, MOST_LARGE_WHEELS - short)
    short -= MOST_LARGE_WHEELS - wheels
    debs = max(0, MOST_LARGE_DEBS - short)
    short -= MOST_LARGE_DEBS - debs
    if short > 0 and target.image is not None:
        count = len(target.image.layers)
        raise UsageError(
            f"[image] base: {target.image.reference} has {count} layers, {short} too many: with those on top "
            f"there would be more than {MOST_LAYERS}",
            hint="choose a base with fewer layers, or squash it",
        )
    return debs, min(MOST_LARGE_CONDA, wheels), wheels


def check_plan(target: Target) -> None:
    """Hold the plan in a lock against the packages in it.

    Raises:
        UntrustedError: the lock plans other layers than its packages have: a package would be missing, or
            be in the image twice.

    """
    if tuple(replace(layer, seal=None) for layer in target.layers) != plan(target):
        raise UntrustedError(
            f"the lock's plan of layers for {target.platform} is not that of its packages",
            hint="run `envfreeze lock --upgrade` to write it anew",
        )


def _spread(
    kind: str, one: str, sizes: Mapping[str, int], *, buckets: int, most_large: int
) -> tuple[PlannedLayer, ...]:
    large = _large(sizes, most_large)
    filled: dict[int, list[str]] = {}
    for name in sorted(set(sizes) - set(large)):
        filled.setdefault(_bucket(name, buckets), []).append(name)
    return (
        *(PlannedLayer(kind, f"{one}-{name}", (name,)) for name in large),
        *(PlannedLayer(kind, f"{kind}-{number:02}", tuple(filled[number])) for number in sorted(filled)),
    )


def _large(sizes: Mapping[str, int], most: int) -> list[str]:
    by_size = sorted((name for name in sizes if sizes[name] >= LARGE), key=lambda name: (-sizes[name], name))
    return sorted(by_size[:most])


def _bucket(name: str, buckets: int) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") % buckets
