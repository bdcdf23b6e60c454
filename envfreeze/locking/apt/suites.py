"""The suites that a base can be assembled from: the entries of `suites.toml`, typed.

Knows what a distribution is made of (archives, indexes, keys, seed) and where nothing of it lies on this
machine; the hosts' own sources are read in `mirrors`.
"""

from __future__ import annotations

import difflib
import functools
from datetime import timedelta
from importlib import resources
from typing import TYPE_CHECKING, Any

import tomli
from msgspec import Struct

from envfreeze.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class SuiteArchive(Struct, frozen=True):
    """An archive of a distribution.

    Attributes:
        name: as the lock names it, `debian-security`.
        suffix: appended to `[image] mirror` to reach it.
        folder: the last part of its usual path.
        named_in: the field of its Release files that names the suite.
        rivals: that of the other archives, whose places are not this archive's.
        keyring: the beginning of the name of the keyring that the distribution's own sources name.
        snapshot: root of its snapshots, None where it has none.
        settled: how long after an index's date a snapshot surely holds what the index names.
        suites: names under which a host's apt sources may list it.

    """

    name: str
    suffix: str
    folder: str
    named_in: str
    rivals: frozenset[str]
    keyring: str
    snapshot: str | None
    settled: timedelta
    suites: frozenset[str]


class SuiteIndex(Struct, frozen=True):
    """One signed index of a suite.

    Attributes:
        archive: where it is.
        suite: the folder under `dists/`, `trixie-updates`.
        components: those that are read.
        keyring: OpenPGP certificates, one of which has to have signed it.
        architectures: those that it serves; empty: all.

    """

    archive: SuiteArchive
    suite: str
    components: tuple[str, ...]
    keyring: bytes
    architectures: frozenset[str]


class Suite(Struct, frozen=True):
    """A base that can be assembled.

    Attributes:
        reference: `apt:debian/trixie`.
        python: the minor version of its Python, `3.13`.
        python_packages: the packages of that Python.
        seed: the packages that every image holds.
        indexes: in the order of precedence.

    """

    reference: str
    python: str
    python_packages: tuple[str, ...]
    seed: tuple[str, ...]
    indexes: tuple[SuiteIndex, ...]

    def indexes_for(self, architecture: str) -> tuple[SuiteIndex, ...]:
        """Those that serve an architecture, in the order of precedence."""
        return tuple(
            index for index in self.indexes if not index.architectures or architecture in index.architectures
        )


def is_suite(base: str) -> bool:
    """Whether `[image] base` names a suite, and not an image."""
    return base.startswith("apt:")


@functools.cache
def shipped() -> Mapping[str, Suite]:
    """Return the suites that come with envfreeze, by reference."""
    package = resources.files(__package__ or "")
    table = tomli.loads((package / "suites.toml").read_text("utf-8"))
    keyrings = package / "keyrings"
    return read(table, lambda name: (keyrings / name).read_bytes())


def read(table: Mapping[str, Any], key: Callable[[str], bytes]) -> Mapping[str, Suite]:
    """Build the suites of a parsed `suites.toml`; `key` maps a keyring's file name to its bytes."""
    folders = {entry["folder"] for entry in table["archives"].values()}
    archives = {
        name: SuiteArchive(
            name=name,
            suffix=entry["suffix"],
            folder=entry["folder"],
            named_in=entry["named-in"],
            rivals=frozenset(folders - {entry["folder"]}),
            keyring=entry["keyring"],
            snapshot=entry.get("snapshot"),
            settled=timedelta(hours=entry["settled"]),
            suites=frozenset(entry["suites"]),
        )
        for name, entry in table["archives"].items()
    }
    return {
        entry["reference"]: Suite(
            reference=entry["reference"],
            python=entry["python"],
            python_packages=tuple(entry["python-packages"]),
            seed=tuple(table["seeds"][entry["seed"]]),
            indexes=tuple(
                SuiteIndex(
                    archive=archives[index["archive"]],
                    suite=index["suite"],
                    components=tuple(index["components"]),
                    keyring=b"".join(key(name) for name in index["keys"]),
                    architectures=frozenset(index.get("architectures", ())),
                )
                for index in entry["indexes"]
            ),
        )
        for entry in table["suites"]
    }


def find(reference: str, catalogue: Mapping[str, Suite]) -> Suite:
    """Return the suite that `[image] base` names.

    Raises:
        UsageError: there is no such suite; the hint names the nearest, or all.

    """
    suite = catalogue.get(reference)
    if suite is None:
        near = difflib.get_close_matches(reference, catalogue, n=1)
        raise UsageError(
            f"[image] base: no suite {reference!r}",
            hint=f"did you mean {near[0]!r}?" if near else f"one of {', '.join(sorted(catalogue))}",
        )
    return suite
