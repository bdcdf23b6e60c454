"""Who needs whom: read from the comments that uv and pip-compile write beside each package.

    idna==3.20
        # via
        #   -r requirements.in
        #   anyio

The comments are made from the resolution itself, so markers are those of the target and extras those that
were asked for. uv's pylock.toml has none of it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import (
    InvalidWheelFilename,
    NormalizedName,
    canonicalize_name,
    is_normalized_name,
    parse_wheel_filename,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_VIA = re.compile(r"\s+# (?:via|  )\s*(.*)")
_REQUIREMENT = re.compile(r"(.*?)(?:\s*\\|\s+--hash.*|\s+#.*)?$")


def dependencies(text: str) -> Mapping[str, tuple[str, ...]]:
    """Read an annotated requirements file.

    Args:
        text: the file, with the comments below the packages (`--annotation-style split`).

    Returns:
        Normalised name to the normalised names of what it needs, sorted; without those that need nothing.

    """
    found: dict[str, set[str]] = {}
    current: NormalizedName | None = None
    for line in text.splitlines():
        if line and not line[0].isspace() and not line.startswith("#"):
            current = _name(line)
        elif current is not None and (match := _VIA.fullmatch(line)):
            parent = match[1].strip()
            # `-r requirements.in`, `-c constraints.txt`, `project (pyproject.toml)`: who asks is no package.
            if parent and not parent.startswith("-") and is_normalized_name(canonicalize_name(parent)):
                found.setdefault(canonicalize_name(parent), set()).add(current)
    return {name: tuple(sorted(needs)) for name, needs in sorted(found.items())}


def _name(line: str) -> NormalizedName | None:
    match = _REQUIREMENT.fullmatch(line)
    requirement = (match[1] if match else line).strip().removeprefix("-e ").strip()
    try:
        return canonicalize_name(Requirement(requirement).name)
    except InvalidRequirement:
        pass
    try:
        path = urlsplit(requirement.partition(";")[0].strip()).path
        return parse_wheel_filename(unquote(path).rpartition("/")[2])[0]
    except (ValueError, InvalidWheelFilename):  # a folder, whose name is not in the line
        return None
