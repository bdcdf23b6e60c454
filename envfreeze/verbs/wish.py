"""How a lock is made: what may move, what may be used, and who is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from envfreeze.locking.imports.model import ImportedLock
    from envfreeze.progress import Progress
    from envfreeze.store.cache import Cache


@dataclass(frozen=True, slots=True)
class Wish:
    """What may move, what may be used, and who is told."""

    cache: Cache
    progress: Progress
    upgrade: bool = False
    upgrade_packages: tuple[str, ...] = ()
    offline: bool = False
    allow_stale: bool = False
    review: bool = True
    environment: ImportedLock | None = None
