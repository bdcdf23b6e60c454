"""This machine's driver and GPUs, asked of the driver itself (gpu-rules R10).

Whatever is missing or broken is part of the answer: `probe` raises nothing and ends within `PATIENCE`.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from envfreeze.gpu import nvml
from envfreeze.gpu.evidence import number
from envfreeze.gpu.model import Gpu, Machine, Version

PATIENCE: Final = 20.0
"""Seconds for the driver to answer: without persistence mode the first call wakes every GPU."""

State = Literal[
    "answers",
    "no-binding",
    "no-library",
    "bad-library",
    "no-driver",
    "mismatch",
    "no-permission",
    "crashed",
    "hangs",
    "failed",
]
"""What came of asking."""

_WORDS: Final = {
    "no-library": ("there is no NVIDIA driver on this machine: no {library}", ""),
    "no-driver-at-all": ("there is an NVIDIA GPU and no driver: no {library}", "install NVIDIA's driver"),
    "no-user-side": (
        "there is no {library}",
        "install the driver's libraries of that version; in a container, start it with --gpus all",
    ),
    "bad-library": ("{library} cannot be loaded: {error}", "install the driver again"),
    "no-driver": (
        "NVIDIA's libraries are installed and its kernel module is not loaded",
        "`sudo modprobe nvidia`; after a kernel update the module has to be built again (DKMS)",
    ),
    "mismatch": (
        "the driver's library and its kernel module are of different versions",
        "reboot: the driver was updated while the old module is loaded",
    ),
    "no-permission": ("the driver refuses this user: {error}", "look at the permissions of /dev/nvidia*"),
    "no-binding": ("the binding to NVML is not installed: {error}", "pip install nvidia-ml-py"),
    "crashed": ("{library} crashed ({error})", "install the driver again, or reboot"),
    "hangs": ("the driver does not answer: {error}", "`dmesg | grep -i nvrm` says more; reboot"),
    "failed": ("NVML failed: {error}", "`nvidia-smi` and `dmesg | grep -i nvrm` say more"),
}
"""By state: what is wrong, and what to do."""

_NUMBERS = re.compile(r"[0-9]+(?:\.[0-9]+)+")
_MODULE = re.compile(r"Kernel Module(?: for \S+)?\s+([0-9]+(?:\.[0-9]+)+)")
_NVIDIA = "0x10de"
_DISPLAY = "0x03"


@dataclass(frozen=True, slots=True)
class HostGpu:
    """A GPU of this machine.

    Attributes:
        index: NVML's, from 0.
        name: the driver's product name, `NVIDIA A100-SXM4-40GB`; None where it failed to say.
        capability: its compute capability; None where it failed to say.
        brand: as NVIDIA_REQUIRE_CUDA writes it, `tesla`, `nvidiartx`; None: a brand that is not known.
        memory: bytes; None: not told.
        multiprocessors: number of SMs; None: not told. Equal bits of cuBLAS need the same number (R11).
        mig: it is cut into instances.

    """

    index: int
    name: str | None
    capability: Version | None
    brand: str | None = None
    memory: int | None = None
    multiprocessors: int | None = None
    mig: bool = False


@dataclass(frozen=True, slots=True)
class Host:
    """What this machine says of its driver.

    Attributes:
        state: what came of asking.
        version: of the kernel module, as it writes it: `580.65.06`; empty: there is none, or it did not say.
        cuda: the newest CUDA that the driver supports, major and minor; None: not told.
        gpus: in NVML's order; those that failed are missing here and named in `problems`.
        problems: what is wrong, one sentence each, the cause first.
        hint: what to do about it; empty where nothing is wrong.

    """

    state: State
    version: str = ""
    cuda: Version | None = None
    gpus: tuple[HostGpu, ...] = ()
    problems: tuple[str, ...] = ()
    hint: str = ""

    @property
    def driver(self) -> Version | None:
        """`version`, to compare."""
        return number(self.version)


def probe(*, patience: float = PATIENCE, root: Path = Path("/")) -> Host:
    """Ask the driver of this machine.

    Args:
        patience: seconds to wait for it.
        root: where `proc` and `sys` are, which tell what is there when NVML does not answer.

    """
    told = _told(patience)
    state = told["state"]
    if state == "answers":
        return _answered(told, root)
    module = kernel_module(root)
    problem, hint = _explained(state, str(told.get("error", "")), module, present=has_gpu(root))
    return Host(state, module, problems=(problem,), hint=hint)


def kernel_module(root: Path = Path("/")) -> str:
    """Version of the kernel module that is loaded, which it says without NVML; empty: none is."""
    with suppress(OSError):
        text = (root / "proc/driver/nvidia/version").read_text("utf-8", "replace")
        if match := _MODULE.search(text):
            return match[1]
    return ""


def has_gpu(root: Path = Path("/")) -> bool:
    """Whether a display controller of NVIDIA's is on the PCI bus, with or without a driver."""
    devices = root / "sys/bus/pci/devices"
    with suppress(OSError):
        for device in devices.iterdir():
            with suppress(OSError):
                vendor, kind = ((device / name).read_text("ascii", "replace") for name in ("vendor", "class"))
                if vendor.strip() == _NVIDIA and kind.startswith(_DISPLAY):
                    return True
    return False


