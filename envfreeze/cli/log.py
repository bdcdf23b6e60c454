"""`envfreeze log`."""

from __future__ import annotations

from typing import Annotated

import typer

from envfreeze.cli.chosen import (
    Commit,
    Dirty,
    Engine,
    Limit,
    OnPlatform,
    Package,
    Since,
    Until,
    VerifiedAs,
    show,
)
from envfreeze.cli.session import Directory, Json, Quiet, begin, parse_digest
from envfreeze.digest import Digest


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
    only: Annotated[
        Digest | None,
        typer.Option(
            "--digest", metavar="DIGEST", parser=parse_digest, help="The same as DIGEST.", show_default=False
        ),
    ] = None,
    commit: Commit = None,
    package: Package = None,
    since: Since = None,
    until: Until = None,
    engine: Engine = None,
    platform: OnPlatform = None,
    dirty: Dirty = None,
    verified: VerifiedAs = None,
    limit: Limit = None,
    directory: Directory = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show the records, the newest first: which commit made which image."""
    from envfreeze.records.selection import Selection  # noqa: PLC0415 - heavy
    from envfreeze.verbs import log as verb  # noqa: PLC0415 - heavy

    session = begin(context, directory, as_json=as_json, quiet=quiet)
    if digest is not None and only is not None and digest != only:
        raise typer.BadParameter("two digests are asked for, and no build has both")
    selection = Selection(
        digest=digest or only,
        since=None if since is None else verb.since(since),
        until=None if until is None else verb.until(until),
        engine=engine,
        platform=platform,
        dirty=dirty,
        verified=frozenset(level.value for level in verified) if verified else None,
    )
    found = verb.log(
        session.root,
        selection,
        commit=commit,
        package=package,
        limit=limit,
        whole=session.console.as_json,
        progress=session.console,
    )
    show(found, session.console)
