"""Which CUDA a driver runs: rule R5, in its order, with what can be said of versions newer than the tables.

What newer versions need follows from one rule: a newer CUDA never needs an older driver.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.gpu.model import Version

if TYPE_CHECKING:
    from envfreeze.gpu.cuda_rows import ToolkitDriver
    from envfreeze.gpu.model import Machine, Word
    from envfreeze.gpu.tables import Tables

FORWARD_KINDS = frozenset(("datacenter", "jetson"))
"""The kinds of GPU that forward compatibility is for (`device_rule` of forward_compat.json)."""

NO_CUDA = Version((0,))
"""What a driver supports that is older than every toolkit of the tables."""

COMPAT = "cuda-compat-"
"""What the names of NVIDIA's forward compatibility packages begin with."""

_COMPAT = re.compile(rf"{COMPAT}([0-9]{{1,3}})-([0-9]{{1,3}})")


@dataclass(frozen=True, slots=True)
class Supported:
    """The newest CUDA that a driver supports.

    Attributes:
        cuda: major and minor; None: the driver is not known.
        at_least: it may be newer: the driver is newer than the tables.

    """

    cuda: Version | None
    at_least: bool = False


@dataclass(frozen=True, slots=True)
class Reach:
    """What R5 says.

    Attributes:
        word: `native`, `minor-compat`, `forward-compat`, `reject-driver` or `unknown`.
        reasons: why, the deciding one first.

    """

    word: Word
    reasons: tuple[str, ...]


def supported(machine: Machine, tables: Tables) -> Supported:
    """The newest CUDA of a machine's driver: what it says itself, else what the tables say of its version."""
    if machine.cuda is not None:
        return Supported(machine.cuda.minor)
    if machine.driver is None:
        return Supported(None)
    rows = [row for row in tables.toolkits if row.driver <= machine.driver]
    newest = max(row.branch for row in tables.toolkits)
    return Supported(
        max((row.cuda.minor for row in rows), default=NO_CUDA), at_least=machine.driver.major > newest
    )


def compiles(cuda: Version, machine: Machine, tables: Tables) -> bool:
    """Whether a driver is known to compile the PTX of a CUDA version: it supports that minor version."""
    has = supported(machine, tables)
    return has.cuda is not None and has.cuda >= cuda.minor


def toolkit_row(cuda: Version, toolkit: Version | None, tables: Tables) -> ToolkitDriver | None:
    """The row of cuda_toolkit_driver.csv that holds for a CUDA version; None: it is not in the table.

    Without a row of its own a release takes that of the newest older release of the same minor version
    (12.3.2 that of 12.3.1). Where only the minor version is known, its newest release is taken, which asks
    for most.
    """
    rows = tables.releases.get(cuda.minor)
    if not rows:
        return None
    older = [row for row in rows if toolkit is None or row.cuda <= toolkit]
    return (older or rows)[-1]


def reach(
    cuda: Version, toolkit: Version | None, machine: Machine, tables: Tables, *, jit: bool = False
) -> Reach:
    """Whether a machine's driver runs a CUDA version, and how.

    Args:
        cuda: major and minor.
        toolkit: the release; None: not known.
        machine: its GPU's kind decides of forward compatibility.
        tables: the facts.
        jit: the GPU has no compiled kernels, the driver has to compile PTX. A driver of an older minor
            version does not do that.

    """
    if machine.driver is None:
        return _by_what_it_says(cuda, machine)
    row = toolkit_row(cuda, toolkit, tables)
    if row is not None and machine.driver >= row.driver:
        label = f"CUDA {row.label}"
        return Reach("native", (f"driver {machine.driver} >= {row.driver}, that of {label}",))
    if row is None and machine.cuda is not None and machine.cuda.minor >= cuda:
        return Reach("native", (f"driver {machine.driver} says that it supports CUDA {machine.cuda.minor}",))
    below = (
        f"CUDA {cuda} is newer than the tables: the driver that it is made for is not known"
        if row is None
        else f"driver {machine.driver} < {row.driver}, that of CUDA {row.label}"
    )
    behind = jit and not compiles(cuda, machine, tables)
    found = minor_reach(cuda, machine.driver, machine.cuda, tables, jit=behind)
    if found is not None and found.word != "reject-driver":
        return Reach(found.word, (*found.reasons, below))
    reasons = (*(() if found is None else found.reasons), below)
    forward = forward_reach(cuda, machine.driver, machine, tables)
    if found is None and forward.word == "reject-driver":
        return Reach("unknown", (*reasons, *forward.reasons))
    if forward.word == "reject-driver":
        return Reach(forward.word, (*reasons, *forward.reasons))
    return Reach(forward.word, (*forward.reasons, *reasons))


