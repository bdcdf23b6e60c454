"""When something in the cache was last used, which is what pruning goes by.

The access time says it, but is set by envfreeze: file systems are mounted with `noatime` or `relatime`,
and then reading alone leaves no trace or a day-old one.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_HOUR: Final = 3600


def mark_used(path: Path, status: os.stat_result) -> None:
    """Note that `path` is used now. Exact to the hour, so that most uses cost nothing."""
    now = time.time_ns()
    if abs(now - status.st_atime_ns) > _HOUR * 1_000_000_000:
        # Another user's file in a shared cache: its owner's uses count.
        with suppress(OSError):
            os.utime(path, ns=(now, status.st_mtime_ns))


def last_used(status: os.stat_result) -> float:
    """When it was last used or written, in seconds since the epoch."""
    return max(status.st_atime, status.st_mtime)
