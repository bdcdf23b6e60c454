"""Zip archives, wheels among them: members that came, went or changed, their times, order and compression."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Final

from envfreeze.compare import causes
from envfreeze.compare.insides import text
from envfreeze.compare.insides.insight import NOTHING, Insight, bounded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from envfreeze.compare.model import Cause

_MOST_MEMBERS: Final = 20_000
_LARGEST_MEMBER: Final = 1 << 20
_MOST_SHOWN: Final = 3
_BROKEN: Final = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    NotImplementedError,
    RuntimeError,
    EOFError,
    ValueError,
)


def look(old: Path, new: Path) -> Insight:
    """Compare the lists of members, and show a few of the texts in them."""
    try:
        with zipfile.ZipFile(old) as one, zipfile.ZipFile(new) as other:
            return _archives(one, other)
    except _BROKEN:
        return NOTHING


def _archives(one: zipfile.ZipFile, other: zipfile.ZipFile) -> Insight:
    before, after = ({info.filename: info for info in archive.infolist()} for archive in (one, other))
    if max(len(before), len(after)) > _MOST_MEMBERS:
        return NOTHING
    changed = [
        name
        for name in sorted(before.keys() & after.keys())
        if (before[name].CRC, before[name].file_size) != (after[name].CRC, after[name].file_size)
    ]
    lines = [f"-{name}" for name in sorted(before.keys() - after.keys())]
    lines += [f"+{name}" for name in sorted(after.keys() - before.keys())]
    lines += _contents(one, other, changed)
    if lines:
        return Insight(bounded(lines))
    packing = list(_packing(before, after))
    cause: Cause | None = packing[0][1] if packing else None
    return Insight(bounded(line for line, _ in packing), cause)


def _contents(one: zipfile.ZipFile, other: zipfile.ZipFile, changed: list[str]) -> Iterator[str]:
    for number, name in enumerate(changed):
        sizes = [archive.getinfo(name).file_size for archive in (one, other)]
        yield f"{name}: {sizes[0]} -> {sizes[1]} bytes"
        if number < _MOST_SHOWN and max(sizes) <= _LARGEST_MEMBER:
            old, new = (archive.read(name) for archive in (one, other))
            if text.is_text(old) and text.is_text(new):
                yield from (f"  {line}" for line in text.of_bytes(old, new).details[:10])


def _packing(
    before: dict[str, zipfile.ZipInfo], after: dict[str, zipfile.ZipInfo]
) -> Iterator[tuple[str, Cause]]:
    """What differs between archives with the same members of the same content."""
    times = [name for name in before if before[name].date_time != after[name].date_time]
    if times:
        was, now = (
            "{}-{:02}-{:02} {:02}:{:02}:{:02}".format(*side[times[0]].date_time) for side in (before, after)
        )
        yield f"times of {len(times)} members: {times[0]} {was} -> {now}", causes.TIMESTAMPS
    if list(before) != list(after):
        yield "members in another order", causes.UNSORTED
    modes = [name for name in before if before[name].external_attr != after[name].external_attr]
    if modes:
        yield f"attributes of {len(modes)} members: {modes[0]}", causes.PERMISSIONS
    packed = [
        name
        for name in before
        if (before[name].compress_type, before[name].compress_size)
        != (after[name].compress_type, after[name].compress_size)
    ]
    if packed:
        yield f"{len(packed)} members compressed otherwise: {packed[0]}", causes.OTHER_COMPRESSOR
