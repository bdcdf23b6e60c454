"""Relations between Debian packages: what `Depends`, `Conflicts`, `Breaks` and `Provides` say.

Debian Policy, chapter 7 (https://www.debian.org/doc/debian-policy/ch-relationships.html); the architecture
qualifiers are those of dpkg's multiarch specification. One architecture at a time: a relation to a package
of another architecture is satisfied by nothing here.
"""

from __future__ import annotations

import functools
import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from envfreeze.errors import UntrustedError

if TYPE_CHECKING:
    from collections.abc import Callable

_VERSION = re.compile(r"(?:[0-9]+:)?[a-zA-Z0-9][a-zA-Z0-9.+:~-]*")
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9.+-]*")

# `<` and `>` are the deprecated spellings of `<=` and `>=` (Policy 7.1).
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "<<": operator.lt,
    "<=": operator.le,
    "<": operator.le,
    "=": operator.eq,
    ">=": operator.ge,
    ">": operator.ge,
    ">>": operator.gt,
}


@dataclass(frozen=True, slots=True)
class Relation:
    """One relation; `str()` gives it back in normal form.

    Attributes:
        name: of a package, real or virtual.
        operator: one of `<<`, `<=`, `=`, `>=`, `>>`, or empty.
        version: what the operator compares with, or empty.
        qualifier: `any`, `native`, an architecture, or empty.

    """

    name: str
    operator: str = ""
    version: str = ""
    qualifier: str = ""

    def __str__(self) -> str:
        name = f"{self.name}:{self.qualifier}" if self.qualifier else self.name
        return f"{name} ({self.operator} {self.version})" if self.operator else name

    def holds_for(self, version: str) -> bool:
        """Whether a version satisfies it."""
        if not self.operator:
            return True
        return _OPERATORS[self.operator](sort_key(version), sort_key(self.version))

    def reaches(self, architecture: str) -> bool:
        """Whether it can be about packages of an architecture at all."""
        return self.qualifier in ("", "any", "native", architecture)

    def held_by_provision(self, provision: Relation) -> bool:
        """Whether a `Provides` entry of its name satisfies it: one without a version has none to compare."""
        if not self.operator:
            return True
        return bool(provision.version) and self.holds_for(provision.version)


Group = tuple[Relation, ...]
"""Alternatives, `a | b`, in the order written."""


@functools.lru_cache(maxsize=16384)
def sort_key(version: str) -> Any:  # noqa: ANN401 - python-debian has no types
    """Return what orders versions as Policy 5.6.12 does.

    Raises:
        UntrustedError: it is not a version.

    """
    from debian.debian_support import NativeVersion  # noqa: PLC0415 - heavy

    try:
        # python-debian takes more than the policy does.
        if _VERSION.fullmatch(version):
            return NativeVersion(version)
    except ValueError:
        pass
    raise UntrustedError(f"not a Debian version: {version!r}")


def parse(text: str, *, where: str) -> tuple[Group, ...]:
    """Read a relationship field; empty text gives no groups.

    Raises:
        UntrustedError: it is not one; `where` names the package and field.

    """
    from debian.deb822 import PkgRelation  # noqa: PLC0415 - heavy

    # Stray commas are legal to dpkg, but not to python-debian.
    text = ",".join(part for part in text.split(",") if part.strip())
    if not text:
        return ()
    groups = []
    for alternatives in PkgRelation.parse_relations(text):
        group = []
        for found in alternatives:
            relop, version = found["version"] or ("", "")
            if not _NAME.fullmatch(found["name"]) or (relop and relop not in _OPERATORS):
                raise UntrustedError(f"{where}: cannot read {text!r}")
            if version:
                sort_key(version)
            group.append(Relation(found["name"], relop, version, found["archqual"] or ""))
        groups.append(tuple(group))
    return tuple(groups)
