"""pip-tools as a child process: versions for the Python and the platform that it runs on, and no others.

`pip-compile --generate-hashes` downloads every file of every package. So it is asked for versions only, and
uv, with those versions and without their dependencies, for what the index says of their files.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import Version

from envfreeze.errors import MachineError, NetworkError, ResolutionError, UsageError
from envfreeze.locking import indexes, requirements, unparsed, via
from envfreeze.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from envfreeze.locking.model import Wheel
    from envfreeze.oci.platform import Platform
    from envfreeze.project.model import Project

_ABOUT = """
import json, platform, sys
from importlib import metadata
def version(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
print(json.dumps({
    "implementation": sys.implementation.name, "python": platform.python_version(), "os": sys.platform,
    "machine": platform.machine(), "glibc": platform.libc_ver()[1],
    "pip": version("pip"), "tools": version("pip-tools")}))
"""
COMPLETING = ("--no-deps", "--index-strategy=unsafe-best-match")
"""uv's arguments for looking up files: of these packages alone, and on any index, which is how pip looks."""

_WITH_CUTOFF = Version("26")
_NETWORK = re.compile(r"ConnectionError|Max retries exceeded|Name or service not known|Connection refused")
_CLASS = re.compile(r"^[\w.]+: ")
_TOLD = 12


class Target(Protocol):
    """What has to agree with the host."""

    @property
    def platform(self) -> Platform:
        """Of the image."""

    @property
    def python(self) -> str:
        """The exact version."""

    @property
    def glibc(self) -> str:
        """Its version."""


@dataclass(frozen=True, slots=True)
class _Interpreter:
    """A Python of this machine."""

    path: str
    implementation: str
    python: str
    os: str
    machine: str
    glibc: str
    pip: str
    tools: str


@dataclass(frozen=True, slots=True)
class Found:
    """What pip-tools found.

    Attributes:
        pinned: one requirement for each package, pinned to a version or a URL.
        needs: normalised name to the normalised names of what it needs, sorted.

    """

    pinned: tuple[str, ...]
    needs: Mapping[str, tuple[str, ...]]


class GaveUpError(ResolutionError):
    """pip went round in circles until it gave up, and does not say through which packages."""


def resolve(
    project: Project,
    target: Target,
    pins: Sequence[Wheel],
    scratch: Path,
    *,
    offline: bool,
    newest: str | None,
) -> Found:
    """Resolve with pip-tools.

    Args:
        project: its `pip` settings and requirements.
        target: what the packages are for.
        pins: versions to keep where the requirements allow it.
        scratch: a temporary folder.
        offline: refused: pip-tools asks the index every time.
        newest: no file uploaded after this moment.

    Raises:
        UsageError: host and target differ, or the project asks for what pip-tools cannot do.
        ResolutionError: pip-tools found no answer.
        GaveUpError: it did not come to an end.
        NetworkError: an index could not be reached, or it is not to be asked.
        MachineError: pip-tools is not installed.

    """
    where = indexes.of_project(project)
    _check_project(project, offline=offline)
    python = _interpreter(target)
    if newest is not None and Version(python.pip) < _WITH_CUTOFF:
        raise UsageError(
            f"pip {python.pip} cannot hold exclude-newer, which pip-tools hands on to it",
            hint=f"{python.path} -m pip install 'pip>=26', or resolver = \"uv\"",
        )
    output = scratch / "pip-tools.txt"
    lines = [
        f"{pin.name} @ {pin.url}\n" if pin.direct else f"{pin.name}=={pin.version}\n"
        for pin in pins
        if pin.source is None
    ]
    output.write_text("".join(lines), encoding="utf-8")
    command = [python.path, "-m", "piptools", "compile", f"--output-file={output}", "--no-config", "--quiet"]
    command += [
        "--no-header",
        "--annotation-style=split",
        "--strip-extras",
        "--allow-unsafe",
        "--no-emit-options",
    ]
    command += ["--resolver=backtracking", f"--cache-dir={scratch / 'pip-tools-cache'}"]
    command += [f"--constraint={path}" for path in project.pip.constraints]
    if limits := project.pip.adjustments.constraints:
        limiting = scratch / "constraints.txt"
        limiting.write_text("".join(f"{line}\n" for line in limits), encoding="utf-8")
        command.append(f"--constraint={limiting}")
    if newest is not None:
        command.append(f"--uploaded-prior-to={newest}")
    sources = list(project.pip.requirements)
    if project.pip.dependencies:
        listed = scratch / "dependencies.in"
        listed.write_text("".join(f"{line}\n" for line in project.pip.dependencies), encoding="utf-8")
        sources.append(str(listed))
    done = _run([*command, "--", *sources], project.root, _environment(where))
    if done.returncode != 0:
        raise _error(done.stderr)
    written = output.read_text(encoding="utf-8")
    return Found(tuple(_pinned(written)), via.dependencies(written))


def pinned_to(project: Project, pinned: Sequence[str]) -> Project:
    """Give the project that asks for exactly these packages, so that their files can be looked up."""
    pip = project.pip
    pip = replace(
        pip,
        requirements=(),
        constraints=(),
        dependencies=tuple(pinned),
        index_url=pip.index_url or requirements.index(project),
        extra_index_urls=(*pip.extra_index_urls, *requirements.further_indexes(project)),
    )
    return replace(project, pip=pip)


def _check_project(project: Project, *, offline: bool) -> None:
    if offline:
        raise NetworkError("pip-tools asks the index every time", hint="run it without --offline")
    said = project.pip.adjustments
    for is_so, what in (
        (project.pip.indexes, "indexes with names, or packages that come from one of them"),
        (project.pip.index_name, "indexes with names, or packages that come from one of them"),
        (said.overrides or said.excludes, "override-dependencies or exclude-dependencies of [tool.uv]"),
        (said.package_cutoffs, "exclude-newer-package of [tool.uv]"),
        (said.resolution or said.prerelease or said.index_strategy, "how [tool.uv] chooses versions"),
        (project.pip.allow_sdist, "sdists that are built (allow-sdist)"),
    ):
        if is_so:
            raise UsageError(f"pip-tools does not know {what}", hint='set [pip] resolver = "uv"')


def _interpreter(target: Target) -> _Interpreter:
    """Find a Python of this machine that is the target's."""
    minor = ".".join(target.python.split(".")[:2])
    candidates = [sys.executable, shutil.which(f"python{minor}")]
    differences: list[str] = []
    for path in dict.fromkeys(filter(None, candidates)):
        found = _about(path)
        if found is None:
            continue
        reasons = list(_differences(found, target, minor))
        if not reasons and found.tools and found.pip:
            return found
        if not reasons:
            raise MachineError(
                f"pip-tools is not installed for {path}", hint=f"{path} -m pip install pip-tools"
            )
        differences += [f"{path}: {reason}" for reason in reasons]
    raise UsageError(
        f"pip-tools resolves only for the machine that it runs on, which is not {target.platform}, "
        f"Python {target.python}, glibc {target.glibc}",
        details=tuple(differences),
        hint='set [pip] resolver = "uv", which resolves for any platform and Python',
    )


def _differences(found: _Interpreter, target: Target, minor: str) -> list[str]:
    reasons = []
    if found.implementation != "cpython":
        reasons.append(f"it is {found.implementation}, the image has CPython")
    if (found.os, found.machine) != ("linux", target.platform.machine):
        reasons.append(
            f"its platform is {found.os} {found.machine}, the image's linux {target.platform.machine}"
        )
    if ".".join(found.python.split(".")[:2]) != minor:
        reasons.append(f"it is Python {found.python}, the image has {target.python}")
    if not found.glibc:
        reasons.append(f"it has no glibc, the image has {target.glibc}")
    elif Version(found.glibc) < Version(target.glibc):
        reasons.append(f"its glibc is {found.glibc}, the image's {target.glibc}")
    return reasons


def _about(path: str) -> _Interpreter | None:
    try:
        done = subprocess.run(
            [path, "-c", _ABOUT], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True
        )
        return _Interpreter(path, **json.loads(done.stdout))
    except (OSError, subprocess.CalledProcessError, ValueError, TypeError):
        return None


def _environment(where: indexes.Indexes) -> dict[str, str]:
    """Give the child's environment; URLs travel in it because others can read a command line."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PIP_", "PIP_TOOLS_")) or name in {"PIP_CERT", "PIP_CACHE_DIR"}
    }
    kept |= {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    kept["PYTHONWARNINGS"] = "ignore"
    if where.keyring:
        kept["PIP_KEYRING_PROVIDER"] = "subprocess"
    if where.default is not None:
        kept["PIP_INDEX_URL"] = re.sub(r"^[\w.-]+=(?=\w+://)", "", where.default)
    if where.extra:
        kept["PIP_EXTRA_INDEX_URL"] = " ".join(where.extra)
    if where.find_links:
        kept["PIP_FIND_LINKS"] = " ".join(where.find_links)
    if where.no_index:
        kept["PIP_NO_INDEX"] = "1"
    return kept


def _run(
    command: Sequence[str], folder: Path, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="replace", check=False,
        )  # fmt: skip
    except OSError as error:
        raise MachineError(f"{command[0]} cannot be run: {error.strerror}") from error


def _error(said: str) -> ResolutionError | NetworkError | UsageError:
    """Tell what pip says; pip-tools shows it below a traceback of its own."""
    if wrong := unparsed.of_pip(indexes.redact(said)):
        return wrong
    before, _, traceback = indexes.redact(said).partition("Traceback (most recent call last):")
    thrown = [line for line in traceback.splitlines() if line and not line.startswith(" ")]
    lines = [line.strip() for line in before.splitlines() if line.strip()]
    last = _CLASS.sub("", thrown[-1]) if thrown else lines.pop() if lines else "it said nothing"
    if _NETWORK.search(said):
        return NetworkError(
            f"the package index did not answer pip-tools: {last}",
            hint="check the network, the index's address and its credentials, then try again",
            details=tuple(lines[-_TOLD:]),
        )
    if "resolution-too-deep" in last:
        return GaveUpError(
            "pip-tools went round in circles until it gave up, though there is an answer",
            hint='set [pip] resolver = "uv", which finds it, or pin what you ask for more closely',
        )
    return ResolutionError(
        f"the Python packages cannot be resolved by pip-tools: {last}",
        hint="change the requirements or constraints that it names",
        details=tuple(lines[-_TOLD:]),
    )


def _pinned(text: str) -> list[str]:
    found = []
    for line in text.splitlines():
        bare = line.partition(" #")[0].strip()
        if not bare or bare.startswith(("#", "-")):
            continue
        try:
            Requirement(bare)
        except InvalidRequirement as error:
            raise ResolutionError(
                f"pip-tools answers with {indexes.redact(bare)}, which cannot be locked",
                hint='set [pip] resolver = "uv"',
            ) from error
        found.append(bare)
    return found
