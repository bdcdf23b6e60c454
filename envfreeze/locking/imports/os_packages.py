"""What an image has of OS packages that the locked base has not: told of, not taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envfreeze.locking.imports.model import ImportedLock
    from envfreeze.locking.model import AptBase

_SHOWN = 20


def summary(imported: ImportedLock) -> str:
    """Say in one line what an image or an environment holds already."""
    packages = [str(package) for package in imported.packages]
    shown = ", ".join(packages[:_SHOWN]) + (", …" if len(packages) > _SHOWN else "")
    sides = [(len(packages), "Python package"), (len(imported.conda), "conda package")]
    sides.append((len(imported.debs), "OS package"))
    counts = [f"{count} {what}{'' if count == 1 else 's'}" for count, what in sides if count]
    if packages:
        counts[0] += f" ({shown})"
    return f"in {imported.file}: {', '.join(counts) or 'nothing'}"


def missing(imported: ImportedLock, base: AptBase) -> Iterator[str]:
    """Say which OS packages of an image the base does not have, and which it has in other versions.

    Args:
        imported: what was read of the image.
        base: what is locked.

    """
    locked = {deb.name: deb.version for deb in base.packages}
    absent = sorted(deb.name for deb in imported.debs if deb.requested and deb.name not in locked)
    if absent:
        yield (
            f"{imported.file} has OS packages that the lock has not: {', '.join(absent)}; "
            "name those that are needed in [image] packages"
        )
    moved = sum(1 for deb in imported.debs if locked.get(deb.name, deb.version) != deb.version)
    if moved:
        yield (
            f"{moved} OS package{' has' if moved == 1 else 's have'} another version in {base.reference} "
            f"than in {imported.file}"
        )
