"""What the tables say of NVIDIA's CUDA images: a type for a row of each.

A `read` takes a row's cells and raises ValueError or KeyError for what is malformed; `tables` says in which
file and line. The README beside the tables has the meaning of every column.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self, get_args

from envfreeze.gpu.cells import filled, flag, many, one_of, optional
from envfreeze.gpu.model import Version

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envfreeze.gpu.cells import Cells

Flavour = Literal["base", "runtime", "devel"]
"""What is in an image: the CUDA runtime, its libraries too, the compilers too."""


@dataclass(frozen=True, slots=True)
class ImageDemand:
    """What NVIDIA's image of a toolkit release demands of its host.

    Attributes:
        cuda: the release.
        os: the images that demand it.
        floor: `cuda>=12.4`.
        branches: older driver branches that it starts on as well, each with the brands that it does for.
        source: the Dockerfile.

    """

    cuda: Version
    os: tuple[str, ...]
    floor: str
    branches: Mapping[int, tuple[str, ...]]
    source: str

    @property
    def text(self) -> str:
        """The value of the image's `NVIDIA_REQUIRE_CUDA`."""
        others = (
            f"brand={brand},driver>={branch},driver<{branch + 1}"
            for branch, brands in self.branches.items()
            for brand in brands
        )
        return " ".join((self.floor, *others))


@dataclass(frozen=True, slots=True)
class TagRow:
    """A tag of NVIDIA's CUDA images.

    Attributes:
        tag: `12.4.1-cudnn-runtime-ubuntu22.04`.
        cuda: the release.
        flavour: base, runtime or devel.
        token: `cudnn`, `cudnn8`, `tensorrt`; empty: none.
        os: `ubuntu22.04`.
        cudart: its runtime; None: not known.
        cudnn: its cuDNN; None: none, or not known.
        architectures: `amd64`, `arm64`; (): not known.
        end_of_life: no longer kept up, perhaps deleted.
        source: the Dockerfile.

    """

    tag: str
    cuda: Version
    flavour: str
    token: str
    os: str
    cudart: Version | None
    cudnn: Version | None
    architectures: tuple[str, ...]
    end_of_life: bool
    source: str

    @classmethod
    def read(cls, cells: Cells) -> Self:
        """Parse a row of `nvidia_cuda_tags.csv`."""
        parts = (cells["cuda"], cells["sub"], cells["flavour"], cells["os"])
        if cells["tag"] != "-".join(filter(None, parts)):
            raise ValueError(f"the tag {cells['tag']!r} is not of the row's {' '.join(parts)}")
        return cls(
            cells["tag"],
            Version.parse(cells["cuda"]),
            one_of(cells["flavour"], get_args(Flavour)),
            cells["sub"],
            filled(cells["os"]),
            optional(cells["cudart"]),
            optional(cells["cudnn"]),
            many(cells["arches"]),
            flag(cells["end_of_life_dir"]),
            filled(cells["source"]),
        )
