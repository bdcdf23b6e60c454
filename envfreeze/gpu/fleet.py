"""The machines that a stack shall run on: from the words of a configuration, or of a host, to values."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING

from envfreeze.errors import UsageError
from envfreeze.gpu.model import Gpu, Machine, Version, shortened
from envfreeze.gpu.tables import load

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from envfreeze.gpu.cuda_rows import Product
    from envfreeze.gpu.tables import Tables

_DRIVER = re.compile(r"(?:>=\s*)?([0-9]+(?:\.[0-9]+)*)")
_CAPABILITY = re.compile(r"[0-9]+\.[0-9]")
_WORD = re.compile(r"[a-z0-9]+")
_PARTITION = re.compile(r"\bmig\b.*", re.IGNORECASE)
# What NVML's names have beside the product's: the maker, the form, the memory, the edition.
_BESIDE = re.compile(
    r"nvidia|tesla|geforce|quadro|gpu|laptop|max|q|edition|generation|pcie|sxm[0-9]*|nvl[0-9]*"
    r"|hbm[0-9]*e?|[0-9]+gi?b?"
)
_SERIES = ("rtx", "gtx")
_KIND_OF_BRAND = {
    "tesla": "datacenter",
    "nvidia": "datacenter",
    "nvidiartx": "workstation",
    "quadro": "workstation",
    "quadrortx": "workstation",
    "geforce": "geforce",
    "geforcertx": "geforce",
    "titan": "geforce",
    "titanrtx": "geforce",
}


def fleet(driver: str | None, gpus: Sequence[str], tables: Tables) -> tuple[Machine, ...]:
    """Every pair of the fleet: its oldest driver with each GPU model; () where neither is said.

    Args:
        driver: `>=550.54`, or the version alone.
        gpus: names of products as people or NVML write them, or compute capabilities such as `8.0`.
        tables: the facts.

    Raises:
        UsageError: the driver is not a version, or a name is not known.

    """
    oldest = None if driver is None else _driver(driver)
    models = tuple(dict.fromkeys(_asked(name, tables) for name in gpus))
    if models:
        return tuple(Machine(oldest, model) for model in models)
    return () if oldest is None else (Machine(oldest),)


def gpu_of(
    name: str, capability: Version | None = None, *, brand: str | None = None, tables: Tables | None = None
) -> Gpu:
    """The GPU that a host reports: what it says of itself before what the tables say of its name.

    A name that the tables do not know has the kind that its brand says, and no capability but the host's.

    Args:
        name: NVML's.
        capability: NVML's; None: it gives none.
        brand: NVML's in lower case without spaces, `nvidiartx`; None: it gives none.
        tables: the facts; None: those that came with envfreeze.

    """
    product = _product(name, tables or load())
    if product is None:
        return Gpu(name, capability, None if brand is None else _KIND_OF_BRAND.get(brand), brand)
    known = _gpu(product)
    return Gpu(name, capability or known.capability, known.kind, brand or known.brand)


def _driver(text: str) -> Version:
    found = _DRIVER.fullmatch(text.strip())
    try:
        return Version.parse(found[1] if found else "")
    except ValueError:
        raise UsageError(
            f"[gpu] driver: {shortened(text)!r} is not the oldest driver of a fleet",
            hint='write it as ">=550.54"',
        ) from None


def _asked(name: str, tables: Tables) -> Gpu:
    text = name.strip()
    if _CAPABILITY.fullmatch(text):
        return Gpu(f"compute capability {text}", Version.parse(text))
    product = _product(text, tables)
    if product is not None:
        return _gpu(product)
    names = {_key(alias): product.name for product in tables.products for alias in _aliases(product.name)}
    close = get_close_matches(_key(text), names, n=3, cutoff=0.5)
    nearest = f"did you mean {' or '.join(dict.fromkeys(names[key] for key in close))}? " if close else ""
    raise UsageError(
        f"[gpu] gpus: {shortened(name)!r} is not a GPU that is known",
        hint=f'{nearest}A compute capability such as "8.0" can be written instead',
    )


def _gpu(product: Product) -> Gpu:
    return Gpu(product.name, product.capability, product.kind, product.brand or None)


def _product(name: str, tables: Tables) -> Product | None:
    """The product of a name; None: not known, or several."""
    key = _key(name)
    exact = [
        product for product in tables.products if key in {_key(alias) for alias in _aliases(product.name)}
    ]
    if exact or not key:
        return exact[0] if exact else None
    short = [product for product in tables.products if key in _without_series(product.name)]
    return short[0] if len(short) == 1 else None


def _aliases(name: str) -> Iterator[str]:
    """`GB10 (DGX Spark)` is two names."""
    outer, _, inner = name.partition("(")
    yield name
    yield outer
    if inner:
        yield inner


def _without_series(name: str) -> Iterator[str]:
    """`4090` of `GeForce RTX 4090`."""
    key = _key(name)
    return (key.removeprefix(series) for series in _SERIES if key.startswith(series))


def _key(name: str) -> str:
    """What is left of a name without case, spaces and what NVML adds: `a100` of `NVIDIA A100-SXM4-80GB`."""
    words = _WORD.findall(_PARTITION.sub("", name).lower())
    return "".join(word for word in words if not _BESIDE.fullmatch(word))
