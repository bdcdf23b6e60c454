"""`diff`: how alike two images are, wherever they are, and what makes them differ."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from envfreeze.compare.indexes import compare_all, pairs
from envfreeze.compare.model import Level
from envfreeze.compare.reports import Report
from envfreeze.progress import SILENT
from envfreeze.verbs.images import opened

if TYPE_CHECKING:
    from pathlib import Path

    from envfreeze.compare.inventory import Inventory
    from envfreeze.compare.model import Verdict
    from envfreeze.oci.image import Image, ImageIndex
    from envfreeze.oci.platform import Platform
    from envfreeze.progress import Progress
    from envfreeze.store.cache import Cache


def diff(
    reference: str,
    rebuilt: str,
    *,
    root: Path,
    level: Level = Level.IDENTICAL,
    platform: Platform | None = None,
    offline: bool = False,
    cache: Cache | None = None,
    inventory: bool = False,
    progress: Progress = SILENT,
) -> Report:
    """Compare two images that are named as `verbs.images` reads it.

    Args:
        reference: the image as it should be.
        rebuilt: the other one.
        root: the project's folder, whose records and mirrors count.
        level: what counts as success.
        platform: of indexes only the image for it; None: all that both have.
        offline: ask no registry.
        cache: where layers of registries are put; None: the user's.
        inventory: also take down the other image by package, for a page; all of its layers are read.
        progress: is told of what is fetched and read.

    Raises:
        UsageError: an image cannot be found, or they have no platform in common.
        NetworkError: a registry does not give it.
        UntrustedError: an image is damaged.
        MachineError: there is no engine, or no room to compare.

    """
    started = time.monotonic()
    with ExitStack() as stack:
        old, new = (
            stack.enter_context(
                opened(text, root=root, platform=platform, cache=cache, offline=offline, progress=progress)
            )
            for text in (reference, rebuilt)
        )
        verdict = compare_all(old, new, progress=progress)
        taken = inventories(old, new, verdict, progress) if inventory else ()
    return Report(verdict, reference, rebuilt, level, time.monotonic() - started, taken)


def inventories(
    reference: Image | ImageIndex, rebuilt: Image | ImageIndex, verdict: Verdict, progress: Progress
) -> tuple[tuple[str, Inventory], ...]:
    """The other image by package, for each platform that was compared.

    Raises:
        UntrustedError: it is damaged.
        NetworkError: a registry does not give it.
        MachineError: there is no room for it.

    """
    from envfreeze.compare.inventory import take_each  # noqa: PLC0415 - for pages only

    others = ((pair.platform, pair.rebuilt) for pair in pairs(reference, rebuilt))
    return take_each(others, verdict, progress=progress)
