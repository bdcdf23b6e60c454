"""`exclude-newer` as one moment for a lock.

A span of time ("7 days") becomes a moment when a lock is made, and stays that moment as long as pins stay:
else the same inputs would give another lock every day. It moves with `--upgrade` and `--upgrade-package`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from envfreeze.replacing import replace

if TYPE_CHECKING:
    from envfreeze.project.model import Project


def fixed(
    project: Project,
    locked: str | None,
    *,
    moving: bool = False,
    asked: datetime | None = None,
    now: datetime | None = None,
) -> Project:
    """Give the project with its cutoff as a moment.

    Args:
        project: it may have a moment, a span, or neither.
        locked: the moment of the last lock, ISO 8601; None: there is none.
        moving: pins may move, and the moment with them.
        asked: a moment that counts for more than what the project says.
        now: the time; None: the clock's.

    """
    moment = asked or project.pip.exclude_newer
    span = project.pip.exclude_newer_span
    if moment is None and span is not None:
        moment = (now or datetime.now(UTC)).replace(microsecond=0) - span
        if locked is not None and not moving:
            # Not the other way round: a longer span than before has to hold at once.
            moment = min(moment, datetime.fromisoformat(locked))
    conda = project.conda
    if conda is not None and (asked is not None or (span is not None and conda.exclude_newer is None)):
        conda = replace(conda, exclude_newer=moment)
    pip = replace(project.pip, exclude_newer=moment, exclude_newer_span=None)
    return replace(project, pip=pip, conda=conda)
