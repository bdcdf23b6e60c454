"""A build with BuildKit: find the builder, refuse what it would ignore, drive it, read what it made."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING

from envfreeze.engines.docker import builder as builders
from envfreeze.engines.docker import client, command, events, probe, refusals
from envfreeze.engines.driven import context, process
from envfreeze.engines.driven.log import opened
from envfreeze.engines.driven.model import Built
from envfreeze.engines.driven.secrets import hidden
from envfreeze.errors import MachineError
from envfreeze.oci import layout

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from envfreeze.engines.docker.builder import Builder
    from envfreeze.engines.docker.client import Client
    from envfreeze.engines.driven.log import Log
    from envfreeze.engines.driven.model import Request
    from envfreeze.progress import Progress

NAME = "docker"


def build(request: Request, into: Path, *, logs: Path, progress: Progress) -> Built:
    """Build an image.

    Args:
        request: what is built.
        into: an empty folder, where the context is staged and the image's OCI layout lies afterwards.
        logs: folder for the log.
        progress: told what happens.

    Raises:
        UsageError: there is no such builder, or it does not build for a platform.
        MachineError: docker, buildx or a daemon is missing or too old, or a step fails.
        UntrustedError: what it wrote is no OCI layout.

    """
    programs, builder = ready(request)
    probe.check(builder, into / "probe", progress)
    made = into / "image"
    with _driven(request, into, logs, progress) as (staged, log):
        space = secrets.token_hex(8) if request.fresh else None
        run(command.image(request, builder, staged, made, space=space), log, progress)
    return Built(
        image=layout.read(made),
        tools={"buildx": programs.buildx, **builder.tools},
        log=log.path,
    )


def extract(request: Request, into: Path, *, logs: Path, progress: Progress) -> Path:
    """Build a stage, and give the folder with the files in it: a wheel that was compiled there.

    Args:
        request: what is built; its `stage` is.
        into: an empty folder, where the files lie afterwards in a folder of their own.
        logs: folder for the log.
        progress: told what happens.

    Raises:
        UsageError: as for `build`.
        MachineError: as for `build`.

    """
    _, builder = ready(request)
    made = into / "files"
    with _driven(request, into, logs, progress) as (staged, log):
        run(command.files(request, builder, staged, made), log, progress)
    return made


def ready(request: Request) -> tuple[Client, Builder]:
    """Find what builds, and refuse it where it would not do what is asked.

    Raises:
        UsageError: as for `build`.
        MachineError: as for `build`.

    """
    programs = client.find()
    builder = builders.find(request.builder)
    refusals.check(builder, request.platforms, request.cache_to)
    return programs, builder


@contextmanager
def _driven(request: Request, into: Path, logs: Path, progress: Progress) -> Iterator[tuple[Path, Log]]:
    """A staged context, and a log that is open."""
    with (
        opened(logs, NAME, hidden(request.secrets), progress) as log,
        context.staged(request.folder, into) as staged,
    ):
        yield staged, log


def run(words: Sequence[str], log: Log, progress: Progress) -> None:
    """Run buildx to its end.

    Raises:
        MachineError: the build fails; the last lines of the step that failed are with it.

    """
    watched = events.Build(log, progress)
    try:
        status = process.run(words, watched.line, client.environment())
    finally:
        watched.close()
    if status == 0:
        return
    raise _failure(watched, log)


def _failure(watched: events.Build, log: Log) -> MachineError:
    step = watched.failed
    if step is not None:
        return MachineError(
            f"the step {step.name} failed: {step.error}",
            details=tuple(step.said),
            hint=f"the whole log is in {log.path}",
        )
    reasons = [line.removeprefix("ERROR: ") for line in watched.ending]
    return MachineError(
        f"buildx failed: {reasons[-1]}" if reasons else "buildx failed and said nothing",
        details=tuple(reasons[-4:-1]),
        hint=f"the whole log is in {log.path}",
    )
