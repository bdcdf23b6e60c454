"""`envfreeze base`."""

from __future__ import annotations

from typing import Annotated

import typer

from envfreeze.cli.build import pushed_document, pushed_note
from envfreeze.cli.options import Command, Group
from envfreeze.cli.session import Directory, Json, Quiet, begin

app = typer.Typer(cls=Group, help="Look after the image that a project is built on.", rich_markup_mode=None)


@app.callback()
def base() -> None:
    """Look after the image that a project is built on."""


@app.command("mirror", cls=Command)
def mirror(
    context: typer.Context,
    reference: Annotated[
        str,
        typer.Argument(
            metavar="REF", help="Where to copy it: registry.example.org/mirrors/cuda.", show_default=False
        ),
    ],
    *,
    directory: Directory = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Copy the locked base into your own registry, and lock both places."""
    from envfreeze.verbs.mirror import mirror as copy  # noqa: PLC0415 - heavy

    session = begin(context, directory, as_json=as_json, quiet=quiet)
    outcome = copy(session.root, reference, progress=session.console)
    session.console.note(pushed_note(outcome.pushed))
    for path in outcome.written:
        session.console.note(f"written: {path}")
    session.console.result(
        [str(outcome.pushed.reference.at(outcome.pushed.digest))],
        {
            "base": outcome.base,
            "places": list(outcome.places),
            "pushed": pushed_document(outcome.pushed),
            "written": [str(path) for path in outcome.written],
        },
    )
