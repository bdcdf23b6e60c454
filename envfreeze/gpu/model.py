"""The values of the GPU side: what a stack brings, which machines it shall run on, what comes of the two."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import total_ordering
from typing import TYPE_CHECKING, Literal, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

_VERSION = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,18}){0,15}")
"""Bounded: images and configurations may hold anything, and Python refuses to read endless digits."""

_LONGEST = 60


def shortened(text: str) -> str:
    """A text as a message shows it: of what somebody made endless, the beginning."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def printable(text: str) -> str:
    """A text with control characters written out: what is in an image is shown to people."""
    return text if text.isprintable() else "".join(map(_shown, text))


def _shown(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")


Word = Literal[
    "native", "minor-compat", "forward-compat", "reject-driver", "reject-arch", "cpu-only", "unknown"
]
"""A verdict in one word (`Verdict.word`)."""

RUNS: frozenset[Word] = frozenset({"native", "minor-compat", "forward-compat", "cpu-only"})
"""The words that mean: it runs. `unknown` is no answer, the others are a no."""


@total_ordering
@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """A version of CUDA, a driver or a library: compared part by part as integers, `12.10` after `12.9`.

    A missing part counts as zero, so `12.4` equals `12.4.0`.

    Attributes:
        parts: as written: (12, 4) of `12.4`.
        text: as written, where that says more: `580.65.06`. Two versions are equal whatever it is.

    """

    parts: tuple[int, ...]
    text: str = field(default="", repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a version.

        Raises:
            ValueError: it is not numbers with dots between.

        """
        if not _VERSION.fullmatch(text):
            raise ValueError(f"{shortened(text)!r} is not a version: numbers with dots between")
        return cls(tuple(int(part) for part in text.split(".")), text)

    @property
    def major(self) -> int:
        """12 of `12.4.127`."""
        return self.parts[0]

    @property
    def minor(self) -> Self:
        """`12.4` of `12.4.127`."""
        return type(self)((*self.parts, 0)[:2])

    def _key(self) -> tuple[int, ...]:
        parts = self.parts
        while parts and parts[-1] == 0:
            parts = parts[:-1]
        return parts

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, Version) else NotImplemented

    def __lt__(self, other: Version) -> bool:
        return self._key() < other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __str__(self) -> str:
        return self.text or ".".join(map(str, self.parts))


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU model.

    Attributes:
        name: the product's, `A100`; of a bare compute capability that is asked for: `compute capability 8.0`.
        capability: its compute capability; None: not known to the tables.
        kind: `datacenter`, `workstation`, `geforce` or `jetson`; None: not known. Forward compatibility is
            for some kinds only (gpu-rules R5.3).
        brand: NVML's name of the brand in lower case, `tesla`, `geforce`, `quadro`; None: not known. Images
            may demand a brand.

    """

    name: str
    capability: Version | None
    kind: str | None = None
    brand: str | None = None


@dataclass(frozen=True, slots=True)
class Machine:
    """A pair of the fleet: the oldest driver and one GPU model.

    Attributes:
        driver: of the kernel module, `550.54.15`; None: not known.
        gpu: None: not known.
        cuda: the newest CUDA that the driver itself says it supports (NVML); None: taken from the tables.

    """

    driver: Version | None = None
    gpu: Gpu | None = None
    cuda: Version | None = None


@dataclass(frozen=True, slots=True)
class Package:
    """A locked package, as the rules see it.

    Attributes:
        name: normalised.
        version: as locked, `2.9.0+cu128`.
        side: `pip` or `conda`.
        build: conda's build string, else empty.
        size: bytes of the file; None: not known.
        index: URL of the index it comes from, None where that is not known.

    """

    name: str
    version: str
    side: Literal["pip", "conda"] = "pip"
    build: str = ""
    size: int | None = None
    index: str | None = None


@dataclass(frozen=True, slots=True)
class Base:
    """A base image, as the rules see it.

    Attributes:
        reference: as the user wrote it.
        env: the environment of its config: CUDA_VERSION, NVIDIA_REQUIRE_CUDA, NV_CUDNN_VERSION and so on.
        size: bytes of its compressed layers; None: not known.

    """

    reference: str
    env: Mapping[str, str] = field(default_factory=dict)
    size: int | None = None

    @classmethod
    def read(cls, reference: str, env: Mapping[str, str], size: int | None = None) -> Self:
        """Take what an image says, with nothing in it that a terminal would obey."""
        return cls(printable(reference), {printable(name): printable(env[name]) for name in env}, size)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Something that states a CUDA version.

    Attributes:
        source: what states it, for people: `nvidia-cuda-runtime-cu12 12.4.127 (pip)`.
        cuda: what it states, with as many parts as it does.
        decides: it is the one that the stack's CUDA was taken from.

    """

    source: str
    cuda: Version
    decides: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """What is odd about a stack's CUDA.

    Attributes:
        kind: `cpu-lock`, `mixed-majors`, `stub`, `duplicate`, `unknown-version`, `cudnn`, ...
        text: one sentence for people, naming the packages.
        size: bytes that it costs, None where that is not the point.
        fatal: nothing that is built of it can work.

    """

    kind: str
    text: str
    size: int | None = None
    fatal: bool = False


@dataclass(frozen=True, slots=True)
class Stack:
    """What a lock and its base bring.

    Attributes:
        cuda: major and minor; None: no CUDA, it runs on the CPU.
        runtime: the CUDA runtime's full version, `12.4.127`; None where only the minor version is stated.
        toolkit: the newest toolkit release with that runtime that is not end of life, `12.6.3`; None: the
            tables do not know it.
        evidence: everything that states a version, the one that decides first.
        findings: what is odd.
        cudnn: the packages' cuDNN.
        frameworks: the packages that use the GPU and whose kernels or remedies are known: torch, jaxlib,
            tensorflow, cupy, ...
        cubins: compute capabilities that the framework's own kernels are compiled for; (): not known.
        ptx: those that it has PTX for, from which a driver compiles for newer GPUs.
        base: the base image; None: a base without CUDA.
        compat: NVIDIA's forward compatibility package that the image has, `cuda-compat-13-0`; empty: none.
        machine: that the packages are for, `x86_64` or `aarch64`.

    """

    cuda: Version | None
    runtime: Version | None = None
    toolkit: Version | None = None
    evidence: tuple[Evidence, ...] = ()
    findings: tuple[Finding, ...] = ()
    cudnn: Version | None = None
    frameworks: tuple[Package, ...] = ()
    cubins: tuple[Version, ...] = ()
    ptx: tuple[Version, ...] = ()
    base: Base | None = None
    compat: str = ""
    machine: str = "x86_64"


@dataclass(frozen=True, slots=True)
class Starts:
    """Whether a container of the image would start at all, which is not whether it works (gpu-rules R6).

    Attributes:
        legacy: under NVIDIA's legacy runtime, which enforces NVIDIA_REQUIRE_*; None: cannot be told.
        cdi: under CDI, the default since toolkit 1.18, which does not.
        unmet: every requirement that does not hold, with all its alternatives, one text each.

    """

    legacy: bool | None
    cdi: bool | None
    unmet: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """One of NVIDIA's three answers to "does it run", which differ in places.

    Attributes:
        source: `toolkit table`, `compatibility table` or `image requirement`.
        holds: None: it does not say.
        text: what it says, in one sentence.

    """

    source: str
    holds: bool | None
    text: str


@dataclass(frozen=True, slots=True)
class Remedy:
    """A change that would make it run, or run better.

    Attributes:
        text: what to do, in one sentence.
        line: what to type or write: a command, or a line of the configuration; empty where it is neither.

    """

    text: str
    line: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A stack on a machine.

    Attributes:
        word: the verdict.
        machine: the machine.
        cuda: the stack's, None without one.
        starts: whether the container starts.
        answers: all three of NVIDIA's, in the order of `Answer.source`.
        reasons: why, one sentence each, the deciding one first, each with the numbers compared.
        remedies: the nearest first; () where nothing needs to change.

    """

    word: Word
    machine: Machine
    cuda: Version | None
    starts: Starts
    answers: tuple[Answer, ...] = ()
    reasons: tuple[str, ...] = ()
    remedies: tuple[Remedy, ...] = ()
