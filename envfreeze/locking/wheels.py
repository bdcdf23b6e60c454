"""The one wheel of a package that a target takes.

Tags are those of the target's interpreter and platform, computed here, never those of the machine that
runs envfreeze.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from packaging.tags import compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from envfreeze.locking.manylinux import platform_tags

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from packaging.tags import Tag


@cache
def ranks(python: str, level: int, machine: str) -> Mapping[Tag, int]:
    """Rank the tags (PEP 425) that the target accepts; 0 is the best.

    Args:
        python: its CPython, `3.13` or `3.13.5`.
        level: the x of the newest `manylinux_2_x` it accepts.
        machine: `x86_64` or `aarch64`.

    """
    major, minor = (int(part) for part in python.split(".")[:2])
    interpreter = f"cp{major}{minor}"
    platforms = list(platform_tags(level, machine))
    order = [
        # The ABI is given: left out, packaging looks at the interpreter that runs it.
        *cpython_tags((major, minor), [interpreter], platforms),
        *compatible_tags((major, minor), interpreter, platforms),
    ]
    best: dict[Tag, int] = {}
    for rank, tag in enumerate(order):
        best.setdefault(tag, rank)
    return best


def best(filenames: Iterable[str], accepted: Mapping[Tag, int]) -> str | None:
    """Choose the file whose best tag ranks first; among equals the highest build number (PEP 427).

    File names that are not those of wheels are passed over, as installers do. None: none fits.
    """
    candidates = []
    for filename in filenames:
        try:
            _, _, build, tags = parse_wheel_filename(filename)
        except InvalidWheelFilename:
            continue
        found = [accepted[tag] for tag in tags if tag in accepted]
        if found:
            number, suffix = build or (-1, "")
            candidates.append((-min(found), number, suffix, filename))
    return max(candidates)[-1] if candidates else None
