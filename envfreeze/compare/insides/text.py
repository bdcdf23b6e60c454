"""Text: the lines that differ, and whether only their ends, their order or a date in them does."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from envfreeze.compare import causes
from envfreeze.compare.insides.insight import NOTHING, Insight, bounded

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from envfreeze.compare.model import Cause

LARGEST: Final = 4 << 20
"""Bytes of a file that is taken for text."""

_MOST_COMPARED: Final = 2000
"""Lines between the first and the last that differ: finding the shortest difference takes their square."""

_CONTEXT: Final = 1
_MOMENT: Final = re.compile(
    r"\b(?:\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?)?"
    r"|\d\d:\d\d:\d\d(?:\.\d+)?|1[0-9]{9}(?:\.\d+)?"
    r"|(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? )?(?:\d{1,2} )?"
    r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
    r"(?: +\d{1,2})?(?:,? \d{4})?)"
)
"""Moments as logs and generators write them: ISO 8601, a clock, seconds since 1970, RFC 2822."""


def is_text(data: bytes) -> bool:
    """Whether bytes are text: UTF-8 without NUL."""
    if b"\0" in data:
        return False
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def look(old: Path, new: Path) -> Insight:
    """Show the lines that differ."""
    return of_bytes(old.read_bytes(), new.read_bytes())


def of_bytes(old: bytes, new: bytes) -> Insight:
    """Show the lines that differ between two texts."""
    before, after = (data.decode("utf-8", "replace") for data in (old, new))
    if before == after:
        return NOTHING
    if before.replace("\r\n", "\n") == after.replace("\r\n", "\n"):
        ends = ["CRLF" if "\r\n" in text else "LF" for text in (before, after)]
        return Insight((f"only the ends of lines differ: {ends[0]} -> {ends[1]}",), causes.LINE_ENDINGS)
    was, now = before.splitlines(), after.splitlines()
    return Insight(bounded(_lines(was, now)), _cause(was, now))


def _cause(was: Sequence[str], now: Sequence[str]) -> Cause | None:
    if Counter(was) == Counter(now) and was != now:
        return causes.UNSORTED
    if len(was) == len(now):
        pairs = [(one, other) for one, other in zip(was, now, strict=True) if one != other]
        if pairs and all(_MOMENT.sub("", one) == _MOMENT.sub("", other) for one, other in pairs):
            return causes.TIMESTAMPS
    return None


def _lines(was: Sequence[str], now: Sequence[str]) -> Sequence[str]:
    """A unified difference, without the names of files."""
    first = next(
        (number for number, (one, other) in enumerate(zip(was, now, strict=False)) if one != other),
        min(len(was), len(now)),
    )
    most = min(len(was), len(now)) - first
    last = next((number for number in range(most) if was[-1 - number] != now[-1 - number]), most)
    if not first < max(len(was), len(now)):
        return ["the last line ends differently"]
    begin = max(0, first - _CONTEXT)
    old = was[begin : len(was) - max(0, last - _CONTEXT)]
    new = now[begin : len(now) - max(0, last - _CONTEXT)]
    if max(len(old), len(new)) > _MOST_COMPARED:
        return [f"{len(old)} lines from line {begin + 1} on became {len(new)}", f"-{was[first : first + 1]}"]
    numbered = difflib.unified_diff(old, new, n=_CONTEXT, lineterm="")
    return [line for line in numbered if not line.startswith(("--- ", "+++ ")) and line not in {"---", "+++"}]
