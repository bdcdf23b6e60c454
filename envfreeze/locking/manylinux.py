"""manylinux levels: which wheels a system's glibc can load, and which of them uv can resolve for.

A wheel tagged `manylinux_2_28_x86_64` needs glibc 2.28 or newer (PEP 600). The older names
`manylinux2014`, `manylinux2010` and `manylinux1` mean glibc 2.17, 2.12 and 2.5 (PEP 599, 571, 513).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envfreeze.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

UV_LEVELS: tuple[int, ...] = (17, 28, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40)
"""The x of every `manylinux_2_x` that `uv pip compile --python-platform` knows, for both architectures.
A test compares it with uv's own `--help`."""

_OLD_NAMES = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}

# PEP 600 wheels of a processor begin at the glibc that first supported it: the manylinux1 policy was
# written for x86-64 alone, aarch64 came with manylinux2014.
_OLDEST = {"x86_64": 5, "aarch64": 17}

_GLIBC = re.compile(r"2\.([0-9]+)(?:\.[0-9]+)?")


def newest_level(glibc: str) -> int:
    """Give the x of the newest `manylinux_2_x` that both glibc (`2.41`) and uv know.

    Raises:
        UsageError: no level is old enough.

    """
    match = _GLIBC.fullmatch(glibc)
    minor = int(match[1]) if match else -1
    levels = [level for level in UV_LEVELS if level <= minor]
    if not levels:
        raise UsageError(
            f"glibc {glibc} is older than every manylinux level that can be resolved for (2.{UV_LEVELS[0]})",
            hint="choose a newer base in [image] base",
        )
    return levels[-1]


def platform_tags(level: int, machine: str) -> Iterator[str]:
    """Give the platform tags (PEP 425) of `manylinux_2_<level>` and older, the best first."""
    for minor in range(level, _OLDEST[machine] - 1, -1):
        yield f"manylinux_2_{minor}_{machine}"
        if minor in _OLD_NAMES:
            yield f"{_OLD_NAMES[minor]}_{machine}"
    yield f"linux_{machine}"
