"""The engines that build a Dockerfile, by name."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from pathlib import Path

    from envfreeze.engines.driven.model import Built, Request
    from envfreeze.progress import Progress

NAMES = ("docker", "podman", "buildah")
"""What `--engine` may say beside `native`."""

_MODULES = {
    "docker": "envfreeze.engines.docker.build",
    "podman": "envfreeze.engines.podman.podman",
    "buildah": "envfreeze.engines.podman.buildah",
}


class Engine(Protocol):
    """A module that builds."""

    def build(self, request: Request, into: Path, *, logs: Path, progress: Progress) -> Built:
        """Build an image; as `envfreeze.engines.docker.build.build`."""

    def extract(self, request: Request, into: Path, *, logs: Path, progress: Progress) -> Path:
        """Build a stage and give its files; as `envfreeze.engines.docker.build.extract`."""

    def ready(self, request: Request) -> object:
        """Fail where `build` would before it has begun."""


def engine(name: str) -> Engine:
    """The engine of a name, which is one of `NAMES`."""
    return cast("Engine", import_module(_MODULES[name]))
