"""`lock --solve-gpu`: the newest framework versions that every machine of the project can run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from packaging.version import Version

from envfreeze.errors import IncompatibleError, ResolutionError
from envfreeze.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from envfreeze.gpu.model import Package, Stack
    from envfreeze.locking.model import Target, Wheel
    from envfreeze.project.model import Project
    from envfreeze.verbs.fitting import Judged
    from envfreeze.verbs.wish import Wish

_STEPS: Final = 24
"""How many minor versions it goes back at most: about six years of a framework."""

_DECIDING: Final = ("torch", "jax", "jaxlib", "tensorflow")
"""Frameworks that choose their CUDA; one that others are built on comes first."""


@dataclass(frozen=True, slots=True)
class Means:
    """What the search uses.

    Attributes:
        packages: resolves the Python packages of a project.
        judge: holds a target against the machines.
        refusal: what is wrong with the versions that the project asks for.

    """

    packages: Callable[[Project], tuple[Wheel, ...]]
    judge: Callable[[Target], Judged]
    refusal: IncompatibleError


def solved(
    project: Project, target: Target, judged: Judged, wish: Wish, means: Means
) -> tuple[Target, Judged]:
    """Go back, a minor version of a framework at a time, to the newest that every machine runs.

    One that runs because it no longer uses a GPU is no answer: whoever names machines with GPUs wants those.

    Raises:
        IncompatibleError: there is none.

    """
    limits: dict[str, str] = {}
    without = _without_gpu(judged.stack, target)
    for _ in range(_STEPS):
        limit = _limit(judged.stack, limits)
        if limit is None:
            break
        name, version = limit
        limits[name] = version
        wish.progress.note(f"{target.platform}: looking for {name} older than {version}")
        try:
            wheels = means.packages(_limited(project, limits))
        except ResolutionError as error:
            raise _none(means.refusal, limits, error.message) from error
        target = replace(target, wheels=wheels)
        judged = means.judge(target)
        lost = {name: why for name, why in _without_gpu(judged.stack, target).items() if name not in without}
        if lost:
            raise _none(means.refusal, limits, f"older ones do not use a GPU: {'; '.join(lost.values())}")
        if not judged.rejected:
            found = ", ".join(f"{wheel.name} {wheel.version}" for wheel in wheels if wheel.name in limits)
            kept = ", ".join(f'"{one}<{below}"' for one, below in sorted(limits.items()))
            wish.progress.warn(
                f"{target.platform}: {found} with CUDA {judged.stack.cuda} runs on all machines; to keep it, "
                f"write {kept} into the requirements"
            )
            return target, judged
    raise _none(means.refusal, limits, "no older version runs on them either")


def _without_gpu(stack: Stack, target: Target) -> dict[str, str]:
    """The frameworks that a lock has for the CPU, each with the reason; with a lock without CUDA, its own."""
    from envfreeze.gpu.findings import for_cpu  # noqa: PLC0415 - only where it is looked for
    from envfreeze.locking.gpu import packages_of  # noqa: PLC0415 - with it

    packages = packages_of(target)
    found = {one.name: why for one in stack.frameworks if (why := for_cpu(one, packages, stack.machine))}
    if stack.cuda is None and not found:
        found = {"": "; ".join(one.text for one in stack.findings if one.kind == "cpu-lock")}
    return found


def _limit(stack: Stack, limits: Mapping[str, str]) -> tuple[str, str] | None:
    """The framework to go back with, and the minor version to go below; None: there is none."""
    for package in _by_weight(stack.frameworks):
        version = Version(package.version)
        below = f"{version.major}.{version.minor}"
        if limits.get(package.name) != below:
            return package.name, below
    return None


def _by_weight(frameworks: Sequence[Package]) -> list[Package]:
    def weight(package: Package) -> tuple[int, str]:
        known = package.name in _DECIDING
        return _DECIDING.index(package.name) if known else len(_DECIDING), package.name

    return sorted((package for package in frameworks if package.side == "pip"), key=weight)


def _limited(project: Project, limits: Mapping[str, str]) -> Project:
    said = project.pip.adjustments
    constraints = (*said.constraints, *(f"{name}<{below}" for name, below in sorted(limits.items())))
    return replace(project, pip=replace(project.pip, adjustments=replace(said, constraints=constraints)))


def _none(refusal: IncompatibleError, limits: Mapping[str, str], why: str) -> IncompatibleError:
    tried = ", ".join(f"{name}<{below}" for name, below in sorted(limits.items()))
    said = f"--solve-gpu tried {tried or 'nothing: no framework is among the wheels'}: {why}"
    return IncompatibleError(refusal.message, details=(*refusal.details, said), hint=refusal.hint)
