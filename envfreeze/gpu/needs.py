"""What packages need at run time beyond themselves: the system's CUDA (R8), or a compiler.

Both are known by name: no wheel's metadata says it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from envfreeze.gpu.flavour import Need
    from envfreeze.gpu.model import Package, Stack

_NVCC = {
    "apex": "it is compiled by nvcc",
    "deepspeed": "it compiles its operators by nvcc when they are first used",
    "flashinfer-python": "it compiles its kernels by nvcc when they are first used",
}
_LIBRARIES = {
    "tensorflow": "without tensorflow[and-cuda] it loads the system's CUDA libraries",
    "onnxruntime-gpu": "it loads the system's CUDA libraries",
}
_CUPY = "it loads the system's CUDA libraries, and compiles by NVRTC"


@dataclass(frozen=True, slots=True)
class CudaNeed:
    """What a stack needs of the system's CUDA.

    Attributes:
        need: nothing, runtime or devel.
        reasons: one sentence for each package that asks for it.

    """

    need: Need
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Compiler:
    """A package that compiles C at run time.

    Attributes:
        package: its name.
        reason: what does not work without.
        debian: the packages of Debian and Ubuntu that it needs.

    """

    package: str
    reason: str
    debian: tuple[str, ...]


def cuda_need(stack: Stack, packages: Iterable[Package]) -> CudaNeed:
    """The flavour of NVIDIA's images that packages need; nothing where they bring CUDA themselves."""
    packages = tuple(packages)
    pip = {package.name for package in packages if package.side == "pip"}
    compiled = tuple(f"{name}: {why}" for name, why in sorted(_NVCC.items()) if name in pip)
    if compiled and stack.cuda is not None:
        return CudaNeed("devel", compiled)
    if any(name.startswith("nvidia-cuda-runtime") for name in pip):
        return CudaNeed("nothing")
    loading = [f"{name}: {why}" for name, why in sorted(_LIBRARIES.items()) if name in pip]
    loading += [f"{name}: {_CUPY}" for name in sorted(pip) if name.startswith("cupy-cuda")]
    return CudaNeed("runtime", tuple(loading)) if loading else CudaNeed("nothing")


def compilers(packages: Iterable[Package], python: str) -> tuple[Compiler, ...]:
    """The packages that compile C at run time, with what they need for it.

    Args:
        packages: the locked packages.
        python: major and minor version of the interpreter, `3.13`.

    """
    names = {package.name for package in packages if package.side == "pip"}
    if "triton" not in names:
        return ()
    reason = "triton compiles C for each kernel: torch.compile fails without gcc and Python's headers"
    return (Compiler("triton", reason, ("gcc", "libc6-dev", f"libpython{python}-dev")),)
