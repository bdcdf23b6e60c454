"""By what an image says what it needs: variables to a container runtime, labels to people and their tools."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.gpu.driver import toolkit_row
from envfreeze.gpu.requirement import VARIABLE, expression
from envfreeze.gpu.tables import load

if TYPE_CHECKING:
    from envfreeze.gpu.model import Stack, Version
    from envfreeze.gpu.tables import Tables


def environment(stack: Stack, tables: Tables | None = None) -> dict[str, str]:
    """The environment of an image of a stack; {} without CUDA.

    Every GPU, the driver's libraries for computing, nvidia-smi, and the drivers that rule R5 accepts. They go
    over the base's: NVIDIA's own NVIDIA_REQUIRE_CUDA refuses drivers that work.
    """
    if stack.cuda is None:
        return {}
    return {
        "NVIDIA_DRIVER_CAPABILITIES": "compute,utility",
        VARIABLE: expression(stack, tables or load()),
        "NVIDIA_VISIBLE_DEVICES": "all",
    }


def labels(stack: Stack, tables: Tables | None = None) -> dict[str, str]:
    """The labels of an image of a stack, for registries and dashboards; {} without CUDA.

    * `org.envfreeze.cuda`: major and minor, `12.8`;
    * `org.envfreeze.cuda.toolkit`: the toolkit release, `12.8.1`, where the tables know it;
    * `org.envfreeze.cuda.driver`: the oldest driver that runs it as it is, `525.60.13` (rule R5.1 and R5.2);
    * `org.envfreeze.cuda.capabilities`: the compute capabilities that the framework has kernels for, where
      the tables know them, in the form of TORCH_CUDA_ARCH_LIST: `8.0 9.0 12.0+PTX`.
    """
    if stack.cuda is None:
        return {}
    driver = _oldest_driver(stack, tables or load())
    compiled = {*stack.cubins, *stack.ptx}
    capabilities = (f"{one}{'+PTX' if one in stack.ptx else ''}" for one in sorted(compiled))
    said = {
        "org.envfreeze.cuda": str(stack.cuda),
        "org.envfreeze.cuda.capabilities": " ".join(capabilities),
        "org.envfreeze.cuda.driver": "" if driver is None else str(driver),
        "org.envfreeze.cuda.toolkit": "" if stack.toolkit is None else str(stack.toolkit),
    }
    return {name: value for name, value in said.items() if value}


def _oldest_driver(stack: Stack, tables: Tables) -> Version | None:
    if stack.cuda is None:
        return None
    floor = tables.minor_compat.get(stack.cuda.major)
    row = toolkit_row(stack.cuda, stack.toolkit, tables)
    known = [one.driver for one in (floor, row) if one is not None]
    return min(known, default=None)
