"""Which blobs need not be hashed again: those that are, unchanged, the file whose digest was computed.

A file is taken to be unchanged while its place on the disk, its size and its time of modification are, as git
takes it for its index. What was noted before the machine last started counts for nothing: a power cut can
leave a named file without its content.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any

RULE = "checked"


def signature(status: os.stat_result) -> dict[str, Any]:
    """What a file must still have for its digest to count as computed."""
    return {
        "started": _started(),
        "device": status.st_dev,
        "inode": status.st_ino,
        "size": status.st_size,
        "modified": status.st_mtime_ns,
    }


@functools.cache
def _started() -> str:
    """What tells this start of the machine from others; where the kernel does not say, this very process."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return os.urandom(16).hex()
