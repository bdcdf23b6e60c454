"""What the Docker daemon says of itself, over its API."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.engines.docker.client import version
from envfreeze.errors import MachineError

if TYPE_CHECKING:
    from docker import DockerClient

_SNAPSHOTTER = "io.containerd.snapshotter.v1"
_SECONDS = 30
_DEFAULT = "default"
"""The docker program's name for what DOCKER_HOST says, else the usual socket."""


@dataclass(frozen=True, slots=True)
class Daemon:
    """A daemon that answers.

    Attributes:
        version: of the engine, `28.5.2`.
        containerd: it keeps images in containerd's store, not in its own classic one.
        store: its name for that: `overlayfs`, `overlay2`.

    """

    version: str
    containerd: bool
    store: str


def ask(context: str | None = None) -> Daemon:
    """Ask the daemon.

    Args:
        context: of the docker program; None: the one in use, which DOCKER_HOST and DOCKER_CONTEXT may name.

    Raises:
        MachineError: it does not answer.

    """
    import docker.errors  # noqa: PLC0415 - heavy
    import requests  # noqa: PLC0415 - with it

    try:
        with closing(connect(context)) as client:
            info = client.info()
    except (docker.errors.DockerException, requests.RequestException, OSError, ValueError) as error:
        raise MachineError(
            f"the Docker daemon does not answer: {error}",
            hint="start it, or name another with DOCKER_HOST or docker context use",
        ) from error
    status = info.get("DriverStatus") or []
    return Daemon(
        version=version(str(info.get("ServerVersion", ""))) or "unknown",
        containerd=["driver-type", _SNAPSHOTTER] in [list(row) for row in status],
        store=str(info.get("Driver", "unknown")),
    )


def connect(context: str | None = None) -> DockerClient:
    """Connect to a daemon as the docker program would.

    Args:
        context: as for `ask`.

    Raises:
        docker.errors.DockerException: there is none.

    """
    from docker import DockerClient, errors, from_env  # noqa: PLC0415 - heavy
    from docker.context import ContextAPI  # noqa: PLC0415 - with it

    name = context or _chosen()
    if name == _DEFAULT:
        return from_env(timeout=_SECONDS, use_ssh_client=True)
    found = ContextAPI.get_context(name) if name else ContextAPI.get_current_context()
    if found is None:
        raise errors.ContextNotFound(name)
    if found.Name == _DEFAULT or not found.Host:
        return from_env(timeout=_SECONDS, use_ssh_client=True)
    return DockerClient(
        base_url=found.Host, tls=found.TLSConfig or False, timeout=_SECONDS, use_ssh_client=True
    )


def _chosen() -> str | None:
    """The context that the environment names; None: it names none, and the configuration does."""
    return _DEFAULT if os.environ.get("DOCKER_HOST") else os.environ.get("DOCKER_CONTEXT")
