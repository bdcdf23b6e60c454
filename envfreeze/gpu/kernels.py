"""Which GPUs a stack has kernels for: rule R4, the toolkit's range first, then what was compiled.

Cubins run on their own compute capability and on later ones of the same major version; PTX is compiled by the
driver for its own and every later one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.gpu.evidence import number
from envfreeze.gpu.model import Version

if TYPE_CHECKING:
    from envfreeze.gpu.cuda_rows import ArchSupport
    from envfreeze.gpu.framework_rows import TorchKernels
    from envfreeze.gpu.model import Package
    from envfreeze.gpu.tables import Tables


@dataclass(frozen=True, slots=True)
class Fit:
    """Whether the kernels fit a compute capability.

    Attributes:
        fits: None: nothing is known of it.
        reason: why, in one sentence.
        jit: they fit only through PTX.

    """

    fits: bool | None
    reason: str
    jit: bool = False


def torch_kernels(torch: Package, cuda: Version, machine: str, tables: Tables) -> TorchKernels | None:
    """The table's row for a build of torch; None: there is none.

    A row of two parts holds for all its releases, `2.9` for 2.9.1; a row of three for that release alone.

    Args:
        torch: the package; conda's builds are compiled for other GPUs, and have no row.
        cuda: of the build, major and minor.
        machine: `x86_64` or `aarch64`.
        tables: the facts.

    """
    version = number(torch.version)
    if torch.side != "pip" or version is None:
        return None
    for row in tables.torch_kernels:
        whole = len(row.first.parts) == 2  # noqa: PLR2004 - major and minor
        exact = version.minor if whole else version
        if row.first <= exact <= row.last and row.cuda == cuda.minor and row.machine == machine:
            return row
    return None


def cubins(row: TorchKernels, tables: Tables) -> tuple[Version, ...]:
    """The compute capabilities of a row.

    Of a list with its middle left out, the two ends and the first capability of each major version between.
    """
    if not row.through:
        return row.cubins
    low, high = row.cubins
    between = {
        Version((support.capability.major, 0))
        for support in tables.architectures
        if low < Version((support.capability.major, 0)) < high
    }
    return tuple(sorted({low, high, *between}))


def toolkit_fit(capability: Version, cuda: Version, tables: Tables) -> Fit:
    """Whether a toolkit compiles for a compute capability."""
    row = _support(capability, tables)
    if row is None:
        return Fit(None, f"compute capability {capability} is not in the tables")
    name = f"compute capability {capability} ({row.arch})"
    if cuda < row.first:
        return Fit(False, f"{name} needs CUDA {row.first} or later, the stack has {cuda}")
    if row.last is not None and cuda > row.last:
        return Fit(False, f"{name} ends with CUDA {row.last}, the stack has {cuda}")
    until = "" if row.last is None else f" to {row.last}"
    return Fit(True, f"CUDA {cuda} has {name}: from {row.first}{until}")


def first_cuda(capability: Version, tables: Tables) -> Version | None:
    """The oldest CUDA that compiles for a compute capability; None: the tables do not know it."""
    row = _support(capability, tables)
    return None if row is None else row.first


def _support(capability: Version, tables: Tables) -> ArchSupport | None:
    return next(
        (row for row in tables.architectures if row.capability == capability and not row.suffix), None
    )


def framework_fit(
    capability: Version, compiled: tuple[Version, ...], ptx: tuple[Version, ...], what: str
) -> Fit:
    """Whether a framework's own kernels run on a compute capability.

    Args:
        capability: of the GPU.
        compiled: its cubins; () together with `ptx`: not known.
        ptx: what it has PTX for.
        what: the framework, for people.

    """
    if not compiled and not ptx:
        return Fit(None, f"the compute capabilities that {what or 'the stack'} has kernels for are not known")
    near = [item for item in compiled if item.major == capability.major and item <= capability]
    if near:
        return Fit(True, f"{what} has kernels for {max(near)}, which run on {capability}")
    older = [item for item in ptx if item <= capability]
    if older:
        text = f"{what} has only PTX of {max(older)} for {capability}: the driver compiles it on the machine"
        return Fit(True, text, jit=True)
    listed = ", ".join(map(str, compiled)) or "none"
    return Fit(False, f"{what} has no kernels for {capability}: compiled for {listed}, no PTX that fits")
