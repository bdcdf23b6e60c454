"""A lock's target as the GPU rules see it: the packages that are looked at, and the stack that they make."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.gpu.derivation import derive
from envfreeze.gpu.model import Base, Package

if TYPE_CHECKING:
    from envfreeze.gpu.model import Stack
    from envfreeze.gpu.tables import Tables
    from envfreeze.locking.model import Target


def packages_of(target: Target) -> tuple[Package, ...]:
    """Give what of a target may bring CUDA: the pip side, then the conda side."""
    wheels = (
        Package(wheel.name, wheel.version, size=wheel.size, index=wheel.index) for wheel in target.wheels
    )
    conda = (
        Package(package.name, package.version, "conda", package.build, package.size, package.channel)
        for package in target.conda
    )
    return (*wheels, *conda)


def base_of(target: Target) -> Base | None:
    """The image that a target lies on; None: its base is assembled from OS packages, which bring no CUDA."""
    image = target.image
    if image is None:
        return None
    return Base.read(image.reference, image.env, sum(layer.size for layer in image.layers))


def stack_of(target: Target, *, base: Base | None = None, tables: Tables | None = None) -> Stack:
    """Derive what a target brings.

    Args:
        target: the target.
        base: the image that it is put on; None: the target's own, where that is one.
        tables: the facts; None: those that came with envfreeze.

    Raises:
        UntrustedError: a table is malformed.

    """
    return derive(
        packages_of(target),
        base or base_of(target),
        platform=str(target.platform),
        tables=tables,
        os_packages=(deb.name for deb in target.base.packages),
    )
