"""`Origin`: what of the lock a file comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

DPKG: Final = "dpkg"
CONDA: Final = "conda"
PIP: Final = "pip"
PYTHON: Final = "python"
SYSTEM: Final = "system"
ENVIRONMENT: Final = "environment"
PROJECT: Final = "project"
BASE: Final = "base"

SHOWN: Final = {DPKG: "OS package", CONDA: "conda package", PIP: "Python package", PYTHON: "Python"}
"""What packages of a kind are called."""

PACKAGES: Final = frozenset(SHOWN)
"""The kinds whose files are a package's."""

PLACES: Final = {
    DPKG: "OS packages",
    CONDA: "conda packages",
    PIP: "Python packages",
    PYTHON: "Python",
    SYSTEM: "base system",
    ENVIRONMENT: "environment",
    PROJECT: "project files",
    BASE: "base image",
}
"""Where findings about a kind stand in a report."""


@dataclass(frozen=True, slots=True)
class Origin:
    """A part of the lock that puts files into an image.

    Attributes:
        kind: one of the kinds above.
        name: of the package; of what is none, what to call it.
        version: of the package, a conda package's with its build; else empty.
        marker: the path whose presence says that the package is installed; empty: dpkg's status says.
        conffiles: paths of configuration files, which users may change.
        sets_capabilities: whether its scripts give files capabilities.

    """

    kind: str
    name: str
    version: str = ""
    marker: str = ""
    conffiles: frozenset[str] = frozenset()
    sets_capabilities: bool = False

    @property
    def package(self) -> str | None:
        """The package that findings name; None: it is none."""
        return self.name if self.kind in PACKAGES else None

    @property
    def place(self) -> str:
        """Where findings stand in a report."""
        return PLACES[self.kind]
