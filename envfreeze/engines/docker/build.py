"""A build with BuildKit: find the builder, refuse what it would ignore, drive it, read what it made."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.engines.docker import builder as builders
from envfreeze.engines.docker import client, command, events, probe, refusals
from envfreeze.engines.driven import context, failing, process
from envfreeze.engines.driven.log import opened
from envfreeze.engines.driven.model import Built
from envfreeze.engines.driven.secrets import hidden
from envfreeze.errors import UntrustedError
from envfreeze.oci import layout
from envfreeze.oci.image import ImageIndex

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from envfreeze.engines.docker.builder import Builder
    from envfreeze.engines.docker.client import Client
    from envfreeze.engines.driven.log import Log
    from envfreeze.engines.driven.model import Request
    from envfreeze.oci.image import Image
    from envfreeze.oci.platform import Platform
    from envfreeze.progress import Progress

NAME = "docker"


@dataclass(frozen=True, slots=True)
class Buildx:
    """The engine."""

    def ready(self, request: Request) -> tuple[Client, Builder]:
        """Find what builds, and refuse it where it would not do what is asked.

        Raises:
            UsageError: there is no such builder, or it does not build for a platform.
            MachineError: docker, buildx or a daemon is missing or too old.

        """
        programs = client.find()
        builder = builders.find(request.builder)
        refusals.check(builder, request.platforms, request.cache_to)
        return programs, builder

    def build(self, request: Request, into: Path, *, logs: Path, progress: Progress) -> Built:
        """Build an image, or one for each platform.

        Args:
            request: what is built.
            into: an empty folder, where the context is staged and the images lie afterwards.
            logs: folder for the log.
            progress: told what happens.

        Raises:
            UsageError: as `ready` says.
            MachineError: as `ready` says, or a step fails.
            UntrustedError: what BuildKit wrote is no OCI layout, or not of the platforms.

        """
        programs, builder = self.ready(request)
        probe.check(builder, into / "probe", progress)
        made = into / "image"
        with self._driven(request, into, logs, progress) as (staged, log):
            space = secrets.token_hex(8) if request.fresh else None
            self._run(command.image(request, builder, staged, made, space=space), log, progress)
        return Built(
            images=_of_platforms(made, request.platforms),
            tools={"buildx": programs.buildx, **builder.tools},
            log=log.path,
        )

    def extract(self, request: Request, into: Path, *, logs: Path, progress: Progress) -> Path:
        """Build a stage, and give the folder with the files in it: a wheel that was compiled there.

        Args:
            request: what is built; its `stage` is, for its one platform.
            into: an empty folder, where the files lie afterwards in a folder of their own.
            logs: folder for the log.
            progress: told what happens.

        Raises:
            UsageError: as `ready` says.
            MachineError: as `ready` says, or a step fails.

        """
        _, builder = self.ready(request)
        made = into / "files"
        with self._driven(request, into, logs, progress) as (staged, log):
            self._run(command.files(request, builder, staged, made), log, progress)
        return made

    @contextmanager
    def _driven(
        self, request: Request, into: Path, logs: Path, progress: Progress
    ) -> Iterator[tuple[Path, Log]]:
        """A staged context, and a log that is open."""
        with (
            opened(logs, NAME, hidden(request.secrets), progress) as log,
            context.staged(request.folder, into) as staged,
        ):
            yield staged, log

    def _run(self, words: Sequence[str], log: Log, progress: Progress) -> None:
        watched = events.Build(log, progress)
        try:
            status = process.run(words, watched.line, client.environment())
        finally:
            watched.close()
        if status != 0:
            step, why, said = watched.failure
            raise failing.failure(NAME, step, why, said, log.path)


def _of_platforms(made: Path, platforms: Sequence[Platform]) -> tuple[Image, ...]:
    """The images of a layout, in the order in which their platforms were asked for."""
    found = layout.read(made)
    images = found.images if isinstance(found, ImageIndex) else (found,)
    by_platform = {image.platform: image for image in images}
    missing = [str(platform) for platform in platforms if platform not in by_platform]
    if missing or len(by_platform) != len(images):
        held = ", ".join(str(image.platform) for image in images)
        raise UntrustedError(f"BuildKit was asked for {', '.join(map(str, platforms))} and made {held}")
    return tuple(by_platform[platform] for platform in platforms)
