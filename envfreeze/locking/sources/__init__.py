"""Packages without a wheel: built once, without network, into wheels whose hash is locked.

What may be built is decided in `builder`, what uv learns of it in `knowledge`; `workshop` builds, twice, in a
`sandbox` with the locked tools of an `environment`; `repack` gives wheels one form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.locking.sources.workshop import Workshop

if TYPE_CHECKING:
    from pathlib import Path

    from envfreeze.locking.model import Wheel

__all__ = ["Workshop", "rebuilt"]


def rebuilt(wheel: Wheel, root: Path, workshop: Workshop) -> Path:
    """Have a built wheel in the cache: as it lies there, or built again from its locked source; its file.

    Args:
        wheel: has a source.
        root: the project's folder.
        workshop: where to build.

    Raises:
        NetworkError: the source or a build requirement cannot be had.
        UntrustedError: the source, or what it is built into, is not what was locked.
        ResolutionError: it cannot be built here.
        MachineError: this machine cannot isolate a build.

    """
    from envfreeze.locking.sources.builder import obtain  # noqa: PLC0415 - not needed where the wheel is there

    if wheel.source is None:
        raise ValueError(wheel.filename)
    if (present := workshop.cache.find(wheel.digest)) is not None:
        return present
    return workshop.rebuild(wheel, obtain(wheel.source, root, workshop))
