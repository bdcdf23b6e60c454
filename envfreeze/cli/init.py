"""`envfreeze init`."""

from __future__ import annotations

import typer

from envfreeze.cli.session import Directory, Json, Quiet, begin


def init(
    context: typer.Context,
    *,
    directory: Directory = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write an envfreeze.toml to start from.

    Optional: a folder with a requirements.txt or a pyproject.toml works without one.
    """
    from envfreeze.verbs.init import init as write  # noqa: PLC0415 - heavy

    session = begin(context, directory, as_json=as_json, quiet=quiet)
    written = write(session.root)
    if written is None:
        session.console.note("the project is configured already: nothing was written")
    session.console.result(
        [] if written is None else [str(written)],
        {"written": None if written is None else str(written)},
    )
