"""A stack's CUDA from what is locked and the base that it is on: rules R1 to R3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.gpu import findings
from envfreeze.gpu.driver import COMPAT, compat_cuda
from envfreeze.gpu.evidence import local_cuda, number, statements
from envfreeze.gpu.kernels import cubins, torch_kernels
from envfreeze.gpu.model import Evidence, Stack, Version
from envfreeze.gpu.tables import load
from envfreeze.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Iterable

    from envfreeze.gpu.evidence import Statement
    from envfreeze.gpu.model import Base, Package
    from envfreeze.gpu.tables import Tables

MACHINES = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
"""Platforms of images as the tables name machines."""

FRAMEWORKS = frozenset(
    ("torch", "pytorch", "jax", "jaxlib", "tensorflow", "cupy", "onnxruntime-gpu", "paddlepaddle-gpu")
)
_UNSAID = frozenset(("torch", "tensorflow"))
"""Frameworks whose wheels require a CUDA runtime under one name, whichever it is."""


def derive(
    packages: Iterable[Package],
    base: Base | None,
    *,
    platform: str = "linux/amd64",
    tables: Tables | None = None,
    os_packages: Iterable[str] = (),
) -> Stack:
    """What a lock and its base bring.

    Args:
        packages: the locked packages of both sides.
        base: the image that they are put on; None: one without CUDA.
        platform: `linux/amd64` or `linux/arm64`.
        tables: the facts; None: those that came with envfreeze.
        os_packages: names of the OS packages, for NVIDIA's `cuda-compat-X-Y`.

    Raises:
        UntrustedError: a table is malformed.

    """
    tables = tables or load()
    packages = tuple(packages)
    machine = MACHINES.get(platform, platform)
    found = statements(packages, base)
    frameworks = tuple(package for package in packages if is_framework(package))
    decides = _deciding(found, packages, machine)
    if (
        decides is not None
        and decides.package is None
        and findings.all_for_cpu(frameworks, packages, machine)
    ):
        decides = None
    stack = Stack(
        cuda=None if decides is None else decides.cuda.minor,
        evidence=_evidence(found, decides),
        cudnn=_cudnn(packages),
        frameworks=frameworks,
        base=base,
        compat=_compat(os_packages, base),
        machine=machine,
    )
    if decides is not None:
        runtime = decides.runtime or _runtime(decides.cuda, found, decides)
        toolkit = decides.toolkit or (None if runtime is None else newest_toolkit(runtime, tables))
        if runtime is None and toolkit is not None:
            runtime = next((row.cudart for row in tables.cudarts if row.cuda == toolkit), None)
        stack = replace(stack, runtime=runtime, toolkit=toolkit)
        torch = next((package for package in frameworks if package.name == "torch"), None)
        if torch is not None:
            built = local_cuda(torch.version) or decides.cuda
            row = torch_kernels(torch, built, machine, tables)
            if row is not None:
                stack = replace(stack, cubins=cubins(row, tables), ptx=row.ptx)
    return replace(stack, findings=findings.of(stack, packages, found, decides, tables))


def newest_toolkit(runtime: Version, tables: Tables) -> Version | None:
    """The newest toolkit release with a runtime, one that is not end of life where there is one (R3)."""
    known = {row.cuda: row.end_of_life for row in tables.cudarts if row.cudart == runtime}
    for lock in tables.framework_locks:
        if lock.runtime == runtime:
            for toolkit in lock.toolkits:
                known.setdefault(toolkit, False)
    kept = [toolkit for toolkit, end_of_life in known.items() if not end_of_life]
    return max(kept or known, default=None)


def is_framework(package: Package) -> bool:
    """Whether a package uses the GPU by kernels of its own."""
    return package.name in FRAMEWORKS or package.name.startswith("cupy-cuda")


def _deciding(found: tuple[Statement, ...], packages: tuple[Package, ...], machine: str) -> Statement | None:
    """The statement that the stack's CUDA is taken from.

    Of two runtimes on the pip side that of the framework's own build; where a framework's is not said, or
    several say different ones, the newer, which asks for more of a driver: torch of the package index beside
    `jax[cuda12]` needs the runtime that torch brings.
    """
    if not found:
        return None
    equal = [item for item in found if item.order == found[0].order]
    wanted = {local.major for package in packages if (local := local_cuda(package.version))}
    wanted |= {major for package in packages if (major := findings.plugin_major(package.name))}
    own = [item for item in equal if item.cuda.major in wanted]
    said = len(wanted) == 1 and not any(_is_unsaid(package, packages, machine) for package in packages)
    return own[0] if said and own else equal[0]


def _is_unsaid(package: Package, packages: tuple[Package, ...], machine: str) -> bool:
    """Whether a framework brings a CUDA by its requirements, and no name or version tells which."""
    return (
        package.side == "pip"
        and package.name in _UNSAID
        and local_cuda(package.version) is None
        and not findings.for_cpu(package, packages, machine)
    )


def _runtime(cuda: Version, found: tuple[Statement, ...], decides: Statement) -> Version | None:
    """The full version of a runtime of the same side, where what decides states the minor version alone."""
    side = None if decides.package is None else decides.package.side
    return next(
        (
            item.runtime
            for item in found
            if item.runtime is not None
            and item.cuda == cuda
            and (None if item.package is None else item.package.side) == side
        ),
        None,
    )


def _evidence(found: tuple[Statement, ...], decides: Statement | None) -> tuple[Evidence, ...]:
    ordered = sorted(found, key=lambda item: item is not decides)
    return tuple(Evidence(item.source, item.runtime or item.cuda, item is decides) for item in ordered)


def _cudnn(packages: tuple[Package, ...]) -> Version | None:
    """The packages' cuDNN; of several the newest."""
    names = [
        package
        for package in packages
        if (package.side == "pip" and package.name.startswith("nvidia-cudnn-cu"))
        or (package.side == "conda" and package.name in ("cudnn", "libcudnn"))
    ]
    return max((version for package in names if (version := number(package.version))), default=None)


def _compat(os_packages: Iterable[str], base: Base | None) -> str:
    """NVIDIA's forward compatibility package: asked for, else the base's own."""
    asked = max((name for name in os_packages if name.startswith(COMPAT)), key=compat_cuda, default="")
    own = "" if base is None else base.env.get("NV_CUDA_COMPAT_PACKAGE", "")
    return asked or own
