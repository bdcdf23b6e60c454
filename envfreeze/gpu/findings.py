"""What is odd about a stack's CUDA: one function for each oddity, every sentence naming the packages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envfreeze.gpu.evidence import RUNTIMES, is_stub, local_cuda, number
from envfreeze.gpu.model import Finding, Version

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from envfreeze.gpu.evidence import Statement
    from envfreeze.gpu.model import Package, Stack
    from envfreeze.gpu.tables import Tables

_SUFFIX = re.compile(r".+-cu(?:da)?([0-9]{2})(?:x|-plugin|-pjrt)?")
_PLUGIN = re.compile(r"jax-cuda([0-9]{2})-(?:plugin|pjrt)|cupy-cuda([0-9]{2})x")
_AARCH64_CUDA = Version((2, 11))  # torch for aarch64 has CUDA since (gpu-rules R1)
# Libraries whose version is CUDA's own, and without a suffix CUDA 13's or later.
_OWN = frozenset(("nvidia-cuda-nvrtc", "nvidia-cuda-cupti", "nvidia-nvjitlink", "nvidia-nvtx", *RUNTIMES))
_CONDA_CUDA = re.compile(
    r"cuda-.+|cudatoolkit|cudnn|libcu(?:blas|dnn|fft|file|rand|solver|sparse|pti).*|libnv(?:jitlink|jpeg).*"
    r"|libnpp.*|nccl"
)


def of(
    stack: Stack,
    packages: tuple[Package, ...],
    found: tuple[Statement, ...],
    decides: Statement | None,
    tables: Tables,
) -> tuple[Finding, ...]:
    """All that is odd, what is fatal first."""
    return (
        *_stubs(packages),
        *(() if stack.cuda is not None else (_cpu(packages, stack),)),
        *_mixed(packages, found, decides),
        *_duplicates(packages, found, decides, stack),
        *_unknown(stack, tables),
        *_cudnn(stack),
        *_library_path(stack, packages),
    )


def plugin_major(name: str) -> int | None:
    """12 of `jax-cuda12-plugin` and of `cupy-cuda12x`, which name the CUDA that they are built for."""
    found = _PLUGIN.fullmatch(name)
    return None if found is None else int(found[1] or found[2])


def _stubs(packages: tuple[Package, ...]) -> Iterator[Finding]:
    stubs = sorted(f"{package.name} {package.version}" for package in packages if is_stub(package))
    if stubs:
        real = "the libraries of CUDA 13 have no suffix (nvidia-cublas, nvidia-cuda-runtime)"
        keep = "cudnn, nccl, cusparselt and nvshmem keep -cu13"
        text = f"{', '.join(stubs)}: reserved names without a library, which fail to build: {real}; {keep}"
        yield Finding("stub", text, fatal=True)


def all_for_cpu(frameworks: tuple[Package, ...], packages: tuple[Package, ...], machine: str) -> bool:
    """Whether there are frameworks and each is a build that cannot use a GPU, whatever the base has."""
    return bool(frameworks) and all(for_cpu(item, packages, machine) for item in frameworks)


def for_cpu(package: Package, packages: tuple[Package, ...], machine: str) -> str:
    """Why a framework's build cannot use a GPU, whatever else is there; empty: perhaps it can."""
    name = f"{package.name} {package.version}"
    version = number(package.version)
    if "+cpu" in package.version or package.build.startswith("cpu"):
        return f"{name} {package.build}".rstrip() + " is the build for the CPU"
    if package.side != "pip":
        return ""
    if package.name == "torch" and machine == "aarch64" and "+" not in package.version:
        if version is not None and version < _AARCH64_CUDA:
            return f"{name}: the package index has torch for aarch64 with CUDA from {_AARCH64_CUDA} on"
    elif package.name in ("jax", "jaxlib") and not any(item.name.startswith("jax-cuda") for item in packages):
        return "" if "+cuda" in package.version else f"{name} is locked without jax[cuda12] or jax[cuda13]"
    return ""


def _cpu(packages: tuple[Package, ...], stack: Stack) -> Finding:
    """Why a stack has no CUDA."""
    for package in stack.frameworks:
        reason = for_cpu(package, packages, stack.machine)
        if reason:
            return Finding("cpu-lock", reason)
        if package.side == "pip" and package.name == "tensorflow":
            text = f"{package.name} {package.version} is locked without tensorflow[and-cuda]"
            return Finding("cpu-lock", f"{text}, and the base has no CUDA")
    names = ", ".join(f"{package.name} {package.version}" for package in stack.frameworks)
    if any(is_stub(package) for package in packages):
        return Finding("cpu-lock", "no package brings a CUDA runtime: the stubs have none")
    return Finding("cpu-lock", f"{names and names + ': '}no package and no base brings a CUDA runtime")


