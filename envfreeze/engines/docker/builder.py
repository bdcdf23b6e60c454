"""buildx's builders: which one builds, by what driver, with which BuildKit, for which platforms."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from envfreeze.engines.docker import client, daemon
from envfreeze.engines.driven import process
from envfreeze.errors import MachineError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from envfreeze.engines.docker.daemon import Daemon

BUILT_IN = "docker"
"""The driver of the BuildKit that is part of the Docker daemon."""

_UNKNOWN = "0.0.0"
"""What a BuildKit says that was compiled without being told its version, as Debian's."""


@dataclass(frozen=True, slots=True)
class Builder:
    """A builder that answers.

    Attributes:
        name: as buildx knows it.
        driver: `docker`, `docker-container`, `kubernetes`, `remote` or `cloud`.
        buildkit: version of its BuildKit, the oldest where its nodes have several; None: it does not say.
        platforms: that its nodes build for, `linux/amd64`.
        daemon: the daemon that it is part of; None for all drivers but `docker`.

    """

    name: str
    driver: str
    buildkit: str | None
    platforms: frozenset[str]
    daemon: Daemon | None = field(default=None)

    @property
    def tools(self) -> Mapping[str, str]:
        """The programs of the builder, each with its version."""
        tools = {"driver": self.driver}
        if self.daemon is not None:
            tools["docker"] = self.daemon.version
        if self.buildkit is not None:
            tools["buildkit"] = self.buildkit
        return tools


def find(name: str | None) -> Builder:
    """Find a builder, and start it where it is not running.

    Args:
        name: of the builder; None: the one that buildx would use.

    Raises:
        UsageError: there is none of this name.
        MachineError: it does not answer.

    """
    name = name or os.environ.get("BUILDX_BUILDER") or None
    environment = client.environment()
    named = [name] if name else []
    # Starts a builder that has not run yet: only then its nodes say what they are.
    started = process.ask(
        ["docker", "buildx", "inspect", "--bootstrap", *named], environment, seconds=_START_SECONDS
    )
    found = _listed(process.ask(["docker", "buildx", "ls", "--format", "json"], environment).stdout)
    chosen = [one for one in found if (one.get("Name") == name if name else one.get("Current") is True)]
    if not chosen:
        if name:
            known = ", ".join(sorted(str(one.get("Name")) for one in found))
            raise UsageError(
                f"buildx has no builder {name}; it has {known or 'none'}", hint="docker buildx ls"
            )
        raise _silent("buildx", started.stderr)
    one = chosen[0]
    nodes = [node for node in one.get("Nodes") or () if isinstance(node, dict)]
    running = [node for node in nodes if node.get("Status") == "running"]
    if started.returncode != 0 or not running:
        errors = " ".join(str(node.get("Err") or "") for node in nodes)
        raise _silent(f"the builder {one.get('Name')}", errors.strip() or started.stderr)
    driver = str(one.get("Driver", ""))
    return Builder(
        name=str(one["Name"]),
        driver=driver,
        buildkit=_oldest(running),
        platforms=frozenset(str(text) for node in running for text in node.get("Platforms") or ()),
        daemon=daemon.ask(str(running[0].get("Endpoint") or "") or None) if driver == BUILT_IN else None,
    )


_START_SECONDS = 300
"""A builder in a container or a cluster is pulled first."""


def _listed(text: str) -> list[Mapping[str, Any]]:
    return client.documents(text)


def _oldest(nodes: Sequence[Mapping[str, Any]]) -> str | None:
    found = [client.version(str(node.get("Version", ""))) for node in nodes]
    known = [one for one in found if one is not None and one != _UNKNOWN]
    return min(known, key=client.numbers) if len(known) == len(found) else None


def _silent(what: str, said: str) -> MachineError:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return MachineError(
        f"{what} does not answer" + (f": {lines[-1].removeprefix('ERROR: ')}" if lines else ""),
        hint="start Docker, name another builder with --builder, or build with --engine native",
    )
