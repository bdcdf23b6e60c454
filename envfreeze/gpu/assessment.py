"""Rules R4 and R5 together: a CUDA version and its kernels on a machine, in one word with its reasons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.gpu.driver import Reach, compat_cuda, compiles, reach
from envfreeze.gpu.kernels import Fit, framework_fit, toolkit_fit
from envfreeze.gpu.model import RUNS

if TYPE_CHECKING:
    from envfreeze.gpu.model import Machine, Stack, Version
    from envfreeze.gpu.tables import Tables

JIT_CAVEAT = (
    "with minor version compatibility, code that the driver compiles on the machine from PTX and functions "
    "newer than the driver do not work"
)


@dataclass(frozen=True, slots=True)
class Brought:
    """What is held against a machine: a stack's, or what a remedy would make of it.

    Attributes:
        cuda: major and minor.
        toolkit: the release; None: not known.
        cubins: as in `Stack`.
        ptx: as in `Stack`.
        what: whose kernels they are, for people.

    """

    cuda: Version
    toolkit: Version | None = None
    cubins: tuple[Version, ...] = ()
    ptx: tuple[Version, ...] = ()
    what: str = "the stack"


def brought(stack: Stack, cuda: Version) -> Brought:
    """What a stack with CUDA brings."""
    torch = next((item for item in stack.frameworks if item.name in ("torch", "pytorch")), None)
    what = "the stack" if torch is None else f"{torch.name} {torch.version}"
    return Brought(cuda, stack.toolkit, stack.cubins, stack.ptx, what)


def assess(has: Brought, machine: Machine, tables: Tables) -> Reach:
    """The word and its reasons: what the GPU refuses before what the driver does."""
    fits = _fits(has, machine, tables)
    wrong = [fit.reason for fit in fits if fit.fits is False]
    found = reach(has.cuda, has.toolkit, machine, tables, jit=any(fit.jit for fit in fits))
    if wrong:
        return Reach("reject-arch", (*wrong, *found.reasons))
    about = tuple(fit.reason for fit in fits) or _no_gpu(machine)
    if found.word in RUNS and not _can_say(fits, machine):
        return Reach("unknown", (*about, *found.reasons))
    if found.word == "minor-compat" and not compiles(has.cuda, machine, tables):
        return Reach("minor-compat", (*found.reasons, JIT_CAVEAT, *about))
    return Reach(found.word, (*found.reasons, *about))


def carries(stack: Stack, cuda: Version) -> bool:
    """Whether an image has the forward compatibility package for a CUDA version, or a newer one's."""
    return compat_cuda(stack.compat) >= cuda.minor


def _fits(has: Brought, machine: Machine, tables: Tables) -> tuple[Fit, ...]:
    capability = None if machine.gpu is None else machine.gpu.capability
    if capability is None:
        return ()
    own = framework_fit(capability, has.cubins, has.ptx, has.what)
    return toolkit_fit(capability, has.cuda, tables), own


def _can_say(fits: tuple[Fit, ...], machine: Machine) -> bool:
    """Whether something is known of the GPU's kernels; a GPU that is not stated is not asked about."""
    return machine.gpu is None or any(fit.fits for fit in fits)


def _no_gpu(machine: Machine) -> tuple[str, ...]:
    if machine.gpu is None:
        return ("the GPU is not stated: whether there are kernels for it is not checked",)
    return (f"the compute capability of {machine.gpu.name} is not known",)
