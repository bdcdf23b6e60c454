"""Another build or another version of a framework, which brings a CUDA that a machine runs."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from envfreeze.gpu.assessment import Brought, assess
from envfreeze.gpu.evidence import number
from envfreeze.gpu.kernels import cubins, torch_kernels
from envfreeze.gpu.model import RUNS, Package, Remedy, Version

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envfreeze.gpu.framework_rows import FrameworkLock
    from envfreeze.gpu.model import Machine, Stack, Word
    from envfreeze.gpu.tables import Tables

_RANK: tuple[Word, ...] = ("native", "minor-compat", "forward-compat")
_COMPANIONS = '"torch", "torchvision", "torchaudio"'
_PINNED = {"tensorflow": "tensorflow[and-cuda]", "torch": "torch"}


def other_builds(stack: Stack, machine: Machine, tables: Tables) -> tuple[Remedy, ...]:
    """The same version of the framework for another CUDA, that which the machine runs best."""
    torch = _framework(stack, "torch")
    return (*_torch_build(torch, stack, machine, tables), *_jax_extra(stack, machine, tables))


def other_versions(stack: Stack, machine: Machine, tables: Tables) -> tuple[Remedy, ...]:
    """The newest version of the framework whose lock the machine runs.

    Not of JAX: it takes any CUDA of a major version, whatever its own version is.
    """
    for name, asked in _PINNED.items():
        package = _framework(stack, name)
        own = None if package is None else number(package.version)
        if own is None:
            continue
        fitting = [
            lock
            for lock in _locks(name, stack, tables)
            if lock.version.minor != own.minor and _runs(lock, name, stack, machine, tables)
        ]
        if fitting:
            lock = max(fitting, key=lambda lock: lock.version)
            text = f"take {name} {lock.version.minor}, whose lock brings CUDA {lock.cuda}"
            return (Remedy(text, f"{asked}=={lock.version.minor}.*"),)
    return ()


def cpu_remedies(stack: Stack) -> tuple[Remedy, ...]:
    """How a stack without CUDA gets one."""
    for package in stack.frameworks:
        version = number(package.version)
        if package.side == "conda" or version is None:
            continue
        if package.name == "torch":
            if stack.machine == "aarch64" and "+" not in package.version:
                return (Remedy("take torch 2.11 or later, which has CUDA for aarch64", "torch>=2.11"),)
            return (Remedy("take torch from an index of builds for CUDA", _index("cu128", None)),)
        if package.name in ("jax", "jaxlib"):
            return (Remedy("ask for JAX with CUDA", f"jax[cuda12]=={version}"),)
        if package.name == "tensorflow":
            text = "ask for TensorFlow with CUDA"
            return (Remedy(text, f"tensorflow[and-cuda]=={version}"),)
        if package.name == "onnxruntime-gpu" or package.name.startswith("cupy-cuda"):
            return (Remedy("take a base that has the CUDA libraries", '[image]\nbase = "cuda"'),)
    return ()


def _framework(stack: Stack, name: str) -> Package | None:
    return next((item for item in stack.frameworks if item.name == name and item.side == "pip"), None)


def _torch_build(torch: Package | None, stack: Stack, machine: Machine, tables: Tables) -> Iterator[Remedy]:
    version = None if torch is None else number(torch.version)
    if torch is None or version is None:
        return
    release = next((row for row in tables.torch_releases if row.torch == version.minor), None)
    found = []
    for cuda in () if release is None else release.builds:
        plain = f"torch {version}"
        row = torch_kernels(torch, cuda, stack.machine, tables)
        has = (
            Brought(cuda, what=plain)
            if row is None
            else Brought(cuda, None, cubins(row, tables), row.ptx, plain)
        )
        word = assess(has, machine, tables).word
        if word in _RANK and cuda != stack.cuda:
            found.append((_RANK.index(word), release is not None and cuda not in release.stable, cuda, word))
    if found and release is not None:
        rank = min(item[:2] for item in found)
        *_, cuda, word = max((item for item in found if item[:2] == rank), key=lambda item: item[2])
        builds = ", ".join(map(str, release.builds))
        text = f"take torch {version} built for CUDA {cuda} ({word}); it is built for {builds}"
        name = f"cu{cuda.parts[0]}{cuda.parts[1]}"
        yield Remedy(text, _index(name, torch.index))


def _index(name: str, url: str | None) -> str:
    """The table of an index of torch's builds for a CUDA, beside the one that the package comes from."""
    place = f"<the index of PyTorch's {name} builds>"
    if url is not None and "@" not in urlsplit(url).netloc:
        front, slash, last = url.rstrip("/").rpartition("/")
        if slash and last.startswith("cu") and last[2:].isdigit():
            place = f"{front}/{name}"
    return f'[[pip.index]]\nname = "{name}"\nurl = "{place}"\npackages = [{_COMPANIONS}]'


def _jax_extra(stack: Stack, machine: Machine, tables: Tables) -> Iterator[Remedy]:
    """JAX with the other extra: `jax[cuda12]` for `jax[cuda13]`."""
    jax = _framework(stack, "jax")
    if jax is None or stack.cuda is None:
        return
    newest: dict[int, Version] = {}
    for lock in _locks("jax", stack, tables):
        if lock.cuda is not None:
            newest[lock.cuda.major] = max(newest.get(lock.cuda.major, lock.cuda), lock.cuda)
    for major, cuda in sorted(newest.items(), reverse=True):
        if major == stack.cuda.major:
            continue
        word = assess(Brought(cuda, what=f"jax {jax.version}"), machine, tables).word
        if word in RUNS:
            text = f"ask for JAX with CUDA {major}, which brings CUDA {cuda} ({word})"
            yield Remedy(text, f"jax[cuda{major}]=={jax.version}")


def _locks(name: str, stack: Stack, tables: Tables) -> tuple[FrameworkLock, ...]:
    return tuple(
        lock
        for lock in tables.framework_locks
        if lock.framework == name and lock.machine == stack.machine and lock.cuda is not None
    )


def _runs(lock: FrameworkLock, name: str, stack: Stack, machine: Machine, tables: Tables) -> bool:
    if lock.cuda is None:
        return False
    has = Brought(lock.cuda, max(lock.toolkits, default=None), what=f"{name} {lock.version}")
    if name == "torch":
        row = torch_kernels(Package(name, str(lock.version)), lock.cuda, stack.machine, tables)
        if row is not None:
            has = Brought(has.cuda, has.toolkit, cubins(row, tables), row.ptx, has.what)
    return assess(has, machine, tables).word in RUNS
