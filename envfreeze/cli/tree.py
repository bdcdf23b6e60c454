"""`envfreeze tree`, and how a package and its side are shown."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from envfreeze.cli.session import Directory, Json, Quiet, begin, parse_platform
from envfreeze.errors import UsageError
from envfreeze.oci.platform import Platform

if TYPE_CHECKING:
    from envfreeze.locking.graph import Branch, Key
    from envfreeze.verbs.tree import Tree


class Side(StrEnum):
    """The sides of a lock."""

    BASE = "base"
    PYTHON = "python"
    CONDA = "conda"
    PIP = "pip"
    OS = "os"


OnlySide = Annotated[
    Side | None, typer.Option("--side", help="Only this side of the lock.", show_default=False)
]
OnlyPlatform = Annotated[
    Platform | None,
    typer.Option(
        "--platform",
        metavar="OS/ARCH",
        parser=parse_platform,
        help="Only this platform of the lock.",
        show_default=False,
    ),
]

_DRAWN = {(True, False): "│  ", (True, True): "   ", (False, False): "├─ ", (False, True): "└─ "}
_PLAIN = {(True, False): "|   ", (True, True): "    ", (False, False): "|-- ", (False, True): "`-- "}


def tree(
    context: typer.Context,
    *,
    package: Annotated[
        str | None,
        typer.Argument(metavar="PACKAGE", help="Begin at this package.", show_default=False),
    ] = None,
    invert: Annotated[
        bool, typer.Option("--invert", help="Show what needs the package, instead of what it needs.")
    ] = False,
    depth: Annotated[
        int | None,
        typer.Option("--depth", min=0, metavar="N", help="At most so many levels.", show_default=False),
    ] = None,
    side: OnlySide = None,
    platform: OnlyPlatform = None,
    directory: Directory = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show what of the lock needs what: conda, pip and OS packages alike."""
    session = begin(context, directory, as_json=as_json, quiet=quiet)
    if invert and package is None:
        raise UsageError("--invert needs a package", hint="envfreeze tree --invert PACKAGE")

    from envfreeze.locking.graph import walk  # noqa: PLC0415 - heavy
    from envfreeze.verbs.tree import tree as read  # noqa: PLC0415 - heavy

    trees = read(session.root, package, side=None if side is None else side.value, platform=platform)
    blocks: list[tuple[str, Tree, list[Branch]]] = []
    for one in trees:
        for each in dict.fromkeys(key.side for key in one.roots):
            roots = [key for key in one.roots if key.side == each]
            blocks.append((each, one, list(walk(one.graph, roots, depth=depth, inverted=invert))))
    if not session.console.as_json:
        if any(branch.repeated for _, _, branches in blocks for branch in branches):
            session.console.note("(*) its own branches are shown further up")
        for text in {
            f"the lock does not say which {dark} packages need which: it was written without, or imported; "
            "`envfreeze lock --upgrade` finds out"
            for one in trees
            for dark in one.graph.dark_sides
            if side in (None, dark)
        }:
            session.console.warn(text)
    drawn = session.console.draws
    shown = [
        (f"{each} ({{}})", str(one.platform), _lines(one, branches, inverted=invert, drawn=drawn))
        for each, one, branches in blocks
    ]
    session.console.result(merged(shown), {"targets": _document(blocks)})


def merged(blocks: Sequence[tuple[str, str, Sequence[str]]]) -> list[str]:
    """Put blocks below headings; those that say the same of several platforms become one.

    Args:
        blocks: the heading, with `{}` for the platforms, the platform, and the lines.

    """
    platforms: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for title, platform, lines in blocks:
        platforms.setdefault((title, tuple(lines)), []).append(platform)
    made: list[str] = []
    for (title, lines), several in platforms.items():
        made += [*([""] if made else []), title.format(", ".join(several)), *lines]
    return made


def key_document(key: Key) -> dict[str, str]:
    """Give a package's side and name."""
    return {"side": key.side, "name": key.name}


def _lines(one: Tree, branches: Sequence[Branch], *, inverted: bool, drawn: bool) -> list[str]:
    return [_line(one, branch, inverted=inverted, strokes=_DRAWN if drawn else _PLAIN) for branch in branches]


def _line(one: Tree, branch: Branch, *, inverted: bool, strokes: dict[tuple[bool, bool], str]) -> str:
    final = len(branch.last) - 1
    stem = "".join(strokes[index < final, last] for index, last in enumerate(branch.last))
    text = f"{stem}{branch.key.name} {one.graph.nodes[branch.key].version}"
    # In a tree of pip packages conda's are the exception.
    if branch.last and branch.key.side != one.roots[0].side and len({key.side for key in one.roots}) == 1:
        text += f" [{branch.key.side}]"
    places = one.asked_by.get(branch.key) if inverted or not branch.last else None
    if places:
        text += f"  <- {', '.join(places)}"
    return f"{text} (*)" if branch.repeated else text


def _document(blocks: Sequence[tuple[str, Tree, Sequence[Branch]]]) -> list[dict[str, Any]]:
    made: dict[str, dict[str, Any]] = {}
    known: set[tuple[str, Key]] = set()
    for _, one, branches in blocks:
        target = made.setdefault(
            str(one.platform), {"platform": str(one.platform), "roots": [], "packages": []}
        )
        target["roots"] += [key_document(branch.key) for branch in branches if not branch.last]
        for key in (branch.key for branch in branches):
            if (target["platform"], key) in known:
                continue
            known.add((target["platform"], key))
            node = one.graph.nodes[key]
            target["packages"].append(
                {
                    **key_document(key),
                    "version": node.version,
                    "requested": node.requested,
                    "asked_by": list(one.asked_by.get(key, ())),
                    "needs": [key_document(needed) for needed in node.needs],
                    "needed_by": [key_document(parent) for parent in one.graph.needed_by[key]],
                }
            )
    return list(made.values())