def machines(host: Host) -> tuple[Machine, ...]:
    """The machine as the rules see it: one for each kind of GPU, in NVML's order.

    Without a GPU that answered there is one, of the driver alone.
    """
    seen = dict.fromkeys(
        Gpu(gpu.name or f"GPU {gpu.index}", gpu.capability, brand=gpu.brand) for gpu in host.gpus
    )
    return tuple(Machine(host.driver, gpu, host.cuda) for gpu in seen) or (
        Machine(host.driver, None, host.cuda),
    )


def _told(patience: float) -> dict[str, Any]:
    """Run `nvml`; a driver that hangs in the kernel cannot be ended, and is left behind."""
    command = [sys.executable, "-P", str(Path(nvml.__file__))]
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    except OSError as error:
        return {"state": "failed", "error": f"{sys.executable}: {error.strerror}"}
    try:
        output, errors = process.communicate(timeout=patience)
    except subprocess.TimeoutExpired:
        process.kill()
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=1)
        return {"state": "hangs", "error": f"no answer within {patience:g} s"}
    except BaseException:
        process.kill()
        raise
    if process.returncode < 0:
        return {"state": "crashed", "error": _signal(-process.returncode)}
    try:
        told: dict[str, Any] = json.loads(output.rpartition("\n")[2])
    except ValueError:
        last = errors.strip().splitlines()
        return {"state": "failed", "error": last[-1] if last else f"exit code {process.returncode}"}
    return told


def _answered(told: dict[str, Any], root: Path) -> Host:
    problems = list(told["problems"])
    gpus = tuple(
        HostGpu(
            index=gpu["index"],
            name=gpu["name"],
            capability=None if gpu["capability"] is None else Version(tuple(gpu["capability"])),
            brand=gpu["brand"],
            memory=gpu["memory"],
            multiprocessors=gpu["multiprocessors"],
            mig=gpu["mig"],
        )
        for gpu in told["gpus"]
    )
    cuda = None if told["cuda"] is None else Version((told["cuda"] // 1000, told["cuda"] % 1000 // 10))
    match = _NUMBERS.search(told["driver"] or "")
    version = match[0] if match else kernel_module(root)
    hint = "`nvidia-smi` and `dmesg | grep -i nvrm` say more" if problems else ""
    if not gpus and not problems:
        problems = ["the driver sees no GPU"]
        hint = "start a container with --gpus all; a virtual machine needs a GPU passed through"
    return Host("answers", version, cuda, gpus, tuple(problems), hint)


def _explained(state: str, error: str, module: str, *, present: bool) -> tuple[str, str]:
    """What is wrong where NVML did not answer, and what to do about it."""
    if state == "no-library" and module:
        state = "no-user-side"
    elif state == "no-library" and present:
        state = "no-driver-at-all"
    problem, hint = _WORDS.get(state, _WORDS["failed"])
    loaded = f"; the kernel module is {module}" if module else ""
    return problem.format(library=nvml.LIBRARY, error=error) + loaded, hint


def _signal(number: int) -> str:
    with suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"
