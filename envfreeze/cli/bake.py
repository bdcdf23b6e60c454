"""`envfreeze bake`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from envfreeze.cli.session import Directory, Json, Offline, Quiet, begin


def bake(
    context: typer.Context,
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="The folder to write to (default: [bake] output, else bake).",
            show_default=False,
        ),
    ] = None,
    upgrade: Annotated[bool, typer.Option("--upgrade", "-U", help="Let every pin move.")] = False,
    offline: Offline = False,
    directory: Directory = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Lock a matrix of images, and write a docker-bake file for all of them.

    The Pythons, the variants of CUDA and the platforms are those of [bake].
    """
    from envfreeze.project.load import load  # noqa: PLC0415 - heavy
    from envfreeze.verbs.bake import bake as write  # noqa: PLC0415 - heavy

    session = begin(context, directory, as_json=as_json, quiet=quiet)
    outcome = write(
        load(session.root), output=output, upgrade=upgrade, offline=offline, progress=session.console
    )
    for path in outcome.left:
        session.console.warn(f"{path} is of no combination any more; remove it")
    for one in outcome.baked:
        for note in one.folder.notes:
            session.console.warn(f"{one.name}: {note}")
    session.console.note(f"written: {outcome.file}")
    session.console.result(
        [one.name for one in outcome.baked],
        {
            "file": str(outcome.file),
            "targets": [
                {
                    "name": one.name,
                    "folder": str(one.folder.path),
                    "digest": str(one.folder.digest),
                    "platforms": [str(platform) for platform in one.folder.platforms],
                    "written": [str(path) for path in one.written],
                    "notes": list(one.folder.notes),
                }
                for one in outcome.baked
            ],
            "left": [str(path) for path in outcome.left],
        },
    )
