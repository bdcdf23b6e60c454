"""What to change so that a stack runs on a machine, or better: the change that touches least comes first.

The same versions built for another CUDA; a package added to the image; a newer driver; another version of the
framework; another base. A remedy is offered only where the rules say that it helps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.gpu.assessment import JIT_CAVEAT, Brought, assess, brought, carries
from envfreeze.gpu.driver import compat_package, compiles, toolkit_row
from envfreeze.gpu.framework_remedies import cpu_remedies, other_builds, other_versions
from envfreeze.gpu.model import RUNS, Remedy
from envfreeze.replacing import replace

if TYPE_CHECKING:
    from envfreeze.gpu.model import Machine, Stack, Starts, Version, Word
    from envfreeze.gpu.tables import Tables


NO_DRIVER = Remedy("say which driver the fleet has at least", '[gpu]\ndriver = ">=580.65.06"')
"""Of a lock whose project names no driver."""

NO_GPUS = Remedy("say which GPUs the fleet has, by name", '[gpu]\ngpus = ["A100", "H100"]')
"""Of a lock whose project names no GPU, or only a compute capability where its kind decides."""


def remedies(
    stack: Stack, machine: Machine, word: Word, starts: Starts, tables: Tables
) -> tuple[Remedy, ...]:
    """The remedies for a verdict, the nearest first; () where nothing needs to change."""
    start = _start(starts) if word in RUNS else ()
    if stack.cuda is None:
        return (*cpu_remedies(stack), *start)
    if word == "forward-compat" and not carries(stack, stack.cuda):
        # That it does not start is right until the package is there.
        return (_compat(stack.cuda), *_driver(stack, stack.cuda, machine, tables))
    if word == "native":
        return start
    if word == "minor-compat":
        return (*start, *_driver(stack, stack.cuda, machine, tables, better=True))
    if word == "forward-compat":
        return (*start, *_driver(stack, stack.cuda, machine, tables))
    missing = _missing(machine) if word == "unknown" else ()
    if missing:
        return missing
    if word == "reject-arch" and machine.driver is None and machine.cuda is None:
        # The GPU alone refuses: what has kernels for it helps, if the driver, whichever it is, runs that.
        newest = max(row.driver for row in tables.toolkits)
        found = _changes(stack, replace(machine, driver=newest), tables)
        return (*found, NO_DRIVER) if found else ()
    driver = () if word == "reject-arch" else _driver(stack, stack.cuda, machine, tables)
    found = _changes(stack, machine, tables, driver=driver)
    return found or _with_driver(stack, machine, tables)


def _changes(
    stack: Stack, machine: Machine, tables: Tables, *, driver: tuple[Remedy, ...] = ()
) -> tuple[Remedy, ...]:
    """The changes of the stack that help, with those of the driver in their place."""
    return (
        *other_builds(stack, machine, tables),
        *driver,
        *other_versions(stack, machine, tables),
        *_conda(stack, machine, tables),
        *_base(stack, machine, tables),
    )


def _with_driver(stack: Stack, machine: Machine, tables: Tables) -> tuple[Remedy, ...]:
    """Where no change of the stack helps alone: the same with a newer driver.

    That is the oldest of a major version that makes one help, else the newest that is known.
    """
    drivers = {row.driver for row in tables.minor_compat.values()} | {
        max(row.driver for row in tables.toolkits)
    }
    for driver in sorted(item for item in drivers if machine.driver is not None and item > machine.driver):
        found = _changes(stack, replace(machine, driver=driver, cuda=None), tables)
        if found:
            text = f"upgrade the driver to {driver} or later, for one of the following"
            return (Remedy(text, f'[gpu]\ndriver = ">={driver}"'), *found)
    return ()


def _start(starts: Starts) -> tuple[Remedy, ...]:
    """An image that would run and does not start: its own allow-list is too narrow."""
    if starts.legacy is not False:
        return ()
    return (
        Remedy(
            "start it through CDI, which does not enforce the image's requirement",
            "docker run --device nvidia.com/gpu=all",
        ),
        Remedy(
            "or switch the requirement off for the legacy runtime",
            "docker run -e NVIDIA_DISABLE_REQUIRE=true",
        ),
    )


def _missing(machine: Machine) -> tuple[Remedy, ...]:
    found = []
    if machine.driver is None:
        found.append(NO_DRIVER)
    if machine.gpu is None or machine.gpu.kind is None:
        found.append(NO_GPUS)
    return tuple(found)


def _driver(
    stack: Stack, cuda: Version, machine: Machine, tables: Tables, *, better: bool = False
) -> tuple[Remedy, ...]:
    """The oldest driver with which the machine would run the stack, and the one that it is made for."""
    row = toolkit_row(cuda, stack.toolkit, tables)
    floor = tables.minor_compat.get(cuda.major)
    wanted = []
    if not better and floor is not None:
        wanted.append(
            (floor.driver, f"all of CUDA {cuda.major}.x runs on it, by minor version compatibility")
        )
    if row is not None:
        wanted.append((row.driver, f"that of CUDA {row.label}"))
    found = []
    for driver, why in wanted:
        if machine.driver is not None and driver <= machine.driver:
            continue
        newer = replace(machine, driver=driver, cuda=None)
        if assess(brought(stack, cuda), newer, tables).word not in RUNS:
            continue
        text = f"upgrade the driver to {driver} or later: {why}"
        text += f"; until then, {JIT_CAVEAT}" if better and not compiles(cuda, machine, tables) else ""
        found.append(Remedy(text, f'[gpu]\ndriver = ">={driver}"'))
    return tuple(dict.fromkeys(found))


def _compat(cuda: Version) -> Remedy:
    package = compat_package(cuda)
    archive = '[[apt]]\nurl = "<NVIDIA\'s CUDA archive for the base>"\nsuite = "/"\nkey = "keys/nvidia.asc"'
    return Remedy(
        f"put {package} into the image, from NVIDIA's archive for the base's distribution",
        f'[image]\npackages = ["{package}"]\n\n{archive}',
    )


def _fitting(machine: Machine, tables: Tables) -> Version | None:
    """The newest CUDA that a machine runs, kernels of the toolkit alone regarded."""
    for cuda in sorted(tables.releases, reverse=True):
        if assess(Brought(cuda), machine, tables).word in ("native", "minor-compat"):
            return cuda
    return None


def _conda(stack: Stack, machine: Machine, tables: Tables) -> tuple[Remedy, ...]:
    decides = next((item for item in stack.evidence if item.decides), None)
    cuda = _fitting(machine, tables)
    if decides is None or "(conda" not in decides.source or cuda is None:
        return ()
    text = f"ask for packages of CUDA {cuda}, the newest that the machine runs, in environment.yml"
    return (Remedy(text, f"- cuda-version={cuda}"),)


def _base(stack: Stack, machine: Machine, tables: Tables) -> tuple[Remedy, ...]:
    """Another base, where the stack's CUDA is the base's."""
    decides = next((item for item in stack.evidence if item.decides), None)
    cuda = _fitting(machine, tables)
    if decides is None or stack.base is None or cuda is None:
        return ()
    if not decides.source.startswith(f"{stack.base.reference} ("):
        return ()
    flavours = [word for word in ("devel", "runtime") if f"-{word}" in stack.base.reference]
    flavour = flavours[0] if flavours else "base"
    tags = [
        row
        for row in tables.tags
        if row.cuda.minor <= cuda and row.flavour == flavour and not row.token and not row.end_of_life
    ]
    same = [row for row in tags if stack.base.reference.endswith(row.os)] or tags
    if not same:
        return ()
    row = max(same, key=lambda row: row.cuda)
    text = f"take a base of CUDA {row.cuda}, the newest that the machine runs and that the tables have"
    return (Remedy(text, f'[image]\nbase = "nvidia/cuda:{row.tag}"'),)
