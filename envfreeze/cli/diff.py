"""`envfreeze diff`."""

from __future__ import annotations

from typing import Annotated

import typer

from envfreeze.cli.reporting import Form, Format, LevelOption, Output, Wanted, publish
from envfreeze.cli.session import Directory, Json, Quiet, begin, parse_platform
from envfreeze.oci.platform import Platform


def diff(
    context: typer.Context,
    *,
    reference: Annotated[
        str,
        typer.Argument(
            metavar="REFERENCE",
            help="An image: a layout, an archive, sha256:..., docker-daemon:NAME, or one in a registry.",
        ),
    ],
    rebuilt: Annotated[str, typer.Argument(metavar="IMAGE", help="The image to compare with it.")],
    level: LevelOption = Wanted.IDENTICAL,
    form: Format = Form.TEXT,
    output: Output = None,
    platform: Annotated[
        Platform | None,
        typer.Option(
            "--platform",
            metavar="OS/ARCH",
            parser=parse_platform,
            help="Of images for several platforms this one (default: all that both have).",
            show_default=False,
        ),
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Ask no registry.")] = False,
    directory: Directory = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compare two images, wherever they are, and explain what differs.

    Exit code 1 where they are not as alike as --level asks.
    """
    from envfreeze.compare.model import Level  # noqa: PLC0415 - heavy
    from envfreeze.verbs.diff import diff as compare  # noqa: PLC0415 - heavy

    session = begin(context, directory, as_json=as_json, quiet=quiet)
    report = compare(
        reference,
        rebuilt,
        root=session.root,
        level=Level(level.value),
        platform=platform,
        offline=offline,
        inventory=form is Form.HTML,
        progress=session.console,
    )
    publish(report, form, output, session.console)
    if not report.reached:
        raise typer.Exit(1)
