"""What states a stack's CUDA: rule R1. Packages and the base are read by name, and one statement decides.

Never the newest of `nvidia-*`: `nvidia-nvjitlink` 13.5 stands beside the runtime of CUDA 13.2, and
`nvidia-cusparse` 12.7 belongs to CUDA 13.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.gpu.model import Version

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from envfreeze.gpu.model import Base, Package

RUNTIMES = frozenset(("nvidia-cuda-runtime-cu11", "nvidia-cuda-runtime-cu12", "nvidia-cuda-runtime"))
"""The packages on the pip side that are the CUDA runtime and have its version; unsuffixed from 13."""

STUB = re.compile(r"nvidia-.*-cu1[3-9]")
"""Names that the libraries of CUDA 13 do not have. Some are reserved by packages of version 0.0.1."""

_LONGEST = 8
"""Characters of a CUDA version in a package's version or build string; more are something else."""

_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)*")
_LOCAL = re.compile(r"(?<![a-z0-9])(?:pt[0-9]+)?cu(?:da)?([0-9]+(?:\.[0-9]+)?)")
_BUILD = re.compile(r"(?<![a-z])cuda_?([0-9]+(?:\.[0-9]+)?)")


@dataclass(frozen=True, slots=True)
class Statement:
    """Something that states a CUDA version.

    Attributes:
        order: what decides first, 0 before 1.
        source: what states it, for people.
        cuda: what it states.
        runtime: it is the runtime's full version.
        toolkit: the toolkit release that it names.
        package: that states it; None: the base.

    """

    order: int
    source: str
    cuda: Version
    runtime: Version | None = None
    toolkit: Version | None = None
    package: Package | None = None


def statements(packages: Iterable[Package], base: Base | None) -> tuple[Statement, ...]:
    """Everything that states a CUDA version, the stronger first; of equals the newer version first."""
    found = [statement for package in packages for statement in _of_package(package)]
    found += [] if base is None else _of_base(base)
    found.sort(key=lambda item: item.source)
    found.sort(key=lambda item: item.cuda, reverse=True)
    return tuple(sorted(found, key=lambda item: item.order))


def is_stub(package: Package) -> bool:
    """Whether a package reserves a name, `nvidia-cublas-cu13` 0.0.1, and has no library in it."""
    version = number(package.version)
    return bool(
        package.side == "pip" and STUB.fullmatch(package.name) and version and version <= Version((0, 0, 1))
    )


def number(text: str) -> Version | None:
    """The numbers that a version begins with: 2.9.0 of `2.9.0+cu128`, 9.1.0.70 of `9.1.0.70-1`."""
    found = _NUMBER.match(text)
    try:
        return None if found is None else Version.parse(found[0])
    except ValueError:  # endless: no version of anything
        return None


def local_cuda(version: str) -> Version | None:
    """The CUDA that a local version names: 12.4 of `2.6.0+cu124`, 12 of `0.4.20+cuda12.cudnn89`."""
    _, plus, local = version.partition("+")
    found = _LOCAL.search(local) if plus else None
    return None if found is None else _written(found[1])


def build_cuda(build: str) -> Version | None:
    """The CUDA that a conda build string names: 12.6 of `cuda126_py312h1b2c3d4_200`."""
    found = _BUILD.search(build)
    return None if found is None else _written(found[1])


def _written(digits: str) -> Version | None:
    """`12.4`, `124` and `118` as versions; `12` is a major version alone, `92` was 9.2."""
    if len(digits) > _LONGEST:
        return None
    if "." in digits:
        return number(digits)
    major = 1 if len(digits) == 2 and digits > "20" else 2  # noqa: PLR2004 - digits; no CUDA 20 in sight
    return Version(tuple(int(part) for part in (digits[:major], digits[major:]) if part))


def _of_package(package: Package) -> Iterator[Statement]:
    version = number(package.version)
    if version is None or is_stub(package):
        return
    name = f"{package.name} {package.version}"
    if package.side == "pip":
        if package.name in RUNTIMES:
            yield Statement(0, f"{name} (pip)", version.minor, runtime=version, package=package)
        local = local_cuda(package.version)
        if local is not None:
            yield Statement(4, f"{name} (pip, local version)", local, package=package)
        return
    if package.name == "cuda-version":
        yield Statement(1, f"{name} (conda)", version.minor, package=package)
    elif package.name == "cudatoolkit":
        yield Statement(2, f"{name} (conda)", version.minor, package=package)
    elif package.name == "cuda-cudart":
        yield Statement(3, f"{name} (conda)", version.minor, runtime=version, package=package)
    else:
        built = build_cuda(package.build)
        if built is not None:
            yield Statement(3, f"{name} {package.build} (conda, build string)", built, package=package)


def _of_base(base: Base) -> Iterator[Statement]:
    toolkit = number(base.env.get("CUDA_VERSION", ""))
    runtime = number(base.env.get("NV_CUDA_CUDART_VERSION", ""))
    if toolkit is not None:
        same = runtime if runtime is not None and runtime.minor == toolkit.minor else None
        full = toolkit if len(toolkit.parts) > 2 else None  # noqa: PLR2004 - major, minor and update
        source = f"{base.reference} (CUDA_VERSION={base.env['CUDA_VERSION']})"
        yield Statement(5, source, toolkit.minor, runtime=same, toolkit=full)
    if runtime is not None:
        source = f"{base.reference} (NV_CUDA_CUDART_VERSION={base.env['NV_CUDA_CUDART_VERSION']})"
        yield Statement(6, source, runtime.minor, runtime=runtime)
