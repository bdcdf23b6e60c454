"""A build of two files, which shows what a builder does rather than what its version promises.

Debian's BuildKit does not say its version, remote ones may be anything, and an exit status of 0 is no
proof. The build has a file of a later time than is asked for, and what comes out is read. It takes half a
second.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from envfreeze.engines.docker import client, command
from envfreeze.engines.driven import process
from envfreeze.engines.driven.model import EPOCH, Request
from envfreeze.engines.driven.readback import read
from envfreeze.errors import EnvfreezeError, MachineError
from envfreeze.oci import layout
from envfreeze.oci.image import ImageIndex
from envfreeze.oci.platform import Platform

if TYPE_CHECKING:
    from pathlib import Path

    from envfreeze.engines.docker.builder import Builder
    from envfreeze.progress import Progress

_DOCKERFILE = "FROM scratch\nCOPY late /late\n"
_SECONDS = 300


def check(builder: Builder, scratch: Path, progress: Progress) -> None:
    """Build two files, and see whether what was asked was done.

    Args:
        builder: the builder in question.
        scratch: a folder that is not there yet.
        progress: told what happens.

    Raises:
        MachineError: it fails, or ignores what is asked.

    """
    progress.note(f"trying the builder {builder.name} ({builder.driver})")
    context = scratch / "context"
    context.mkdir(parents=True)
    (context / "Dockerfile").write_text(_DOCKERFILE)
    # Unlike any that was built before: a cached layer would prove nothing.
    (context / "late").write_bytes(os.urandom(16))
    os.utime(context / "late", (EPOCH + 86400, EPOCH + 86400))
    platforms = sorted(platform for platform in builder.platforms if platform in Platform.SUPPORTED)
    request = Request(
        context, "Dockerfile", (Platform.parse(platforms[0]),) if platforms else (Platform.host(),)
    )
    words = command.image(request, builder, context, scratch / "image", space=None)
    ended = process.ask(words, client.environment(), seconds=_SECONDS)
    if ended.returncode != 0:
        errors = [line for line in ended.stderr.splitlines() if line.startswith("ERROR")]
        raise MachineError(
            f"the builder {builder.name} does not do what is asked of it: "
            + (errors[-1].removeprefix("ERROR: ") if errors else "it fails and does not say why"),
            hint="name another builder with --builder, or build with --engine native",
        )
    try:
        image = layout.read(scratch / "image")
    except EnvfreezeError as error:
        raise MachineError(
            f"the builder {builder.name} writes no OCI image: {error.message}",
            hint="name another builder with --builder, or build with --engine native",
        ) from error
    images = image.images if isinstance(image, ImageIndex) else (image,)
    found = [problem for one in images for problem in read(one).late]
    if found:
        raise MachineError(
            f"the builder {builder.name} takes rewrite-timestamp and ignores it: {found[0]}",
            hint="name another builder with --builder, or build with --engine native",
        )
