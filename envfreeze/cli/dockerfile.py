"""`envfreeze dockerfile`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from envfreeze.cli.session import Directory, Json, Offline, Quiet, begin


def dockerfile(
    context: typer.Context,
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="The build folder (default: [docker] output, else .envfreeze/docker).",
            show_default=False,
        ),
    ] = None,
    offline: Offline = False,
    directory: Directory = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write a Dockerfile, and all that it needs, from the lock.

    `docker build` on that folder gives the image on a machine without envfreeze.
    """
    from envfreeze.project.load import load  # noqa: PLC0415 - heavy
    from envfreeze.verbs.dockerfile import dockerfile as write  # noqa: PLC0415 - heavy

    session = begin(context, directory, as_json=as_json, quiet=quiet)
    made = write(load(session.root), output=output, offline=offline, progress=session.console)
    for note in made.notes:
        session.console.warn(note)
    session.console.result(
        [str(made.path)],
        {
            "folder": str(made.path),
            "dockerfile": str(made.dockerfile),
            "platforms": [str(platform) for platform in made.platforms],
            "stages": list(made.stages),
            "notes": list(made.notes),
        },
    )
