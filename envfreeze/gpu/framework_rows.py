"""What the tables say of torch, JAX, TensorFlow and their variables: a type for a row of each.

A `read` takes a row's cells and raises ValueError or KeyError for what is malformed; `tables` says in which
file and line. The README beside the tables has the meaning of every column.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from envfreeze.gpu.cells import filled, one_of, optional, versions
from envfreeze.gpu.model import Version

if TYPE_CHECKING:
    from envfreeze.gpu.cells import Cells

_RANGE = re.compile(r"([0-9.]+)(?:-([0-9.]+))?")


@dataclass(frozen=True, slots=True)
class TorchRelease:
    """The CUDA versions that a torch release is built for.

    Attributes:
        torch: `2.7`.
        stable: the usual builds.
        experimental: the others.
        source: where it is published.

    """

    torch: Version
    stable: tuple[Version, ...]
    experimental: tuple[Version, ...]
    source: str

    @property
    def builds(self) -> tuple[Version, ...]:
        """All of them, the oldest CUDA first."""
        return tuple(sorted((*self.stable, *self.experimental)))

    @classmethod
    def read(cls, cells: Cells) -> Self:
        """Parse a row of `torch_release_cuda.csv`."""
        return cls(
            Version.parse(cells["torch"]),
            versions(filled(cells["stable_cuda"])),
            versions(cells["experimental_cuda"]),
            filled(cells["source"]),
        )


@dataclass(frozen=True, slots=True)
class TorchKernels:
    """The compute capabilities that a build of torch has kernels for.

    Attributes:
        first: of the torch versions that it holds for, `2.12`; three parts: for that very release.
        last: the last of them, included.
        cuda: of the build.
        machine: `x86_64` or `aarch64`.
        cubins: compiled kernels.
        through: `cubins` are the two ends of a list whose middle the source leaves out.
        ptx: what a driver can compile for newer GPUs.
        source: where it comes from.

    """

    first: Version
    last: Version
    cuda: Version
    machine: str
    cubins: tuple[Version, ...]
    through: bool
    ptx: tuple[Version, ...]
    source: str

    @classmethod
    def read(cls, cells: Cells) -> Self:
        """Parse a row of `torch_wheel_archs.csv`."""
        span = _RANGE.fullmatch(cells["torch"])
        if span is None:
            raise ValueError(f"{cells['torch']!r} is not a version nor two with a hyphen between")
        words = filled(cells["cubin_archs"]).split()
        through = "..." in words
        if through and (len(words) != 3 or words[1] != "..."):  # noqa: PLR2004 - two ends and the dots
            raise ValueError(f"{cells['cubin_archs']!r} is not a list, nor two with ... between")
        first = Version.parse(span[1])
        return cls(
            first,
            Version.parse(span[2]) if span[2] else first,
            Version.parse(cells["cuda"]),
            one_of(cells["platform"], ("x86_64", "aarch64")),
            tuple(Version.parse(word) for word in words if word != "..."),
            through,
            versions(cells["ptx"].replace("none", ""), " "),
            filled(cells["source"]),
        )


@dataclass(frozen=True, slots=True)
class FrameworkLock:
    """What a framework's requirement was locked to on a day.

    Attributes:
        case: what was asked for, `jax-0.4.30-cuda12`.
        framework: `jax`.
        version: `0.4.30`.
        machine: `x86_64` or `aarch64`.
        package: that states the runtime; empty: the lock has no CUDA.
        runtime: the CUDA runtime; None: none.
        toolkits: the releases that have it; (): not known.
        cudnn: None: none.
        source: how and when it was locked.

    """

    case: str
    framework: str
    version: Version
    machine: str
    package: str
    runtime: Version | None
    toolkits: tuple[Version, ...]
    cudnn: Version | None
    source: str

    @property
    def cuda(self) -> Version | None:
        """Major and minor; None: it runs on the CPU."""
        return None if self.runtime is None else self.runtime.minor

    @classmethod
    def read(cls, cells: Cells) -> Self:
        """Parse a row of `framework_lock_cuda.csv`."""
        framework, version = cells["framework"].split(" ")
        runtime = optional(cells["runtime_version"])
        if (runtime is None) != (not cells["runtime_pkg"]):
            raise ValueError("a runtime needs both its package and its version")
        if runtime is not None and Version.parse(cells["derived_cuda"]) != runtime.minor:
            raise ValueError(f"CUDA {cells['derived_cuda']} is not that of the runtime {runtime}")
        return cls(
            cells["case"],
            framework,
            Version.parse(version),
            one_of(cells["platform"], ("x86_64", "aarch64")),
            cells["runtime_pkg"],
            runtime,
            versions(cells["toolkit_updates"]),
            optional(cells["cudnn"]),
            filled(cells["source"]),
        )


@dataclass(frozen=True, slots=True)
class Determinism:
    """A variable or a call that makes results the same from run to run (gpu-rules R11).

    Attributes:
        name: of the variable.
        value: for people: it may name alternatives.
        where: `image ENV`, `user code`, ...
        status: what is known of it.
        source: where it is documented.

    """

    name: str
    value: str
    where: str
    status: str
    source: str

    @classmethod
    def read(cls, cells: Cells) -> Self:
        """Parse a row of `determinism_env.csv`."""
        return cls(
            filled(cells["name"]),
            cells["value"],
            filled(cells["where"]),
            cells["status"],
            filled(cells["source"]),
        )
