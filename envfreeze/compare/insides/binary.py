"""Files of no known kind: where they begin to differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.compare.insides.insight import NOTHING, Insight

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK = 1 << 16
_SHOWN = 8


def look(old: Path, new: Path) -> Insight:
    """Name the first byte that differs and how many do."""
    first, count, position = None, 0, 0
    before_bytes = after_bytes = b""
    with old.open("rb") as one, new.open("rb") as other:
        while True:
            before, after = one.read(_CHUNK), other.read(_CHUNK)
            if not before and not after:
                break
            if before != after:
                pairs = zip(before, after, strict=False)
                at = [number for number, (was, now) in enumerate(pairs) if was != now]
                count += len(at) + abs(len(before) - len(after))
                if first is None:
                    start = at[0] if at else min(len(before), len(after))
                    first = position + start
                    before_bytes, after_bytes = (piece[start : start + _SHOWN] for piece in (before, after))
            position += max(len(before), len(after))
    if first is None:
        return NOTHING
    shown = f"{before_bytes.hex(' ') or 'end'} -> {after_bytes.hex(' ') or 'end'}"
    return Insight((f"{count} bytes differ, the first at {first:#x}: {shown}",))
