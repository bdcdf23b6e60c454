"""`envfreeze why`."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Annotated, Any

import typer

from envfreeze.cli.session import Directory, Json, Quiet, begin
from envfreeze.cli.tree import OnlyPlatform, OnlySide, key_document, merged

if TYPE_CHECKING:
    from envfreeze.locking.graph import Key
    from envfreeze.verbs.why import Reasons


def why(
    context: typer.Context,
    *,
    package: Annotated[str, typer.Argument(metavar="PACKAGE", help="The package.", show_default=False)],
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, metavar="N", help="At most this many chains.")
    ] = 10,
    side: OnlySide = None,
    platform: OnlyPlatform = None,
    directory: Directory = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show why a package is in the lock: the shortest chains to it from what was asked for."""
    session = begin(context, directory, as_json=as_json, quiet=quiet)

    from envfreeze.verbs.why import why as ask  # noqa: PLC0415 - heavy

    reasons = ask(session.root, package, side=None if side is None else side.value, platform=platform)
    arrow = " → " if session.console.draws else " -> "
    blocks = []
    for one in reasons:
        lines = [f"  {line}" for line in _lines(one, arrow, limit)]
        title = f"{one.key.name} {one.graph.nodes[one.key].version} ({one.key.side}, {{}})"
        blocks.append((title, str(one.platform), lines))
    session.console.result(
        merged(blocks),
        {"package": package, "reasons": [_document(one, limit) for one in reasons]},
    )


def _lines(one: Reasons, arrow: str, limit: int) -> list[str]:
    if not one.chains.asked:
        return ["nothing that is asked for by name is known to need it"]
    lines = []
    for chain in itertools.islice(one.chains, limit):
        places = ", ".join(one.asked_by.get(chain[0], ("the lock",)))
        lines.append(arrow.join([places, *(_named(one, key) for key in chain)]))
    if one.chains.count > limit:
        lines.append(f"... and {one.chains.count - limit} more: --limit {one.chains.count}")
    return lines


def _named(one: Reasons, key: Key) -> str:
    text = f"{key.name} {one.graph.nodes[key].version}"
    return text if key.side == one.key.side else f"{text} [{key.side}]"


def _document(one: Reasons, limit: int) -> dict[str, Any]:
    return {
        "platform": str(one.platform),
        **key_document(one.key),
        "version": one.graph.nodes[one.key].version,
        "requested": one.graph.nodes[one.key].requested,
        "chains": [
            {
                "asked_by": list(one.asked_by.get(chain[0], ())),
                "packages": [{**key_document(key), "version": one.graph.nodes[key].version} for key in chain],
            }
            for chain in itertools.islice(one.chains, limit)
        ],
        "count": one.chains.count,
    }
