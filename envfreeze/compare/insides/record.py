"""A wheel's `RECORD`: the files that it lists otherwise (packaging specification, "The RECORD file")."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final

from envfreeze.compare import causes
from envfreeze.compare.insides.insight import NOTHING, Insight, bounded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_SHOWN: Final = 20


def look(old: Path, new: Path) -> Insight:
    """Name the rows that came, went or changed."""
    try:
        before, after = (_rows(path.read_text("utf-8", "replace")) for path in (old, new))
    except csv.Error:
        return NOTHING
    if before == after:
        same = list(before) == list(after)
        return Insight(
            ("the same rows, written otherwise" if same else "the same rows in another order",),
            causes.INSTALLER_METADATA if same else causes.UNSORTED,
        )
    return Insight(bounded(_changes(before, after)), causes.INSTALLER_METADATA)


def _rows(text: str) -> dict[str, tuple[str, ...]]:
    return {row[0]: tuple(row[1:]) for row in csv.reader(io.StringIO(text)) if row}


def _changes(before: Mapping[str, tuple[str, ...]], after: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    for path in sorted(before.keys() | after.keys()):
        was, now = before.get(path), after.get(path)
        if was != now:
            if was is not None:
                yield f"-{path}: {_shown(was)}"
            if now is not None:
                yield f"+{path}: {_shown(now)}"


def _shown(row: tuple[str, ...]) -> str:
    digest, size = (*row, "", "")[:2]
    return ", ".join(part for part in (digest[:_SHOWN], f"{size} bytes" if size else "") if part) or "no hash"
