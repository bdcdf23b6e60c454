"""`envfreeze cache`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final

import typer

from envfreeze.cli.options import Command, Group
from envfreeze.cli.session import Directory, Json, Quiet, Session, begin

if TYPE_CHECKING:
    from envfreeze.store.cache import Cache

app = typer.Typer(cls=Group, help="Look after the cache of downloads and layers.", rich_markup_mode=None)

_SIZE: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([kmgt]?)(i?)b?", re.IGNORECASE)
_POWERS: Final = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def parse_size(text: str) -> int:
    """Read `20GB`, `1.5 GiB` or a number of bytes."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise typer.BadParameter(f"not a size: {text!r}; write it like 20GB or 500MiB")
    number, prefix, binary = match.groups()
    return int(float(number) * (1024 if binary else 1000) ** _POWERS[prefix.lower()])


@app.command("info", cls=Command)
def info(
    context: typer.Context,
    *,
    directory: Directory = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show where the cache is and how much is in it."""
    session, cache = _open(context, directory, as_json=as_json, quiet=quiet)
    with cache:
        found = cache.info()
    session.console.result(
        [
            f"{found.root}",
            f"{found.blobs} blobs, {_size(found.blob_bytes)}",
            f"{found.facts} facts, {_size(found.fact_bytes)}",
            f"{found.partial} unfinished downloads, {_size(found.partial_bytes)}",
            f"{_size(found.repodata_bytes)} of conda channels' indexes",
            f"{_size(found.temporary_bytes)} being written",
            f"{_size(found.free_bytes)} free on its disk",
        ],
        {
            "root": str(found.root),
            "blobs": found.blobs,
            "blob_bytes": found.blob_bytes,
            "facts": found.facts,
            "fact_bytes": found.fact_bytes,
            "partial": found.partial,
            "partial_bytes": found.partial_bytes,
            "repodata_bytes": found.repodata_bytes,
            "temporary_bytes": found.temporary_bytes,
            "free_bytes": found.free_bytes,
        },
    )


@app.command("prune", cls=Command)
def prune(
    context: typer.Context,
    *,
    older_than: Annotated[
        float | None,
        typer.Option(
            "--older-than",
            min=0,
            metavar="DAYS",
            help="Remove what was not used for so many days.",
            show_default=False,
        ),
    ] = None,
    max_size: Annotated[
        int | None,
        typer.Option(
            "--max-size",
            parser=parse_size,
            metavar="SIZE",
            help="Remove the least recently used until so much is left: 20GB.",
            show_default=False,
        ),
    ] = None,
    directory: Directory = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make the cache smaller.

    Without an option only leftovers go: what killed processes wrote, and unfinished downloads. Nothing
    goes while a build uses the cache.
    """
    session, cache = _open(context, directory, as_json=as_json, quiet=quiet)
    with cache:
        pruned = cache.prune(older_than_days=older_than, max_bytes=max_size)
    session.console.result(
        [f"removed {_size(pruned.removed_bytes)}, kept {_size(pruned.kept_bytes)}"],
        {
            "removed": pruned.removed,
            "removed_bytes": pruned.removed_bytes,
            "kept_bytes": pruned.kept_bytes,
        },
    )


@app.command("verify", cls=Command)
def verify(
    context: typer.Context,
    *,
    directory: Directory = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Read everything in the cache again and remove what is damaged.

    Exit code 1 where something was.
    """
    session, cache = _open(context, directory, as_json=as_json, quiet=quiet)
    with cache:
        damaged = cache.verify(session.console)
    for one in damaged:
        session.console.warn(f"removed {one.path}: {one.reason}")
    answer = "damaged" if damaged else "clean"
    session.console.result(
        [answer],
        {
            "result": answer,
            "removed": [
                {
                    "path": str(one.path),
                    "reason": one.reason,
                    "digest": None if one.digest is None else str(one.digest),
                }
                for one in damaged
            ],
        },
    )
    if damaged:
        raise typer.Exit(1)


def _open(
    context: typer.Context,
    directory: Directory,
    *,
    as_json: bool,
    quiet: bool,
) -> tuple[Session, Cache]:
    from envfreeze.store.cache import Cache  # noqa: PLC0415 - heavy

    return begin(context, directory, as_json=as_json, quiet=quiet), Cache.open()


def _size(size: int) -> str:
    from rich.filesize import decimal  # noqa: PLC0415 - heavy

    return decimal(size)
