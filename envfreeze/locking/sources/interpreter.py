"""The Python that a build runs on: of the target's minor version where this machine has one, else ours.

Which one it was is locked. A wheel that another machine builds has to be the same whatever it has.
"""

from __future__ import annotations

import functools
import os
import platform as host
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from envfreeze.errors import MachineError
from envfreeze.locking import uv
from envfreeze.oci.platform import Platform

if TYPE_CHECKING:
    from collections.abc import Sequence

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True)
class Interpreter:
    """An interpreter of this machine.

    Attributes:
        path: of the program.
        version: its exact version, `3.13.5`.

    """

    path: Path
    version: str

    @property
    def minor(self) -> str:
        """`3.13` of `3.13.5`."""
        return ".".join(self.version.split(".")[:2])


@functools.cache
def find(minor: str) -> Interpreter:
    """Find an interpreter of a minor version (`3.13`), or give the one that runs envfreeze.

    Raises:
        MachineError: uv is missing.

    """
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    if minor != own:
        command = [uv.binary(), "python", "find", "--no-project", "--no-config", "--no-python-downloads"]
        found = _said([*command, "--system", f"cpython{minor}"])
        version = found and _said([found, "-I", "-c", "import platform; print(platform.python_version())"])
        if found and version and version.startswith(f"{minor}."):
            return Interpreter(Path(found), version)
    return Interpreter(Path(getattr(sys, "_base_executable", "") or sys.executable), host.python_version())


def this_platform() -> tuple[Platform, str]:
    """Give this machine's platform and its glibc (`2.41`): what wheels of build requirements have to fit.

    Raises:
        MachineError: there is nothing to build with on such a machine.

    """
    architecture = _ARCHITECTURES.get(host.machine())
    try:
        glibc = (os.confstr("CS_GNU_LIBC_VERSION") or "").removeprefix("glibc ")
    except (AttributeError, ValueError, OSError):
        glibc = ""
    if architecture is None or not glibc:
        raise MachineError(
            f"packages are built from source on Linux with glibc, on x86_64 and aarch64, not on "
            f"{sys.platform} {host.machine()}",
            hint="lock on such a machine, or take versions that have wheels",
        )
    return Platform("linux", architecture), glibc


def _said(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
