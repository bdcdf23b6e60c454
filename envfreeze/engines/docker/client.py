"""The docker program and its buildx: are they there, which versions are they, how are they called."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from envfreeze.engines.driven import process
from envfreeze.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Mapping

OLDEST_BUILDX = (0, 13)
"""The first buildx that tells of a build in JSON (`--progress=rawjson`); BuildKit 0.13, of the same days, is
the first that rewrites timestamps."""

_VERSION = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?\S*")
# What would put the day, the machine or the commit into an image, or change what is shown.
_DROPPED = (
    "BUILDX_GIT_LABELS",
    "BUILDX_METADATA_PROVENANCE",
    "BUILDX_METADATA_WARNINGS",
    "BUILDKIT_PROGRESS",
    "BUILDKIT_TTY_LOG_LINES",
    "SOURCE_DATE_EPOCH",
)


@dataclass(frozen=True, slots=True)
class Client:
    """The programs.

    Attributes:
        docker: version of the docker program, `28.5.2`.
        buildx: version of its buildx, `0.29.1`.

    """

    docker: str
    buildx: str


def environment() -> dict[str, str]:
    """The variables that the programs run with."""
    kept = {name: value for name, value in os.environ.items() if name not in _DROPPED}
    return kept | {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1", "DOCKER_CLI_HINTS": "false", "LC_ALL": "C.UTF-8"}


def find() -> Client:
    """Find docker and buildx.

    Raises:
        MachineError: one of them is missing or too old.

    """
    if not process.found("docker"):
        raise MachineError(
            "the engine docker needs the docker program, and there is none on this machine",
            hint="install Docker 26 or later with buildx, or build with --engine native",
        )
    docker = version(process.ask(["docker", "--version"], environment()).stdout) or "unknown"
    said = process.ask(["docker", "buildx", "version"], environment())
    buildx = version(said.stdout) if said.returncode == 0 else None
    if buildx is None:
        raise MachineError(
            f"docker {docker} has no buildx, through which BuildKit is driven",
            hint="install docker-buildx (Debian, Ubuntu) or docker-buildx-plugin (Docker's archive)",
        )
    if numbers(buildx) < OLDEST_BUILDX:
        raise MachineError(
            f"buildx {buildx} is too old: BuildKit's rewriting of timestamps came with 0.13",
            hint="install Docker 26 or later with its buildx",
        )
    return Client(docker, buildx)


def version(text: str) -> str | None:
    """The first version in a text, without what a distribution adds: `28.5.2` of `28.5.2+dfsg4`."""
    match = _VERSION.search(text)
    if match is None:
        return None
    return ".".join(part for part in match.groups() if part is not None)


def numbers(text: str) -> tuple[int, ...]:
    """A version as numbers; empty where it is none."""
    match = _VERSION.fullmatch(text)
    return () if match is None else tuple(int(part) for part in match.groups() if part is not None)


def documents(text: str) -> list[Mapping[str, Any]]:
    """The objects of lines of JSON; lines that are none are passed over."""
    found: list[Mapping[str, Any]] = []
    for line in text.splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            found.append(value)
    return found
