"""What the tables say of toolkits, drivers and GPUs: a type for a row of each.

A `read` takes a row's cells and raises ValueError or KeyError for what is malformed; `tables` says in which
file and line. The README beside the tables has the meaning of every column.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self, get_args

from envfreeze.gpu.cells import filled, flag, many, one_of, optional, versions
from envfreeze.gpu.model import Version

if TYPE_CHECKING:
    from envfreeze.gpu.cells import Cells

Kind = Literal["datacenter", "workstation", "geforce", "jetson"]
"""What a GPU is sold as."""

_CAPABILITY = re.compile(r"([0-9]+\.[0-9])([af]?)")


@dataclass(frozen=True, slots=True)
class ToolkitDriver:
    """A toolkit release and the oldest driver that it is made for.

    Attributes:
        cuda: `12.4.1`; two parts where the publisher names no single release.
        label: as published, `12.4 Update 1`.
        driver: `550.54.15`; the branch alone where no build is published.
        branch: of that driver, 550.
        note: what the cells leave out.
        source: where it is published.

    """

    cuda: Version
    label: str
    driver: Version
    branch: int
    note: str
    source: str

    @classmethod
    def read(cls, cells: Cells) -> Self:
        """Parse a row of `cuda_toolkit_driver.csv`."""
        driver = Version.parse(cells["linux_toolkit_driver"])
        branch = int(cells["branch"])
        if driver.major != branch:
            raise ValueError(f"driver {driver} is not of branch {branch}")
        return cls(
            Version.parse(cells["cuda"]),
            cells["label"],
            driver,
            branch,
            cells["note"],
            filled(cells["source"]),
        )


@dataclass(frozen=True, slots=True)
class Cudart:
    """A toolkit release and the CUDA runtime in it.

    Attributes:
        cuda: the release, `12.6.3`.
        cudart: the runtime, `12.6.77`: several releases may have the same.
        cudnn: in NVIDIA's images of the release.
        end_of_life: its images are no longer kept up, and get deleted.
        os: that it has images for.
        source: where it comes from.

    """

    cuda: Version
    cudart: Version
    cudnn: tuple[Version, ...]
    end_of_life: bool
    os: tuple[str, ...]
    source: str

    @classmethod
    def read(cls, cells: Cells) -> Self:
        """Parse a row of `cuda_version_to_cudart.csv`."""
        cuda, cudart = Version.parse(cells["cuda"]), Version.parse(cells["cudart"])
        if cuda.minor != cudart.minor:
            raise ValueError(f"runtime {cudart} is not of CUDA {cuda}")
        return cls(
            cuda,
            cudart,
            versions(cells["cudnn_in_image"]),
            flag(cells["eol"]),
            many(cells["os"]),
            filled(cells["source"]),
        )


@dataclass(frozen=True, slots=True)
class ArchSupport:
    """A compute capability and the toolkits that compile for it.

    Attributes:
        capability: `9.0`.
        suffix: `a` of `9.0a`: features of that very chip. Empty for the capability itself.
        arch: the architecture's name.
        first: the first CUDA with it.
        last: the last CUDA with it, itself included; None: all later ones so far.
        note: where the source says something else.
        source: where it comes from.

    """

    capability: Version
    suffix: str
    arch: str
    first: Version
    last: Version | None
    note: str
    source: str

    @classmethod
    def read(cls, cells: Cells) -> Self:
        """Parse a row of `cuda_arch_support.csv`."""
        found = _CAPABILITY.fullmatch(cells["compute_capability"])
        if found is None:
            raise ValueError(f"{cells['compute_capability']!r} is not a compute capability")
        first, last = Version.parse(cells["min_cuda"]), optional(cells["last_cuda"])
        if last is not None and last < first:
            raise ValueError(f"the last CUDA {last} is before the first {first}")
        return cls(
            Version.parse(found[1]),
            found[2],
            filled(cells["arch"]),
            first,
            last,
            cells["note"],
            filled(cells["source"]),
        )


@dataclass(frozen=True, slots=True)
class Product:
    """A GPU that is sold.

    Attributes:
        name: without `NVIDIA `.
        capability: its compute capability.
        kind: what it is sold as.
        brand: NVML's, lower case; empty: not known.
        source: where it comes from.

    """

    name: str
    capability: Version
    kind: str
    brand: str
    source: str

    @classmethod
    def read(cls, cells: Cells) -> Self:
        """Parse a row of `gpu_compute_capability.csv`."""
        return cls(
            filled(cells["gpu"]),
            Version.parse(cells["compute_capability"]),
            one_of(cells["class"], get_args(Kind)),
            cells["brand"],
            filled(cells["source"]),
        )


@dataclass(frozen=True, slots=True)
class MinorCompat:
    """The oldest driver on which all of a major CUDA version runs.

    NVIDIA's table also has a newest driver: that is where the next major's begins, and no limit
    (gpu-rules R5), so it is in the file and not read.
    """

    major: int
    driver: Version
    source: str

    @classmethod
    def read(cls, cells: Cells) -> Self:
        """Parse a row of `minor_version_compat.csv`."""
        return cls(int(cells["major"]), Version.parse(cells["min_linux"]), filled(cells["source"]))
