"""What an image demands of its host: `NVIDIA_REQUIRE_*`, read and evaluated as NVIDIA's legacy runtime does.

Grammar and semantics are those of nvidia_require_semantics.json: in a variable a space is OR and a comma AND,
every variable has to hold. What a machine is not known to have makes the answer unknown: the runtime asks the
machine itself, this module is asked before there is one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from operator import eq, ge, gt, le, lt, ne
from typing import TYPE_CHECKING

from envfreeze.gpu.assessment import carries
from envfreeze.gpu.driver import FORWARD_KINDS, compat_cuda, supported, toolkit_row
from envfreeze.gpu.model import Version, shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from envfreeze.gpu.driver import Supported
    from envfreeze.gpu.model import Machine, Stack
    from envfreeze.gpu.tables import Tables

PREFIX = "NVIDIA_REQUIRE_"
DISABLE = "NVIDIA_DISABLE_REQUIRE"
VARIABLE = "NVIDIA_REQUIRE_CUDA"
PROPERTIES = ("cuda", "driver", "arch", "brand")

_JETPACK = "NVIDIA_REQUIRE_JETPACK"
_ATOM = re.compile(rf"({'|'.join(PROPERTIES)})(>=|<=|!=|=|<|>)([^\s,=<>!\x00-\x1f\x7f-\x9f]+)")
_CUDA_VERSION = re.compile(r"([0-9]+\.[0-9]+)(?:\.[0-9]+)*")
_TRUE = frozenset(("1", "t", "T", "true", "TRUE", "True"))  # what Go's strconv.ParseBool takes for true
_COMPARE: dict[str, Callable[[Version, Version], bool]] = {
    "=": eq,
    "!=": ne,
    "<": lt,
    "<=": le,
    ">": gt,
    ">=": ge,
}


@dataclass(frozen=True, slots=True)
class Atom:
    """One comparison, `driver>=535`.

    Attributes:
        name: one of PROPERTIES.
        operator: `=`, `!=`, `<`, `<=`, `>` or `>=`; of a brand one of the first two.
        value: a version, or the name of a brand.

    """

    name: str
    operator: str
    value: str

    def __str__(self) -> str:
        return f"{self.name}{self.operator}{self.value}"


Term = tuple[Atom, ...]
"""Comparisons that have to hold together."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether an image's requirements hold on a machine.

    Attributes:
        holds: None: it depends on what is not known of the machine.
        unmet: every variable that does not hold, with all its alternatives, one text each.
        open: the same of every variable of which it is not known.
        met: of every variable that holds, the alternative that does.

    """

    holds: bool | None
    unmet: tuple[str, ...] = ()
    open: tuple[str, ...] = ()
    met: tuple[str, ...] = ()


@lru_cache(maxsize=64)
def parse(text: str) -> tuple[Term, ...]:
    """The alternatives of a requirement; () of an empty one, which always holds.

    Raises:
        ValueError: it is not of the grammar.

    """
    return tuple(tuple(_atom(part) for part in term.split(",")) for term in text.split(" ") if term)


def _atom(text: str) -> Atom:
    found = _ATOM.fullmatch(text)
    if found is None:
        raise ValueError(f"{shortened(text)!r} is not a comparison of {', '.join(PROPERTIES)}")
    atom = Atom(found[1], found[2], found[3])
    if atom.name == "brand":
        if atom.operator not in ("=", "!="):
            raise ValueError(f"{shortened(text)!r}: a brand is the same or it is not")
    else:
        Version.parse(atom.value)
    return atom


def demands(env: Mapping[str, str]) -> dict[str, str]:
    """The requirements in an image's environment by variable; {} where the image switches them off.

    An image with CUDA_VERSION and no NVIDIA_REQUIRE_CUDA is of an old form and demands that CUDA.
    """
    if env.get(DISABLE) in _TRUE:
        return {}
    found = {
        name: value
        for name, value in sorted(env.items())
        if name.startswith(PREFIX) and not name.startswith(_JETPACK)
    }
    old = _CUDA_VERSION.fullmatch(env.get("CUDA_VERSION", ""))
    if old is not None and VARIABLE not in found:
        found[VARIABLE] = f"cuda>={old[1]}"
    return found


def evaluate(env: Mapping[str, str], machine: Machine, tables: Tables) -> Outcome:
    """Hold an image's requirements against a machine.

    A value that is not of the grammar does not hold: the runtime refuses to start such an image.
    """
    host = _host(machine, tables)
    said: dict[bool | None, list[str]] = {True: [], None: [], False: []}
    for variable, text in demands(env).items():
        try:
            terms = parse(text)
        except ValueError as error:
            said[False].append(f"{variable} is malformed: {error}")
            continue
        found = [_all(_compare(atom, host) for atom in term) for term in terms]
        held = _any(found) if terms else True
        if held:
            chosen = ",".join(map(str, terms[found.index(True)])) if terms else "nothing"
            said[True].append(f"{variable} demands {chosen}, and {host} has it")
        elif held is None:
            said[None].append(f"{variable}: of {host} it is not known: {listed(terms)}")
        else:
            said[False].append(f"{variable}: on {host} none holds of: {listed(terms)}")
    holds = False if said[False] else None if said[None] else True
    return Outcome(holds, tuple(said[False]), tuple(said[None]), tuple(said[True]))


def listed(terms: tuple[Term, ...]) -> str:
    """Every alternative, those that differ in the brand alone as one, then those of the same brands."""
    brands_of: dict[tuple[str, ...], list[str]] = {}
    for term in terms:
        brands = [atom.value for atom in term if atom.name == "brand" and atom.operator == "="]
        rest = tuple(str(atom) for atom in term if not (atom.name == "brand" and atom.operator == "="))
        if len(brands) > 1:  # never true of any GPU: shown as it is written
            rest, brands = tuple(map(str, term)), []
        brands_of.setdefault(rest, []).extend(brands)
    groups: dict[str, list[str]] = {}
    for rest, brands in brands_of.items():
        groups.setdefault("|".join(dict.fromkeys(brands)), []).append(",".join(rest))
    texts = []
    for brand, alternatives in groups.items():
        others = " or ".join(alternative for alternative in alternatives if alternative)
        with_brand = f"brand={brand}" + (f" with {others}" if others else "")
        texts.append(with_brand if brand else others)
    return " or ".join(texts)


def expression(stack: Stack, tables: Tables) -> str:
    """The NVIDIA_REQUIRE_CUDA that says what a stack needs: the drivers that R5 accepts; empty without CUDA.

    Branches of forward compatibility are among them where the image carries its package: without, a container
    would start on them and fail inside.

    `cuda>=X.Y` stands first, since the legacy runtime shows only the first alternative in its error, and CSV
    mode (Jetson) evaluates it alone.
    """
    if stack.cuda is None:
        return ""
    cuda = stack.cuda.minor
    floor = tables.minor_compat.get(cuda.major)
    row = toolkit_row(cuda, stack.toolkit, tables)
    first = None if row is None else tables.releases[cuda][0].driver
    if (
        row is not None
        and first is not None
        and first < row.driver
        and (floor is None or first < floor.driver)
    ):
        # 11.0: its first releases ran on drivers that neither this one nor 11.x at large takes.
        terms = [f"driver>={row.driver}"]
    else:
        terms = [f"cuda>={cuda}"]
    if floor is not None:
        terms.append(f"driver>={floor.driver}")
    if floor is not None and carries(stack, cuda):
        brands = sorted({item.brand for item in tables.products if item.kind in FORWARD_KINDS and item.brand})
        terms += [
            f"brand={brand},driver>={branch},driver<{branch + 1}"
            for branch, cell in sorted(_branches(stack, cuda, tables).items())
            if cell == "C" and branch <= floor.driver.major
            for brand in brands
        ]
    return " ".join(terms)


def _branches(stack: Stack, cuda: Version, tables: Tables) -> Mapping[int, str]:
    """The driver branches of the package that an image carries, else of that of its CUDA."""
    of_package = tables.forward_compat.get(compat_cuda(stack.compat))
    return tables.forward_compat.get(cuda, {}) if of_package is None else of_package


@dataclass(frozen=True, slots=True)
class _Host:
    """A machine as a requirement sees it; None: not known."""

    driver: Version | None
    cuda: Supported
    arch: Version | None
    brand: str | None

    def __str__(self) -> str:
        parts = (
            None if self.driver is None else f"driver {self.driver}",
            None if self.cuda.cuda is None else f"CUDA {self.cuda.cuda}",
            None if self.arch is None else f"arch {self.arch}",
            None if self.brand is None else f"brand {self.brand}",
        )
        return ", ".join(filter(None, parts)) or "a machine of which nothing is known"


def _host(machine: Machine, tables: Tables) -> _Host:
    gpu = machine.gpu
    return _Host(
        machine.driver,
        supported(machine, tables),
        None if gpu is None else gpu.capability,
        None if gpu is None else gpu.brand,
    )


def _compare(atom: Atom, host: _Host) -> bool | None:
    if atom.name == "brand":
        if host.brand is None:
            return None
        return (host.brand.lower() == atom.value.lower()) is (atom.operator == "=")
    wanted = Version.parse(atom.value)
    version = {"driver": host.driver, "cuda": host.cuda.cuda, "arch": host.arch}[atom.name]
    if atom.name == "cuda" and version is not None and host.cuda.at_least and wanted > version:
        return None
    return None if version is None else _COMPARE[atom.operator](version, wanted)


def _all(values: Iterable[bool | None]) -> bool | None:
    found = set(values)
    return False if False in found else None if None in found else True


def _any(values: Iterable[bool | None]) -> bool | None:
    found = set(values)
    return True if True in found else None if None in found else False
