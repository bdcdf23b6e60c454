"""`envfreeze log`, and a record as every command shows it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from envfreeze.cli.session import Directory, Json, Quiet, begin, parse_digest
from envfreeze.digest import Digest

if TYPE_CHECKING:
    from envfreeze.records.model import Record


def log(
    context: typer.Context,
    *,
    digest: Annotated[
        Digest | None,
        typer.Argument(
            metavar="DIGEST",
            parser=parse_digest,
            help="Only records of this manifest, index or config.",
            show_default=False,
        ),
    ] = None,
    commit: Annotated[
        str | None,
        typer.Option("--commit", metavar="REV", help="Only records of this commit.", show_default=False),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", "-n", min=1, metavar="N", help="At most this many.", show_default=False),
    ] = None,
    directory: Directory = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show the records: which commit made which image."""
    from envfreeze.verbs.log import log as read  # noqa: PLC0415 - heavy

    session = begin(context, directory, as_json=as_json, quiet=quiet)
    records = read(session.root, digest=digest, commit=commit, limit=limit, progress=session.console)
    if not records:
        session.console.note("no records")
    session.console.result(
        [_line(record) for record in records],
        {"records": [record_document(record) for record in records]},
    )


def record_document(record: Record) -> Mapping[str, Any]:
    """Give a record the shape that docs/formats/record-1.md describes."""
    from envfreeze.records.lines import render  # noqa: PLC0415 - heavy

    document: Mapping[str, Any] = json.loads(render(record))
    return document


def _line(record: Record) -> str:
    source = record.source
    state = "dirty" if source.dirty else "clean"
    return f"{record.digest} {record.at} {source.commit or '-'} {state}"
