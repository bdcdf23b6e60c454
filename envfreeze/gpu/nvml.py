"""What NVIDIA's management library says of this machine, as one JSON document on stdout.

`host` runs this file as a process of its own: the library talks to a kernel module, and where that is broken
it can hang or crash, which must not take a command with it. So nothing of envfreeze is imported here.
"""

from __future__ import annotations

import ctypes
import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

LIBRARY = "libnvidia-ml.so.1"

# NVML's numbers (nvml.h, nvmlBrandType_t) and the names that NVIDIA_REQUIRE_CUDA uses for them.
_BRANDS = {
    0: "unknown",
    1: "quadro",
    2: "tesla",
    3: "nvs",
    4: "grid",
    5: "geforce",
    6: "titan",
    7: "vapps",
    8: "vpc",
    9: "vcs",
    10: "vws",
    11: "cloudgaming",
    12: "quadrortx",
    13: "nvidiartx",
    14: "nvidia",
    15: "geforcertx",
    16: "titanrtx",
}

# FP32 cores of a multiprocessor by compute capability (CUDA C++ Programming Guide, throughput of native
# arithmetic instructions), for what NVML counts only in cores.
_CORES = {
    **dict.fromkeys(((6, 0), (7, 0), (7, 2), (7, 5), (8, 0)), 64),
    **dict.fromkeys(((5, 0), (5, 2), (5, 3), (6, 1), (6, 2), (8, 6), (8, 7), (8, 9), (9, 0)), 128),
    **dict.fromkeys(((10, 0), (10, 3), (11, 0), (12, 0), (12, 1)), 128),
}

_STATES = {9: "no-driver", 12: "no-library", 18: "mismatch", 4: "no-permission"}
"""NVML's error numbers that say something of the machine as a whole."""


def ask() -> dict[str, Any]:
    """Ask the library everything.

    Returns:
        `state` (`answers`, `no-binding`, `no-library`, `bad-library`, `no-driver`, `mismatch`,
        `no-permission` or `failed`), `error` (what NVML or the loader said), `driver`, `cuda`
        (1000 * major + 10 * minor), `gpus` and `problems`.

    """
    try:
        import pynvml  # noqa: PLC0415 - its absence is an answer
    except ImportError as error:
        return {"state": "no-binding", "error": str(error)}
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        state = _STATES.get(error.value, "failed")
        text = _loaded() if state == "no-library" else str(error)
        if text and state == "no-library" and "No such file" not in text:
            state = "bad-library"
        return {"state": state, "error": text}
    try:
        return {"state": "answers", "error": "", **_facts(pynvml)}
    finally:
        _quietly(pynvml, pynvml.nvmlShutdown)


def _loaded() -> str:
    """Why the library cannot be loaded: the binding does not keep the loader's words."""
    try:
        ctypes.CDLL(LIBRARY)
    except OSError as error:
        return str(error)
    return ""


def _facts(nvml: Any) -> dict[str, Any]:  # noqa: ANN401 - the binding has no types
    problems: list[str] = []

    def tried(what: str, call: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401 - the binding's
        try:
            return call(*arguments)
        except (nvml.NVMLError, UnicodeError) as error:
            problems.append(f"{what}: {error}")
            return None

    driver = tried("the driver's version", nvml.nvmlSystemGetDriverVersion)
    cuda = _quietly(nvml, nvml.nvmlSystemGetCudaDriverVersion_v2)
    if cuda is None:
        cuda = tried("the driver's CUDA", nvml.nvmlSystemGetCudaDriverVersion)
    count = tried("the number of GPUs", nvml.nvmlDeviceGetCount) or 0
    gpus = []
    for index in range(count):
        handle = tried(f"GPU {index}", nvml.nvmlDeviceGetHandleByIndex, index)
        if handle is not None:
            capability = tried(
                f"GPU {index}, compute capability", nvml.nvmlDeviceGetCudaComputeCapability, handle
            )
            name = tried(f"GPU {index}, name", nvml.nvmlDeviceGetName, handle)
            brand = _quietly(nvml, nvml.nvmlDeviceGetBrand, handle)
            memory = _quietly(nvml, nvml.nvmlDeviceGetMemoryInfo, handle)
            mig = _quietly(nvml, nvml.nvmlDeviceGetMigMode, handle)
            gpus.append(
                {
                    "index": index,
                    "name": name,
                    "capability": capability,
                    "brand": _BRANDS.get(brand),
                    "memory": None if memory is None else memory.total,
                    "multiprocessors": _multiprocessors(nvml, handle, capability),
                    "mig": bool(mig and mig[0]),
                }
            )
    return {"driver": driver, "cuda": cuda, "gpus": gpus, "problems": problems}


def _multiprocessors(nvml: Any, handle: object, capability: tuple[int, int] | None) -> int | None:  # noqa: ANN401 - the binding has no types
    attributes = _quietly(nvml, nvml.nvmlDeviceGetAttributes_v2, handle)
    if attributes is not None and attributes.multiprocessorCount:
        return int(attributes.multiprocessorCount)
    cores = _quietly(nvml, nvml.nvmlDeviceGetNumGpuCores, handle)
    each = None if capability is None else _CORES.get(capability)
    return None if not cores or each is None else cores // each


def _quietly(nvml: Any, call: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401 - the binding's
    """What is nice to know: None where it is not told."""
    try:
        return call(*arguments)
    except (nvml.NVMLError, UnicodeError):
        return None


if __name__ == "__main__":
    sys.stdout.write(f"\n{json.dumps(ask())}")  # on a line of its own, whatever a library wrote before
