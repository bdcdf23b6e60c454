"""A lock's target as the GPU rules see it: the packages that are looked at, and the stack that they make."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.gpu.model import Package

if TYPE_CHECKING:
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
