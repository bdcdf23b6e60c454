"""The engines that build a Dockerfile, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from envfreeze.engines.driven.model import Built, Request
    from envfreeze.progress import Progress

NAMES = ("docker", "podman", "buildah")
"""What `--engine` may say beside `native`."""


class Engine(Protocol):
    """What builds."""

    def build(self, request: Request, into: Path, *, logs: Path, progress: Progress) -> Built:
        """Build an image; as `envfreeze.engines.docker.build.build`."""

    def extract(self, request: Request, into: Path, *, logs: Path, progress: Progress) -> Path:
        """Build a stage and give its files; as `envfreeze.engines.docker.build.extract`."""

    def ready(self, request: Request) -> object:
        """Fail where `build` would before it has begun."""


def engine(name: str) -> Engine:
    """The engine of a name, which is one of `NAMES`."""
    if name == "docker":
        from envfreeze.engines.docker.build import Buildx  # noqa: PLC0415 - only what is used

        return Buildx()
    from envfreeze.engines.podman.build import Containers  # noqa: PLC0415 - only what is used

    return Containers(name)
