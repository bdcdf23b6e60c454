"""`envfreeze schema`."""

from __future__ import annotations

import json

import typer

from envfreeze.cli.session import Directory, Json, Quiet, begin


def schema(
    context: typer.Context,
    *,
    directory: Directory = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Print the JSON schema of envfreeze.toml, for editors."""
    from envfreeze.project.schema import schema as of_configuration  # noqa: PLC0415 - heavy

    session = begin(context, directory, as_json=as_json, quiet=quiet)
    document = of_configuration()
    session.console.result([json.dumps(document, indent=2)], document)
