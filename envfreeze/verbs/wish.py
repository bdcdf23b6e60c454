"""How a lock is made: what may move, what may be used, and who is told."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envfreeze.locking.imports.model import ImportedLock
    from envfreeze.progress import Progress
    from envfreeze.store.cache import Cache


BASE = "base"
"""What `upgrade_packages` calls a base that is an image."""

PYTHON = "python"
"""What `upgrade_packages` calls a Python that is no package, and conda's."""

# A name of any side: conda's may begin with an underscore, and Debian's hold a plus.
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9.+_-]*[A-Za-z0-9+])?")


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
    solve_gpu: bool = False


def names(texts: Sequence[str]) -> tuple[str, ...]:
    """Check that these name packages and nothing else.

    Raises:
        UsageError: one is more than a name, a version limit say, which nothing would heed.

    """
    for text in texts:
        if not _NAME.fullmatch(text):
            begin = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", text)
            raise UsageError(
                f"{text!r} is not the name of a package to upgrade",
                hint=f"--upgrade-package {begin[0]}; which versions may be taken is said among the project's "
                "requirements or constraints"
                if begin
                else "",
            )
    return tuple(texts)
