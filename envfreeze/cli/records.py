"""`envfreeze records`: sharing records and finding them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from envfreeze.cli.chosen import Commit, Limit, Package, show
from envfreeze.cli.options import Command, Group
from envfreeze.cli.session import Directory, Json, Quiet, begin, parse_digest
from envfreeze.digest import Digest

if TYPE_CHECKING:
    from envfreeze.records.share import Shared

app = typer.Typer(cls=Group, help="Share records with a team, and find them.", rich_markup_mode=None)

Remote = Annotated[
    str | None,
    typer.Argument(
        metavar="REMOTE", help="A git remote (default: where `git push` goes).", show_default=False
    ),
]


@app.callback()
def records() -> None:
    """Share records with a team, and find them."""


@app.command("push", cls=Command)
def push(
    context: typer.Context,
    *,
    remote: Remote = None,
    patches: Annotated[
        bool, typer.Option("--patches", help="Push the patches of uncommitted work as well.")
    ] = False,
    directory: Directory = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Push records to a git remote, merged with what others have pushed."""
    from envfreeze.verbs import records as verbs  # noqa: PLC0415 - heavy

    session = begin(context, directory, as_json=as_json, quiet=quiet)
    done = verbs.push(session.root, remote, patches=patches)
    session.console.note(f"{_locks(done.kept)} pushed to {done.remotes[0]} with the records")
    session.console.result(["pushed" if done.notes or done.kept else "unchanged"], _document(done))


@app.command("fetch", cls=Command)
def fetch(
    context: typer.Context,
    *,
    remote: Remote = None,
    configure: Annotated[
        bool, typer.Option("--configure", help="Have every `git fetch` bring records along, too.")
    ] = False,
    directory: Directory = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Fetch records from a git remote and merge them with yours."""
    from envfreeze.verbs import records as verbs  # noqa: PLC0415 - heavy

    session = begin(context, directory, as_json=as_json, quiet=quiet)
    added = verbs.configure(session.root, remote) if configure else ()
    for setting in added:
        session.console.note(f"git config: {setting}")
    done = verbs.fetch(session.root, remote)
    session.console.note(f"{_locks(done.kept)} fetched from {done.remotes[0]} with the records")
    session.console.result(
        ["fetched" if done.notes or done.kept else "unchanged"],
        {**_document(done), "configured": list(added)},
    )


@app.command("merge", cls=Command)
def merge(
    context: typer.Context,
    *,
    others: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[REMOTE|REF]...",
            help="What was fetched of these remotes, or references to notes (default: of all remotes).",
            show_default=False,
        ),
    ] = None,
    directory: Directory = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Merge records that `git fetch` has brought with yours."""
    from envfreeze.verbs import records as verbs  # noqa: PLC0415 - heavy

    session = begin(context, directory, as_json=as_json, quiet=quiet)
    done = verbs.merge(session.root, tuple(others or ()))
    session.console.result(["merged" if done.notes or done.kept else "unchanged"], _document(done))


@app.command("find", cls=Command)
def find(
    context: typer.Context,
    *,
    digest: Annotated[
        Digest | None,
        typer.Option(
            "--digest",
            metavar="DIGEST",
            parser=parse_digest,
            help="Builds of this manifest, index or config.",
            show_default=False,
        ),
    ] = None,
    commit: Commit = None,
    package: Package = None,
    limit: Limit = None,
    directory: Directory = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Find the builds of a digest, of a commit, or with a package.

    Exit code 1 where there is none.
    """
    from envfreeze.records.selection import Selection  # noqa: PLC0415 - heavy
    from envfreeze.verbs.log import log  # noqa: PLC0415 - heavy

    session = begin(context, directory, as_json=as_json, quiet=quiet)
    if digest is None and commit is None and package is None:
        raise typer.BadParameter("say what to find: --digest, --commit or --package")
    found = log(
        session.root,
        Selection(digest=digest),
        commit=commit,
        package=package,
        limit=limit,
        whole=session.console.as_json,
        progress=session.console,
    )
    show(found, session.console)
    if not found.builds:
        raise typer.Exit(1)


def _locks(count: int) -> str:
    return f"{count} lock{'' if count == 1 else 's'} that no commit has"


def _document(done: Shared) -> Mapping[str, Any]:
    return {"remotes": list(done.remotes), "notes": done.notes, "kept": done.kept}
