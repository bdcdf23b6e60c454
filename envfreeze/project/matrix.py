"""The combinations of `[bake]`: one for each choice of a Python, a variant of CUDA and a platform."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envfreeze.project.model import BakeSettings

    Instead = Mapping[str, Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class Combination:
    """One image of the matrix.

    Attributes:
        name: its choices, joined: `py313-cu128-amd64`.
        choices: their names, one for each axis: `py313`, `cu128`, `amd64`.
        instead: what takes the place of keys of the configuration, by table and key.

    """

    name: str
    choices: tuple[str, ...]
    instead: Instead


def combinations(settings: BakeSettings) -> tuple[Combination, ...]:
    """Combine the axes, the last one fastest; () where there is none."""
    pythons: list[tuple[str, Instead]] = [
        (f"py{version.replace('.', '')}", {"image": {"python": version}}) for version in settings.pythons
    ]
    platforms: list[tuple[str, Instead]] = [
        (platform.architecture, {"image": {"platform": str(platform)}}) for platform in settings.platforms
    ]
    axes = [axis for axis in (pythons, list(settings.cuda), platforms) if axis]
    return tuple(_combined(choices) for choices in product(*axes)) if axes else ()


def _combined(choices: tuple[tuple[str, Instead], ...]) -> Combination:
    instead: dict[str, dict[str, object]] = {}
    for _, tables in choices:
        for table, keys in tables.items():
            instead.setdefault(table, {}).update(keys)
    names = tuple(name for name, _ in choices)
    return Combination("-".join(names), names, instead)
