"""`envfreeze doctor`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from envfreeze.cli.session import Directory, Json, Quiet, begin
from envfreeze.cli.tree import OnlyPlatform
from envfreeze.errors import IncompatibleError


def doctor(
    context: typer.Context,
    *,
    driver: Annotated[
        str | None,
        typer.Option(
            "--driver",
            metavar="VERSION",
            help="Ask for a machine with this driver instead of looking at this one.",
            show_default=False,
        ),
    ] = None,
    gpu: Annotated[
        list[str] | None,
        typer.Option(
            "--gpu",
            metavar="NAME",
            help="Likewise, with this GPU: A100, or a compute capability. May be repeated.",
            show_default=False,
        ),
    ] = None,
    lock: Annotated[
        Path | None,
        typer.Option(
            "--lock",
            metavar="PATH",
            exists=True,
            help="A lock, or its folder (default: the project's).",
            show_default=False,
        ),
    ] = None,
    image: Annotated[
        str | None,
        typer.Option(
            "--image",
            metavar="IMAGE",
            help="An image instead of a lock: a layout, an archive, a reference, docker-daemon:NAME.",
            show_default=False,
        ),
    ] = None,
    platform: OnlyPlatform = None,
    directory: Directory = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Look at this machine, and say whether the lock or an image runs on it.

    Exit code 5 where it does not.
    """
    from envfreeze.cli.diagnosis import document  # noqa: PLC0415 - heavy
    from envfreeze.cli.report import report  # noqa: PLC0415 - heavy
    from envfreeze.verbs.doctor import doctor as examine  # noqa: PLC0415 - heavy

    session = begin(context, directory, as_json=as_json, quiet=quiet)
    diagnosis = examine(
        session.root,
        driver=driver,
        gpus=tuple(gpu or ()),
        lock=lock,
        image=image,
        platform=platform,
        progress=session.console,
    )
    if diagnosis.subject is None and diagnosis.host is None:
        session.console.warn(
            "there is no lock and no image here to hold against it: --lock and --image name one"
        )
    lines: list[str] = []
    if session.console.quiet:
        lines += [] if diagnosis.verdict is None else [diagnosis.verdict.word]
    elif not session.console.as_json:
        lines += report(diagnosis, drawn=session.console.draws)
    session.console.result(lines, document(diagnosis))
    if diagnosis.rejected:
        raise typer.Exit(IncompatibleError.exit_code)
