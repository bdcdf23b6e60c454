"""Bytecode: its header, which states a source's time or hash, and whether the code is the same.

The header is that of PEP 552. The code is compared as bytes: unmarshalling a stranger's code can crash.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from envfreeze.compare import causes
from envfreeze.compare.insides.insight import NOTHING, Insight

if TYPE_CHECKING:
    from pathlib import Path

_HEADER: Final = 16
_BY_HASH: Final = 0b01
_CHECKED: Final = 0b10


def look(old: Path, new: Path) -> Insight:
    """Compare headers and code."""
    before, after = old.read_bytes(), new.read_bytes()
    if min(len(before), len(after)) < _HEADER:
        return NOTHING
    details = []
    was, now = (_stated(data) for data in (before, after))
    if was != now:
        details.append(f"header: {was} -> {now}")
    if before[_HEADER:] == after[_HEADER:]:
        details.append("code: the same")
    else:
        sizes = f"{len(before) - _HEADER} -> {len(after) - _HEADER} bytes"
        details.append(f"code: differs from byte {_first(before, after):#x} on, {sizes}")
    return Insight(tuple(details), causes.BYTECODE)


def _stated(data: bytes) -> str:
    magic = int.from_bytes(data[:2], "little")
    flags = int.from_bytes(data[4:8], "little")
    if flags & _BY_HASH:
        checked = "checked" if flags & _CHECKED else "unchecked"
        return f"magic {magic}, {checked} hash of the source {data[8:16].hex()}"
    moment = datetime.fromtimestamp(int.from_bytes(data[8:12], "little"), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"magic {magic}, source of {moment}, {int.from_bytes(data[12:16], 'little')} bytes"


def _first(before: bytes, after: bytes) -> int:
    pairs = enumerate(zip(before[_HEADER:], after[_HEADER:], strict=False), _HEADER)
    return next((at for at, (was, now) in pairs if was != now), min(len(before), len(after)))
