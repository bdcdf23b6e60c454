"""gzip: the header, which may state a time and a name, and whether the content is the same (RFC 1952)."""

from __future__ import annotations

import gzip
import zlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from envfreeze.compare import causes
from envfreeze.compare.insides import text
from envfreeze.compare.insides.insight import NOTHING, Insight, bounded

if TYPE_CHECKING:
    from pathlib import Path

_HEADER: Final = 10
_LARGEST: Final = 64 << 20


def look(old: Path, new: Path) -> Insight:
    """Compare headers and content."""
    try:
        before, after = (_content(path) for path in (old, new))
    except (OSError, EOFError, zlib.error):
        return NOTHING
    if before is None or after is None:
        return NOTHING
    was, now = (path.read_bytes()[:_HEADER] for path in (old, new))
    details = []
    cause = None
    if was[4:8] != now[4:8]:
        moments = [
            datetime.fromtimestamp(int.from_bytes(head[4:8], "little"), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            for head in (was, now)
        ]
        details.append(f"header: time {moments[0]} -> {moments[1]}")
        cause = causes.TIMESTAMPS
    if before == after:
        details.append("content: the same")
        return Insight(tuple(details), cause or causes.OTHER_COMPRESSOR)
    if text.is_text(before) and text.is_text(after):
        inner = text.of_bytes(before, after)
        return Insight(bounded([*details, *inner.details]), inner.cause)
    return Insight((*details, f"content: {len(before)} -> {len(after)} bytes, differs"))


def _content(path: Path) -> bytes | None:
    """The content; None where it is more than anybody wants to see."""
    with gzip.open(path) as file:
        data = file.read(_LARGEST + 1)
    return None if len(data) > _LARGEST else data
