"""What has to be in an image because its packages compile while they run.

Triton builds a small C extension for every kernel that it launches, with the compiler that it finds on PATH
and with Python's headers (triton, python/triton/runtime/build.py), so `torch.compile` fails without them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from envfreeze.locking.model import Target
    from envfreeze.project.model import Project

COMPILING: Final = frozenset({"triton", "pytorch-triton", "triton-windows", "pytorch-triton-rocm"})
"""Packages that call a C compiler when they are used."""

_COMPILER: Final = ("gcc", "libc6-dev")
_HEADERS: Final = "libpython3-dev"
"""`Python.h` of a distribution's own Python; conda's brings its own."""


def compiling(names: Iterable[str]) -> tuple[str, ...]:
    """Which of these packages compile at run time, sorted."""
    return tuple(sorted(COMPILING & set(names)))


def wanted(project: Project, names: Iterable[str]) -> bool:
    """Whether an image with these packages gets a compiler: as `[gpu] compile` says, else with a `[gpu]`."""
    if project.gpu is not None and project.gpu.compile is not None:
        return project.gpu.compile
    return project.gpu is not None and bool(compiling(names))


def packages(*, own_python: bool) -> tuple[str, ...]:
    """The OS packages; `own_python`: the image's Python is the distribution's."""
    return (*_COMPILER, *((_HEADERS,) if own_python else ()))


def names_of(target: Target | None) -> set[str]:
    """Names of the wheels and conda packages of a target; of None none."""
    if target is None:
        return set()
    return {wheel.name for wheel in target.wheels} | {package.name for package in target.conda}


def joined(project: Project, names: Collection[str], *, own_python: bool) -> Project:
    """The project with the compiler among its OS packages, where an image with these packages gets one."""
    if not wanted(project, names):
        return project
    more = [name for name in packages(own_python=own_python) if not _is_named(name, project.image.packages)]
    return replace(project, image=replace(project.image, packages=(*project.image.packages, *more)))


def missing(project: Project, names: Iterable[str]) -> str | None:
    """What to tell of packages that would compile and cannot; None where there are none."""
    found = compiling(names)
    if not found or wanted(project, found) or _is_named("gcc", project.image.packages):
        return None
    return (
        f"{', '.join(found)} compiles kernels while a program runs, and the image has no compiler: "
        "torch.compile would fail; `compile = true` in [gpu] adds gcc and the headers"
    )


def _is_named(name: str, packages: Iterable[str]) -> bool:
    return any(package.partition("=")[0] == name for package in packages)
