"""How the difference between two locks is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from envfreeze.locking.changes import Change

SHOWN: Final = 20
"""How many packages of a side are told by name, where not all are asked for."""

_Row = tuple[str, str, str, str | None, str | None, bool]
"""Word, kind, name, versions before and after, direct: what is the same on several platforms."""


def told(changes: Sequence[Change], *, limit: int | None) -> Iterator[str]:
    """Tell changes by side, those asked for first; what is the same on several platforms is told once.

        pip, linux/amd64: 1 added, 2 moved
          added  delta 1.0  (asked for)
          up     torch 2.7.1 -> 2.8.0  (asked for)
          up     triton 3.3.1 -> 3.4.0

    Args:
        changes: in the order of `envfreeze.locking.changes.between`.
        limit: how many lines for each side; None: all.

    """
    for change in changes:
        if change.side == "target":
            version = change.after or change.before
            yield f"{change.kind} target {change.name} (Python {version})"
    for side in dict.fromkeys(change.side for change in changes if change.side != "target"):
        by_platform: dict[str, list[_Row]] = {}
        for change in changes:
            if change.side == side:
                by_platform.setdefault(change.platform, []).append(_row(change))
        same: dict[tuple[_Row, ...], list[str]] = {}
        for platform, rows in by_platform.items():
            same.setdefault(tuple(rows), []).append(platform)
        for group, platforms in same.items():
            yield from _group(side, platforms, group, limit)


def _row(change: Change) -> _Row:
    word = change.direction or change.kind
    return word, change.kind, change.name, change.before, change.after, change.direct


def _group(side: str, platforms: Sequence[str], rows: Sequence[_Row], limit: int | None) -> Iterator[str]:
    counted = Counter(kind for _, kind, *_ in rows)
    counts = ", ".join(
        f"{counted[kind]} {kind}" for kind in ("added", "removed", "moved", "replaced") if counted[kind]
    )
    yield f"{side}, {' and '.join(platforms)}: {counts}"
    shown = rows if limit is None else rows[:limit]
    width = max(len(word) for word, *_ in shown)
    for word, _, name, before, after, direct in shown:
        versions = " -> ".join(dict.fromkeys(version for version in (before, after) if version is not None))
        yield f"  {word:<{width}}  {name} {versions}{'  (asked for)' if direct else ''}"
    if len(rows) > len(shown):
        yield f"  ... and {len(rows) - len(shown)} more (--verbose lists them)"
