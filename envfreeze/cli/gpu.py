"""`envfreeze gpu`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from envfreeze.cli.options import Command, Group
from envfreeze.cli.session import Directory, Json, Quiet, begin

if TYPE_CHECKING:
    from envfreeze.gpu.update import Chosen

app = typer.Typer(
    cls=Group, help="Look after the tables that GPU questions are answered from.", rich_markup_mode=None
)


@app.command("show", cls=Command)
def show(
    context: typer.Context,
    *,
    directory: Directory = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show which tables are in use."""
    from envfreeze.verbs.gpu import show as chosen  # noqa: PLC0415 - heavy

    session = begin(context, directory, as_json=as_json, quiet=quiet)
    found = chosen()
    if found.passed_over:
        session.console.note(
            f"the installed tables of {found.passed_over} are older than envfreeze's own and not used"
        )
    session.console.result(
        [
            f"tables of {found.tables.version}",
            found.tables.digest,
            f"from {found.source or 'envfreeze itself'}",
            f"in {found.tables.folder}",
        ],
        _document(found),
    )


@app.command("update", cls=Command)
def update(
    context: typer.Context,
    *,
    source: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="FILE|URL",
            help="An archive or folder of tables, a single table, or a URL of one.",
            show_default=False,
        ),
    ],
    sha256: Annotated[
        str | None,
        typer.Option(
            "--sha256", metavar="HASH", help="What the file or its tables must have.", show_default=False
        ),
    ] = None,
    directory: Directory = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Use newer tables than those that came with envfreeze."""
    from envfreeze.verbs.gpu import update as install  # noqa: PLC0415 - heavy

    session = begin(context, directory, as_json=as_json, quiet=quiet)
    updated = install(source, sha256=sha256, progress=session.console)
    word = "updated" if updated.changed else "unchanged"
    if updated.file is not None:
        session.console.note(f"the file has {updated.file}")
    tables = updated.after.tables
    if updated.before is not None and updated.before.tables.version > tables.version:
        session.console.warn(
            f"these tables are of {tables.version}, those before were of {updated.before.tables.version}"
        )
    session.console.result(
        [f"{word}: tables of {tables.version}, {tables.digest}"],
        {"result": word, "file": updated.file, **_document(updated.after)},
    )


@app.command("reset", cls=Command)
def reset(
    context: typer.Context,
    *,
    directory: Directory = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Go back to the tables that came with envfreeze."""
    from envfreeze.verbs.gpu import reset as drop  # noqa: PLC0415 - heavy
    from envfreeze.verbs.gpu import show as chosen  # noqa: PLC0415 - heavy

    session = begin(context, directory, as_json=as_json, quiet=quiet)
    word = "reset" if drop() else "unchanged"
    session.console.result([word], {"result": word, **_document(chosen())})


def _document(found: Chosen) -> dict[str, Any]:
    return {
        "version": found.tables.version,
        "digest": found.tables.digest,
        "source": found.source or None,
        "folder": str(found.tables.folder),
        "passed_over": found.passed_over or None,
    }