def _by_what_it_says(cuda: Version, machine: Machine) -> Reach:
    """R5 of a driver whose version is not known, from the CUDA that it says it supports, if it does."""
    said = machine.cuda
    if said is None:
        return Reach("unknown", ("the driver is not known",))
    text = f"the driver says that it supports CUDA {said.minor}, the stack has {cuda}"
    if said.minor >= cuda:
        return Reach("native", (text,))
    if said.major == cuda.major:
        return Reach("minor-compat", (text,))
    return Reach("unknown", (f"{text}, and the driver's version is not known",))


def minor_reach(
    cuda: Version, driver: Version, said: Version | None, tables: Tables, *, jit: bool = False
) -> Reach | None:
    """R5.2; None: nothing can be said, since the major version is newer than the tables.

    Args:
        cuda: major and minor.
        driver: of the machine.
        said: the CUDA that the driver says it supports.
        tables: the facts.
        jit: the driver has to compile PTX, and is of an older minor version.

    """
    floor = tables.minor_compat.get(cuda.major)
    name = f"CUDA {cuda.major}.x"
    if floor is None and cuda.major < min(tables.minor_compat):
        return Reach("reject-driver", (f"{name} has no minor version compatibility",))
    if floor is None:
        newest = tables.minor_compat[max(tables.minor_compat)]
        if driver < newest.driver:
            text = f"driver {driver} < {newest.driver}, which CUDA {newest.major}.x needs already"
            return Reach("reject-driver", (text,))
        if said is not None and said.major < cuda.major:
            return Reach("reject-driver", (f"driver {driver} supports CUDA {said.minor}, not {name}",))
        if said is None:
            return None
    if floor is not None and driver < floor.driver:
        return Reach("reject-driver", (f"driver {driver} < {floor.driver}, the oldest for {name}",))
    at = f"supports {name}" if floor is None else f">= {floor.driver}, the oldest for {name}"
    if jit:
        text = (
            f"driver {driver} {at}, but the GPU needs its kernels compiled from PTX, which a driver of an "
            f"older CUDA than {cuda} cannot"
        )
        return Reach("reject-driver", (text,))
    return Reach("minor-compat", (f"driver {driver} {at}",))


def forward_reach(cuda: Version, driver: Version, machine: Machine, tables: Tables) -> Reach:
    """R5.3 and R5.4."""
    kind = None if machine.gpu is None else machine.gpu.kind
    name = "the GPU" if machine.gpu is None else machine.gpu.name
    if kind is not None and kind not in FORWARD_KINDS:
        text = f"forward compatibility is for data-centre GPUs and Jetson, and {name} is of kind {kind}"
        return Reach("reject-driver", (text,))
    cells = tables.forward_compat.get(cuda)
    newest = max(tables.forward_compat)
    if cells is None and cuda < newest:
        return Reach("reject-driver", (f"there is no forward compatibility package for CUDA {cuda}",))
    branch = driver.major
    known = (cells or tables.forward_compat[newest]).get(branch)
    if known is None and branch <= max(tables.forward_compat[newest]):
        text = (
            f"driver branch {branch} is no target of forward compatibility: end of life, or of new features"
        )
        return Reach("reject-driver", (text,))
    if cells is None or known is None:
        text = f"forward compatibility of driver branch {branch} with CUDA {cuda} is not known to the tables"
        return Reach("unknown", (text,))
    package = compat_package(cuda)
    if known != "C":
        return Reach("reject-driver", (f"there is no {package} for driver branch {branch}",))
    if kind is None:
        text = f"driver branch {branch} runs CUDA {cuda} with {package} on a data-centre GPU, on others not"
        return Reach("unknown", (text, f"whether {name} is a data-centre GPU is not known"))
    return Reach("forward-compat", (f"driver branch {branch} runs CUDA {cuda} with {package} in the image",))


def compat_package(cuda: Version) -> str:
    """NVIDIA's package of the newer driver's user part: `cuda-compat-13-0` for CUDA 13.0."""
    return f"{COMPAT}{cuda.minor.parts[0]}-{cuda.minor.parts[1]}"


def compat_cuda(package: str) -> Version:
    """The CUDA of such a package, from its name, with or without a version behind it; NO_CUDA: it is none."""
    found = _COMPAT.fullmatch(package.partition("=")[0])
    return NO_CUDA if found is None else Version((int(found[1]), int(found[2])))
