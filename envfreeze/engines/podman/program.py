"""Podman and Buildah: is the program there, which version is it, what can it do."""

from __future__ import annotations

import json
import os
import re
import resource
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envfreeze.engines.driven import process
from envfreeze.errors import MachineError, UsageError
from envfreeze.oci.platform import Platform

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OLDEST = (1, 30)
"""The first Buildah that knows `RUN --network`, which the generated Dockerfile uses; Podman 4.5 has it."""

_VERSION = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")
# What would put the day into an image, or change how it is built.
_DROPPED = ("SOURCE_DATE_EPOCH", "BUILDAH_LAYERS", "BUILDAH_FORMAT", "BUILDAH_QUIET", "STORAGE_OPTS")
_BINFMT = Path("/proc/sys/fs/binfmt_misc")
_NATIVE = "build with --engine native, or with --engine docker"


@dataclass(frozen=True, slots=True)
class Program:
    """A program that answers.

    Attributes:
        name: `podman` or `buildah`.
        version: its own.
        buildah: the version of Buildah in it.
        rewrites: it has `--rewrite-timestamp`, which clamps times; else `--timestamp`, which sets them all.
        images: the storage that the user's own images are in, where this program can read it; None: not.

    """

    name: str
    version: str
    buildah: str
    rewrites: bool
    images: Path | None

    @property
    def tools(self) -> Mapping[str, str]:
        """The programs, each with its version."""
        return {self.name: self.version, "buildah": self.buildah}


def environment() -> dict[str, str]:
    """The variables that the programs run with."""
    kept = {name: value for name, value in os.environ.items() if name not in _DROPPED}
    return kept | {"PODMAN_IGNORE_CGROUPSV1_WARNING": "1", "LC_ALL": "C.UTF-8"}


def find(name: str) -> Program:
    """Find a program and ask it what it is.

    Args:
        name: `podman` or `buildah`.

    Raises:
        MachineError: it is missing, too old, does not work here, or is a client of another machine's.

    """
    if not process.found(name):
        raise MachineError(
            f"the engine {name} needs the program {name}, and there is none on this machine",
            hint=f"install it, or {_NATIVE}",
        )
    version = _first(process.ask([name, "--version"], environment()).stdout)
    said = process.ask([name, "info", *(("--format", "json") if name == "podman" else ())], environment())
    info = _object(said.stdout)
    if said.returncode != 0 or not info:
        lines = [line for line in said.stderr.splitlines() if line.strip()]
        raise MachineError(
            f"{name} does not work on this machine" + (f": {lines[-1]}" if lines else ""),
            hint=f"`{name} info` says more; or {_NATIVE}",
        )
    host, store = _object(info.get("host")), _object(info.get("store"))
    if host.get("serviceIsRemote") is True:
        raise MachineError(
            f"{name} is a client of another machine here, and a build needs a storage on this one",
            hint=f"run envfreeze on that machine, or {_NATIVE}",
        )
    buildah = version if name == "buildah" else str(host.get("buildahVersion", ""))
    if _numbers(buildah) < OLDEST:
        raise MachineError(
            f"{name} {version} builds with Buildah {buildah or 'of no known version'}, which does not know "
            "RUN --network",
            hint=f"install Podman 4.5 or Buildah 1.30 or later, or {_NATIVE}",
        )
    offered = process.ask([name, "build", "--help"], environment()).stdout
    return Program(
        name=name,
        version=version,
        buildah=_first(buildah),
        rewrites="--rewrite-timestamp" in offered,
        images=_images(store),
    )


def check_platforms(platforms: Sequence[Platform]) -> None:
    """Refuse a platform whose programs do not run here.

    Raises:
        UsageError: one does not.

    """
    here = Platform.host()
    for platform in platforms:
        emulated = any(_BINFMT.glob(f"*{platform.machine}*")) if platform != here else True
        if not emulated:
            raise UsageError(
                f"this machine runs {here} and has no emulation of {platform}",
                hint="install qemu-user-static and binfmt-support; --engine native assembles for every "
                "platform anywhere",
            )


def apart() -> bool:
    """Whether a program's processes and mounts can be made to end with it, which needs root.

    A killed build would otherwise leave what its steps started, and overlays that are mounted. Without root
    the programs make such a name space of their own.
    """
    return sys.platform == "linux" and os.geteuid() == 0


def limits() -> list[str]:
    """This process's own limits as options: by default more is asked for than a container may give."""
    found = []
    for name, number in (("nofile", resource.RLIMIT_NOFILE), ("nproc", resource.RLIMIT_NPROC)):
        soft, hard = (-1 if one == resource.RLIM_INFINITY else one for one in resource.getrlimit(number))
        found += ["--ulimit", f"{name}={soft}:{hard}"]
    return found


def _images(store: Mapping[str, Any]) -> Path | None:
    """The user's own images, where they are in the one driver whose stores can be read by others."""
    folder = store.get("graphRoot") or store.get("GraphRoot")
    driver = store.get("graphDriverName") or store.get("GraphDriverName")
    if driver != "overlay" or not isinstance(folder, str) or not Path(folder).is_dir():
        return None
    return Path(folder)


def _object(value: object) -> Mapping[str, Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return value if isinstance(value, dict) else {}


def _first(text: str) -> str:
    match = _VERSION.search(text)
    return "unknown" if match is None else match[0]


def _numbers(text: str) -> tuple[int, ...]:
    match = _VERSION.search(text)
    return () if match is None else tuple(int(part) for part in match.groups() if part is not None)
