"""JSON: the values that differ, by where they stand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from envfreeze.compare import causes
from envfreeze.compare.insides import text
from envfreeze.compare.insides.insight import Insight, bounded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LONGEST: Final = 80
_DEEPEST: Final = 20


def look(old: Path, new: Path) -> Insight:
    """Name the values; of what is no JSON show the lines."""
    try:
        before, after = (json.loads(path.read_bytes()) for path in (old, new))
    except (ValueError, RecursionError):
        return text.look(old, new)
    if before == after:
        return Insight(("the same values, written otherwise",), causes.UNSORTED)
    return Insight(bounded(_changes(before, after, "", 0)), text.look(old, new).cause)


def _changes(before: Any, after: Any, where: str, depth: int) -> Iterator[str]:  # noqa: ANN401 - JSON
    if isinstance(before, dict) and isinstance(after, dict) and depth < _DEEPEST:
        for key in sorted(before.keys() | after.keys()):
            at = f"{where}.{key}" if where else key
            if key not in after:
                yield f"-{at}: {_shown(before[key])}"
            elif key not in before:
                yield f"+{at}: {_shown(after[key])}"
            elif before[key] != after[key]:
                yield from _changes(before[key], after[key], at, depth + 1)
    elif (
        isinstance(before, list)
        and isinstance(after, list)
        and len(before) == len(after)
        and depth < _DEEPEST
    ):
        for number, (was, now) in enumerate(zip(before, after, strict=True)):
            if was != now:
                yield from _changes(was, now, f"{where}[{number}]", depth + 1)
    else:
        yield f"-{where or 'all'}: {_shown(before)}"
        yield f"+{where or 'all'}: {_shown(after)}"


def _shown(value: object) -> str:
    shown = json.dumps(value, ensure_ascii=False)
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"