def _majors(packages: Iterable[Package]) -> Iterator[tuple[int, Package]]:
    """The major CUDA version of each package that is for one."""
    for package in packages:
        if package.side != "pip" or is_stub(package):
            continue
        version, local = number(package.version), local_cuda(package.version)
        suffix = _SUFFIX.fullmatch(package.name)
        if local is not None:
            yield local.major, package
        elif suffix is not None:
            yield int(suffix[1]), package
        elif package.name in _OWN and version is not None:
            yield version.major, package


def _mixed(
    packages: tuple[Package, ...], found: tuple[Statement, ...], decides: Statement | None
) -> Iterator[Finding]:
    """Packages for different major versions of CUDA, on the pip side or in the environment of both sides."""
    majors: dict[int, list[Package]] = {}
    for major, package in _majors(packages):
        majors.setdefault(major, []).append(package)
    for item in found:
        if item.package is not None and item.package.side == "conda":
            majors.setdefault(item.cuda.major, []).append(item.package)
    if len(majors) < 2:  # noqa: PLR2004 - two are mixed
        return
    own = max(majors) if decides is None else decides.cuda.major
    others = {package.name: package for major in majors if major != own for package in majors[major]}
    sides = [
        f"CUDA {major}: {', '.join(sorted({package.name for package in majors[major]}))}"
        for major in sorted(majors)
    ]
    yield Finding(
        "mixed-majors",
        f"packages for {len(majors)} major versions of CUDA, the stack's is {own}: {'; '.join(sides)}",
        size=_bytes(others.values()),
    )


def _duplicates(
    packages: tuple[Package, ...],
    found: tuple[Statement, ...],
    decides: Statement | None,
    stack: Stack,
) -> Iterator[Finding]:
    """CUDA twice in one image: what does not decide is what it costs."""
    pip = [package for package in packages if package.side == "pip" and package.name.startswith("nvidia-")]
    conda = [
        package for package in packages if package.side == "conda" and _CONDA_CUDA.fullmatch(package.name)
    ]
    conda = [package for package in conda if package.name != "cuda-version"]
    has = {("base" if item.package is None else item.package.side): item for item in reversed(found)}
    if decides is None or len(has) < 2:  # noqa: PLR2004 - two are a duplicate
        return
    own = "base" if decides.package is None else decides.package.side
    for side, packs in (("pip", pip), ("conda", conda)):
        if side in has and side != own and packs:
            text = f"CUDA is in the image twice: {decides.source} is used, the {side} packages bring it again"
            yield Finding("duplicate", text, size=_bytes(packs))
    if "base" in has and own != "base" and stack.base is not None and (pip or conda):
        text = (
            f"CUDA is in the image twice: {decides.source} is used, the base {stack.base.reference} has "
            f"CUDA {has['base'].cuda} too; a plain base is enough"
        )
        yield Finding("duplicate", text, size=stack.base.size)


def _unknown(stack: Stack, tables: Tables) -> Iterator[Finding]:
    if stack.cuda is None:
        return
    newest = max(row.cuda.minor for row in tables.toolkits)
    if stack.cuda > newest:
        text = f"CUDA {stack.cuda} is newer than the tables of {tables.version}, which end with {newest}"
        yield Finding("unknown-version", f"{text}: it goes by the rules; `envfreeze gpu update` renews them")
    elif stack.runtime is not None and stack.toolkit is None:
        text = f"the CUDA runtime {stack.runtime} is not in the tables of {tables.version}"
        yield Finding("unknown-version", f"{text}: it goes by CUDA {stack.cuda}")
    torch = next((item for item in stack.frameworks if item.name in ("torch", "pytorch")), None)
    if torch is not None and not stack.cubins and not stack.ptx:
        build = f"{torch.name} {torch.version} for CUDA {stack.cuda} on {stack.machine}"
        text = f"the GPUs that {build} has kernels for are not in the tables: the toolkit's own range is used"
        yield Finding("unknown-kernels", text)


def _cudnn(stack: Stack) -> Iterator[Finding]:
    base = None if stack.base is None else number(stack.base.env.get("NV_CUDNN_VERSION", ""))
    if base is None or stack.cudnn is None or stack.base is None or base == stack.cudnn:
        return
    text = f"the base {stack.base.reference} has cuDNN {base}, the packages bring {stack.cudnn}"
    yield Finding("cudnn", f"{text}: take a base without cuDNN")


def _library_path(stack: Stack, packages: tuple[Package, ...]) -> Iterator[Finding]:
    path = "" if stack.base is None else stack.base.env.get("LD_LIBRARY_PATH", "")
    plugin = next((item.name for item in packages if item.name.startswith("jax-cuda")), None)
    if path and plugin is not None and stack.base is not None:
        text = (
            f"the base {stack.base.reference} sets LD_LIBRARY_PATH={path}, which hides the CUDA libraries of"
        )
        yield Finding("library-path", f'{text} {plugin}: set it to "" in [image] env, or take a plain base')


def _bytes(packages: Iterable[Package]) -> int | None:
    """Their files together; None: not known of any."""
    sizes = [package.size for package in packages if package.size is not None]
    return sum(sizes) if sizes else None
