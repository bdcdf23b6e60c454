"""Where an image has its environment: where the lock puts it, else where most of the lock's packages are."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from envfreeze.compare import causes
from envfreeze.compare.entries import REBUILT
from envfreeze.compare.installed import origins
from envfreeze.compare.model import Finding, Kind, finding
from envfreeze.layers.wheel.scheme import Scheme
from envfreeze.locking.model import CONDA_PREFIX

if TYPE_CHECKING:
    from collections.abc import Collection

    from envfreeze.compare.installed.sides import Sides
    from envfreeze.locking.model import Target

_MODULES: Final = re.compile(
    r"(?P<prefix>.+)/lib/python(?P<minor>3\.[0-9]+)/(?P<modules>(?:site|dist)-packages)"
)


@dataclass(frozen=True, slots=True)
class Places:
    """Where packages are in an image.

    Attributes:
        scheme: where wheels are.
        conda: where conda packages are, without the leading slash.
        said: what is to be said of it.

    """

    scheme: Scheme
    conda: str
    said: tuple[Finding, ...] = ()

    def closed(self, target: Target) -> tuple[str, ...]:
        """What Python imports from, where only packages put files: folders, and the archive before them."""
        minor = f"lib/python{target.python_minor}"
        interpreter = target.interpreter.lstrip("/").rpartition("/bin/")[0]
        prefixes = {interpreter, *([self.conda] if target.conda else [])}
        archive = f"lib/python{target.python_minor.replace('.', '')}.zip"
        # Beside an interpreter and above it, this says where its modules are (PEP 405).
        settings = [f"{self.scheme.prefix}/bin/pyvenv.cfg"]
        settings += [f"{prefix}{place}/pyvenv.cfg" for prefix in prefixes if prefix for place in ("/bin", "")]
        # Debian's Python looks there, too.
        local = [f"usr/local/{minor}"] if interpreter == "usr" else []
        return (
            self.scheme.site_packages,
            "usr/lib/python3",
            *sorted(f"{prefix}/{part}" for prefix in prefixes if prefix for part in (minor, archive)),
            *local,
            *sorted(set(settings) - {f"{self.scheme.prefix}/pyvenv.cfg"}),
        )


def find(sides: Sides, target: Target) -> Places:
    """Find a target's packages in an image that has been read."""
    said: list[Finding] = []
    conda = _most(sides, origins.CONDA, {package.name for package in target.conda}, CONDA_PREFIX)
    if conda is None:
        conda = CONDA_PREFIX
    else:
        said.append(_place(CONDA_PREFIX, conda))
    prefix = conda if target.prefix == CONDA_PREFIX else target.prefix
    scheme = Scheme(prefix, target.python_minor)
    there = _most(sides, origins.PIP, {wheel.name for wheel in target.wheels}, scheme.site_packages)
    match = None if there is None or target.prefix == CONDA_PREFIX else _MODULES.fullmatch(there)
    if match is not None:
        said.append(_place(scheme.site_packages, match[0]))
        if match["minor"] != target.python_minor:
            what = f"Python {target.python_minor} -> {match['minor']}"
            version = finding(
                Kind.PACKAGE_VERSION, "environment", what, causes.FLOATING_PACKAGE, package="python"
            )
            said.append(version)
        scheme = Scheme(match["prefix"], match["minor"], match["modules"])
    return Places(scheme, conda, tuple(said))


def _most(sides: Sides, kind: str, names: Collection[str], locked: str) -> str | None:
    """The folder that has most of some packages; None: that of the lock has any, or there is none."""
    found = Counter(
        package.root
        for package, _, _ in sides.packages(REBUILT)
        if package.source == kind and package.name in names
    )
    if not found or found[locked]:
        return None
    return max(found.items(), key=lambda item: (item[1], item[0]))[0]


def _place(locked: str, found: str) -> Finding:
    return finding(Kind.PLACE, "environment", f"/{locked} -> /{found}", causes.OTHER_ENVIRONMENT)
