"""The variables by which an image tells a container runtime what it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.gpu.requirement import VARIABLE, expression
from envfreeze.gpu.tables import load

if TYPE_CHECKING:
    from envfreeze.gpu.model import Stack
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
