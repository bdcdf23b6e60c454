"""Lines of requirements that no resolver can read: what was written is wrong, not what was asked for.

Which lines can be read is the resolver's own business, so it is asked and what it says is told with file and
line.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envfreeze.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_UV = re.compile(
    r"(?:Couldn't parse requirement in|Invalid requirement in|Unsupported requirement in)"
    r" `(?P<file>[^`]+)`(?: at position (?P<at>\d+))?"
)
_UV_URL = re.compile(r"Invalid URL in `(?P<file>[^`]+)`(?: at position (?P<at>\d+))?: (?P<url>.+)")
_UV_LINE = re.compile(r"(?P<what>.+): (?P<file>[^:\n]+):(?P<line>\d+):\d+")
_PIP = re.compile(r"Invalid requirement: (?P<what>.+)")
_PIP_LINE = re.compile(r"\(from line (?P<line>\d+) of (?P<file>[^)\n]+)\)")


def of_uv(said: str, folder: Path, shown_as: Mapping[str, str]) -> UsageError | None:
    """Read what uv says.

    Args:
        said: its error, without credentials, paths as they are.
        folder: that paths start from.
        shown_as: paths of temporary files, and what an error calls them.

    Returns:
        The error that names the line; None: uv says something else.

    """
    lines = [line.strip().removeprefix("cause: ") for line in said.splitlines() if line.strip(" ^~")]
    if not lines:
        return None
    # Of a file that another includes the innermost is meant.
    at = max(
        (number for number, line in enumerate(lines) if _UV.match(line) or _UV_URL.match(line)), default=0
    )
    first, reason, text = lines[at], *(lines[at + 1 : at + 2] or [""]), lines[at + 2 : at + 3]
    url = _UV_URL.match(first)
    if found := _UV.match(first) or url:
        place, line = found["file"], _line(folder / found["file"], int(found["at"] or 0))
    elif found := _UV_LINE.fullmatch(first):
        place, line, reason = found["file"], int(found["line"]), found["what"]
    else:
        return None
    for path, name in shown_as.items():
        if place.startswith(path) and place[len(path) :] == "":
            # A temporary file of lines that stand elsewhere.
            place, line = name, 0
        elif place.startswith(path):
            place = name + place[len(path) :]
    if url is not None:
        return UsageError(
            f"{place}, line {line}: {url['url']} is not a URL, and there is no such file or folder",
            hint=f"write the whole URL, or a path that starts from the folder of {place}",
        )
    return _error(place, line, reason, text[0] if text else None)


def of_pip(said: str) -> UsageError | None:
    """Read what pip says, whose error pip-tools shows; None: it says something else."""
    found, where = _PIP.search(said), _PIP_LINE.search(said)
    if found is None:
        return None
    what = found["what"].partition(" (from line")[0]
    place, line = (where["file"], int(where["line"])) if where else ("the project's dependencies", 0)
    return _error(place, line, what, None)


def _error(place: str, line: int, reason: str, text: str | None) -> UsageError:
    where = f"{place}, line {line}" if line else place
    shown = f"{text!r} is not a requirement" if text else "what stands there is not a requirement"
    return UsageError(
        f"{where}: {shown}: {reason}" if text else f"{where}: {shown} ({reason})",
        hint="write it as pip reads it: https://pip.pypa.io/en/stable/reference/requirements-file-format/",
    )


def _line(path: Path, position: int) -> int:
    try:
        return path.read_bytes()[:position].count(b"\n") + 1
    except OSError:
        return 0
