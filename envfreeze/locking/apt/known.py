"""What was chosen from the same indexes for the same wishes: the closure is a function of both.

To inflate, scan and search the indexes of a release takes a second, and nothing comes of it that did not the
last time. So the answer is kept as a fact under all that it depends on. Answers that further archives take
part in are not: there it is told which package comes from where, which the answer does not say.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from msgspec import structs

from envfreeze import __version__
from envfreeze.digest import Digest
from envfreeze.locking.model import Deb

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from envfreeze.locking.apt.indexes import SignedIndex
    from envfreeze.store.cache import Cache

_RULE = f"apt-closure-{__version__}"


def key(
    signed: Sequence[SignedIndex],
    files: Iterable[Digest],
    *,
    architecture: str,
    requested: Iterable[str],
    pins: Mapping[str, str],
) -> str | None:
    """Name everything that a closure depends on; None where it is not kept.

    Args:
        signed: the indexes, in the order of precedence.
        files: digests of their Packages files, in this order.
        architecture: Debian's name of it.
        requested: names of the packages that are asked for.
        pins: the versions that have to be taken.

    """
    if any(index.wanted.further for index in signed):
        return None
    parts = {
        "indexes": [
            [index.wanted.archive, index.wanted.suite, index.wanted.components, index.release.automatic]
            for index in signed
        ],
        "files": [str(digest) for digest in files],
        "architecture": architecture,
        "requested": sorted(requested),
        "pins": pins,
    }
    return str(Digest.of(json.dumps(parts, sort_keys=True).encode()))


def recall(cache: Cache, named: str | None) -> tuple[Deb, ...] | None:
    """Give the packages that were chosen, sorted by name; None where that is not known."""
    fact = None if named is None else cache.recall(_RULE, named)
    try:
        return None if fact is None else tuple(_deb(row) for row in fact["packages"])
    except (KeyError, TypeError, ValueError):
        return None


def remember(cache: Cache, named: str | None, packages: Iterable[Deb]) -> None:
    """Keep the packages that were chosen.

    Raises:
        MachineError: the disk is full or refuses.

    """
    if named is not None:
        rows = [structs.asdict(deb) | {"digest": str(deb.digest)} for deb in packages]
        cache.remember(_RULE, named, {"packages": rows})


def _deb(row: Mapping[str, Any]) -> Deb:
    return Deb(**{**row, "digest": Digest.parse(row["digest"]), "depends": tuple(row["depends"])})
