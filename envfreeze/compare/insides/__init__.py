"""What changed inside a file, by what kind of file it is; and the cause, where that gives it away.

Every reader takes two files that strangers may have made: it reads no more than a bounded part of them, and
what it cannot read is an `Insight` that says nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.compare.insides.insight import NOTHING, Insight

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["NOTHING", "Insight", "look"]


def look(path: str, old: Path, new: Path) -> Insight:
    """Look into two files that stand at one path of two images.

    Args:
        path: in the image.
        old: the file of the reference.
        new: the file of the other image.

    Raises:
        OSError: a file cannot be read.

    """
    from envfreeze.compare.insides import binary  # noqa: PLC0415 - the readers are heavy
    from envfreeze.compare.insides.readers import reader  # noqa: PLC0415 - likewise

    found = reader(path, old, new)(old, new)
    return found if found.details else Insight(binary.look(old, new).details, found.cause)
