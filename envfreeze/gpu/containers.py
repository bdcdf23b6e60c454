"""How this machine gives its GPUs to containers: engines, NVIDIA's container toolkit and its mode, CDI.

Found in files and by asking programs for their version: nothing is started, and root is not needed.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any, Final

import tomli

from envfreeze.gpu.evidence import number
from envfreeze.gpu.model import Version

ENGINES: Final = ("docker", "podman", "nerdctl", "apptainer", "singularity", "enroot")
"""Programs that start containers, in the order in which they are told."""

CONFIG: Final = "etc/nvidia-container-runtime/config.toml"
"""The toolkit's configuration, below the root."""

_TOOLKIT = ("nvidia-ctk", "nvidia-container-runtime", "nvidia-container-cli")
_SPECS = ("etc/cdi", "var/run/cdi")
"""Where engines look for CDI specifications (the CDI specification, "How to configure CDI")."""

_KIND = "nvidia.com/gpu"
_JIT = Version((1, 18))
"""The toolkit's release notes of 1.18.0: "Default to jit-cdi mode in the nvidia runtime"."""

_NUMBERS = re.compile(r"[0-9]+\.[0-9]+(?:\.[0-9]+)*")
_DRIVER = re.compile(r"libcuda\.so\.([0-9]+(?:\.[0-9]+)+)")
_PATIENCE = 5.0
_LARGEST = 16 << 20


@dataclass(frozen=True, slots=True)
class Engine:
    """A program that starts containers.

    Attributes:
        name: `docker`, `podman`, ...
        version: as it says; empty where it does not.

    """

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Toolkit:
    """NVIDIA's container toolkit.

    Attributes:
        version: as it says; empty where it does not.
        configured: the mode in its configuration, `auto` where there is none.
        mode: what that comes to: `legacy`, `cdi`, `jit-cdi`, `csv`; None where it cannot be told.

    """

    version: str
    configured: str
    mode: str | None


@dataclass(frozen=True, slots=True)
class CdiSpec:
    """A CDI specification of GPUs.

    Attributes:
        path: the file.
        devices: how a container asks for them: `nvidia.com/gpu=all`.
        driver: version of the driver whose libraries it names, `550.54.15`; empty where it names none.

    """

    path: Path
    devices: tuple[str, ...]
    driver: str


@dataclass(frozen=True, slots=True)
class Containers:
    """How containers get GPUs on this machine.

    Attributes:
        engines: those that are installed.
        toolkit: None: it is not installed.
        specs: CDI specifications of NVIDIA's GPUs.
        runtime: Docker's configuration has the runtime `nvidia`.
        problems: what is wrong, one sentence each with what to do.

    """

    engines: tuple[Engine, ...] = ()
    toolkit: Toolkit | None = None
    specs: tuple[CdiSpec, ...] = ()
    runtime: bool = False
    problems: tuple[str, ...] = ()

    @property
    def way(self) -> str | None:
        """How a container starts here: `legacy`, which enforces NVIDIA_REQUIRE_*, or `cdi`; None: not at all.

        `csv`, for Jetson, is told as `legacy`: it enforces as well.
        """
        if self.toolkit is not None:
            return {"legacy": "legacy", "csv": "legacy", "cdi": "cdi", "jit-cdi": "cdi"}.get(
                self.toolkit.mode or ""
            )
        return "cdi" if self.specs else None


def find(*, root: Path = Path("/"), driver: str = "") -> Containers:
    """Look at this machine.

    Args:
        root: where `etc` and `var` are.
        driver: version of the kernel module, which CDI specifications have to be of; empty: not known.

    """
    problems: list[str] = []
    names = [name for name in ENGINES if shutil.which(name) is not None]
    with ThreadPoolExecutor(len(ENGINES)) as pool:
        engines = tuple(map(Engine, names, pool.map(version_of, names, repeat("--version"))))
    specs = tuple(_specs(root, problems))
    toolkit = _toolkit(root, problems)
    problems.extend(
        f"{spec.path} is of driver {spec.driver}, and {driver} is loaded: containers do not start with it. "
        f"`sudo nvidia-ctk cdi generate --output={spec.path}` makes it anew"
        for spec in specs
        if spec.driver and driver and spec.driver != driver
    )
    return Containers(engines, toolkit, specs, _docker_has_runtime(root, problems), tuple(problems))


def _toolkit(root: Path, problems: list[str]) -> Toolkit | None:
    program = next((name for name in _TOOLKIT if shutil.which(name) is not None), None)
    if program is None:
        return None
    version = version_of(program, "--version")
    configured = "auto"
    path = root / CONFIG
    if (text := _text(path, problems)) is not None:
        try:
            table = tomli.loads(text).get("nvidia-container-runtime", {})
        except tomli.TOMLDecodeError as error:
            problems.append(f"{path} cannot be read: {error}")
            return Toolkit(version, "", None)
        written = table.get("mode", "auto") if isinstance(table, dict) else "auto"
        configured = str(written) or "auto"
    return Toolkit(version, configured, _mode(configured, version, jetson=_is_jetson(root)))


def _mode(configured: str, version: str, *, jetson: bool) -> str | None:
    if configured != "auto":
        return configured
    if jetson:
        return "csv"
    told = number(version)
    if told is None:
        return None
    return "jit-cdi" if told >= _JIT else "legacy"


def _is_jetson(root: Path) -> bool:
    return (root / "etc/nv_tegra_release").exists()


def _specs(root: Path, problems: list[str]) -> list[CdiSpec]:
    found: list[CdiSpec] = []
    for folder in _SPECS:
        try:
            paths = sorted((root / folder).iterdir())
        except OSError:
            continue
        for path in paths:
            if path.suffix not in {".yaml", ".yml", ".json"}:
                continue
            text = _text(path, problems)
            spec = None if text is None else _spec(path, text, problems)
            if spec is not None:
                found.append(spec)
    return found


def _spec(path: Path, text: str, problems: list[str]) -> CdiSpec | None:
    import yaml  # noqa: PLC0415 - heavy

    if _KIND not in text:
        return None
    try:
        # JSON is read by the same parser: it is YAML as well. The C parser is several times faster.
        document: Any = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - safe ones
        if document["kind"] != _KIND:
            return None
        devices = tuple(f"{_KIND}={device['name']}" for device in document["devices"])
    except (yaml.YAMLError, LookupError, TypeError, RecursionError) as error:
        problems.append(f"{path} is not a CDI specification: {type(error).__name__}")
        return None
    match = _DRIVER.search(text)
    return CdiSpec(path, devices, match[1] if match else "")


def _docker_has_runtime(root: Path, problems: list[str]) -> bool:
    path = root / "etc/docker/daemon.json"
    if (text := _text(path, problems)) is None:
        return False
    try:
        runtimes = json.loads(text)["runtimes"]
    except ValueError as error:
        problems.append(f"{path} cannot be read: {error}")
        return False
    except (LookupError, TypeError):
        return False
    return isinstance(runtimes, dict) and "nvidia" in runtimes


def version_of(*command: str) -> str:
    """What a program says of its version; empty where it is not there or says nothing of use."""
    with suppress(OSError, subprocess.SubprocessError):
        said = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE,
            check=False,
        )
        if match := _NUMBERS.search(said.stdout or said.stderr):
            return match[0] if said.returncode == 0 else ""
    return ""


def _text(path: Path, problems: list[str]) -> str | None:
    """A small file's text; None where there is none. Files that only root may read are told of."""
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST).decode("utf-8", "replace")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except OSError as error:
        problems.append(f"{path} cannot be read: {error.strerror}")
        return None
