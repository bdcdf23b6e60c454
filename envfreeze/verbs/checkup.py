"""What envfreeze itself finds on this machine: the programs that it may run, room for its cache, a mirror.

Nothing of it is needed for everything: what is missing is told with what it would be for.
"""

from __future__ import annotations

import os
import platform
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from envfreeze.errors import EnvfreezeError
from envfreeze.gpu.containers import version_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from envfreeze.gpu.containers import Containers

SCANT: Final = 10_000_000_000
"""Free bytes below which a CUDA image does not fit: its wheels have 3 GB, and an image is written beside."""

_APT = Path("/etc/apt")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: `python`, `git`, `uv`, `cache`, ...
        good: False where something is missing or scarce.
        text: what was found.
        hint: what it is for, or what to do; empty where it is good.

    """

    name: str
    good: bool
    text: str
    hint: str = ""


def checks(containers: Containers, *, apt: Path = _APT) -> tuple[Check, ...]:
    """Look at everything but the driver.

    Args:
        containers: the engines that were found.
        apt: the folder of apt's configuration.

    """
    parts: tuple[Callable[[], Check], ...] = (
        _python,
        _git,
        _uv,
        partial(_engines, containers),
        partial(_buildx, containers),
        _cache,
        partial(_mirror, apt),
    )
    with ThreadPoolExecutor(len(parts)) as pool:  # most of them wait for a program
        return tuple(pool.map(lambda part: part(), parts))


def _python() -> Check:
    return Check("python", good=True, text=f"{platform.python_version()} on {_system()}")


def _system() -> str:
    try:
        name = platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except OSError:
        name = ""
    return f"{name or platform.system()}, {platform.machine()}"


def _git() -> Check:
    if not (version := version_of("git", "--version")):
        return Check("git", good=False, text="not found", hint="without it records are files beside the lock")
    return Check("git", good=True, text=version)


def _uv() -> Check:
    from envfreeze.locking.uv import binary  # noqa: PLC0415 - not needed by `--help`

    try:
        path = binary()
    except EnvfreezeError as error:
        return Check("uv", good=False, text=error.message, hint=error.hint)
    return Check("uv", good=True, text=version_of(path, "--version") or path)


def _engines(containers: Containers) -> Check:
    found = ", ".join(f"{engine.name} {engine.version}".rstrip() for engine in containers.engines)
    hint = (
        ""
        if found
        else "not needed to lock or build; `build --load` and running images take docker or podman"
    )
    return Check("engines", good=bool(found), text=found or "none found", hint=hint)


def _buildx(containers: Containers) -> Check:
    version = ""
    if any(engine.name == "docker" for engine in containers.engines):
        version = version_of("docker", "buildx", "version")
    if not version:
        return Check(
            "buildx",
            good=False,
            text="not found",
            hint="not needed by the native engine, which builds without it",
        )
    return Check("buildx", good=True, text=version)


def _cache() -> Check:
    from envfreeze.store.disk import in_bytes  # noqa: PLC0415 - not needed by `--help`
    from envfreeze.store.layout import default_root  # noqa: PLC0415 - likewise

    try:
        root = default_root()
    except EnvfreezeError as error:
        return Check("cache", good=False, text=error.message, hint=error.hint)
    place = root
    while not place.exists():
        place = place.parent
    try:
        free = shutil.disk_usage(place).free
    except OSError as error:
        return Check("cache", good=False, text=f"{root}: {error.strerror}", hint="ENVFREEZE_CACHE moves it")
    text = f"{root}, {in_bytes(free)} free"
    if not os.access(place, os.W_OK):
        return Check("cache", good=False, text=f"{root} cannot be written", hint="ENVFREEZE_CACHE moves it")
    if free < SCANT:
        hint = "a CUDA stack needs more: `envfreeze cache prune`, or ENVFREEZE_CACHE on another disk"
        return Check("cache", good=False, text=text, hint=hint)
    return Check("cache", good=True, text=text)


def _mirror(apt: Path) -> Check:
    from envfreeze.locking.apt.mirrors import host_sources  # noqa: PLC0415 - not needed by `--help`

    hosts = dict.fromkeys(urlsplit(source.uri).hostname or source.uri for source in host_sources(apt))
    if hosts:
        return Check("apt mirror", good=True, text=", ".join(hosts))
    return Check(
        "apt mirror",
        good=False,
        text="this machine names none",
        hint="OS packages come from the snapshot archive, which is slow: [image] mirror names a nearer one",
    )
