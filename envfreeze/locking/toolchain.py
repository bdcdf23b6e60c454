"""The OS packages of an image whose Python packages compile while they run (`gpu.needs` says which do)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Iterable

    from envfreeze.gpu.needs import Compiler
    from envfreeze.locking.model import Target
    from envfreeze.project.model import Project

_COMPILER = ("gcc", "libc6-dev")
_HEADERS = "libpython{minor}-dev"
"""`Python.h` of the distribution's Python. Every other one brings its own."""


def joined(project: Project, target: Target) -> Project:
    """The project with the compiler among its OS packages, where the target's image gets one."""
    more = [name for name in _wanted(project, target) if not _is_named(name, project.image.packages)]
    if not more:
        return project
    return replace(project, image=replace(project.image, packages=(*project.image.packages, *more)))


def missing(project: Project, target: Target) -> str | None:
    """What to tell of packages that would compile and cannot; None where there are none."""
    found = _compilers(target)
    if not found or _wanted(project, target) or _is_named("gcc", project.image.packages):
        return None
    reasons = "; ".join(one.reason for one in found)
    return f"{reasons}: `compile = true` in [gpu] adds them"


def _wanted(project: Project, target: Target) -> tuple[str, ...]:
    """The packages, as the project says, else where it names machines and something compiles."""
    said = None if project.gpu is None else project.gpu.compile
    if said is False or (said is None and project.gpu is None):
        return ()
    headers = _HEADERS.format(minor=target.python_minor)
    needed = [*_COMPILER, headers] if said else [name for one in _compilers(target) for name in one.debian]
    has_own = any(package.name == "python" for package in target.conda)
    has_own |= target.standalone is not None
    has_own |= target.image is not None and target.image.interpreter not in {None, _interpreter(target)}
    return tuple(dict.fromkeys(name for name in needed if name != headers or not has_own))


def _interpreter(target: Target) -> str:
    return f"/usr/bin/python{target.python_minor}"


def _compilers(target: Target) -> tuple[Compiler, ...]:
    from envfreeze.gpu.needs import compilers  # noqa: PLC0415 - not needed where nothing moves
    from envfreeze.locking.gpu import packages_of  # noqa: PLC0415 - with it

    return compilers(packages_of(target), target.python_minor)


def _is_named(name: str, packages: Iterable[str]) -> bool:
    return any(package.partition("=")[0] == name for package in packages)
