"""The options by which `log` and `records find` choose among records, and how both show what they found."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from envfreeze.cli.session import parse_platform
from envfreeze.oci.platform import Platform

if TYPE_CHECKING:
    from envfreeze.cli.console import Console
    from envfreeze.records.model import Record
    from envfreeze.verbs.log import Listed, Log


NATIVE = "native"
"""The engine that a line does not name."""


class Verified(StrEnum):
    """What the newest verification found."""

    IDENTICAL = "identical"
    LAYERS = "layers"
    TREE = "tree"
    PACKAGES = "packages"
    DIFFERENT = "different"
    NEVER = "never"


Commit = Annotated[
    str | None,
    typer.Option(
        "--commit",
        metavar="REV",
        help="Only builds of this commit, or of a range: v1..main.",
        show_default=False,
    ),
]
Package = Annotated[
    str | None,
    typer.Option(
        "--package",
        metavar="NAME[==VERSION]",
        help="Only builds whose lock has this package.",
        show_default=False,
    ),
]
Since = Annotated[
    str | None,
    typer.Option(
        "--since",
        metavar="WHEN",
        help="Only builds from this day or moment on (UTC), or not older than '2 weeks'.",
        show_default=False,
    ),
]
Until = Annotated[
    str | None,
    typer.Option(
        "--until",
        metavar="WHEN",
        help="Only builds up to this day or before this moment.",
        show_default=False,
    ),
]
Engine = Annotated[
    str | None,
    typer.Option("--engine", metavar="NAME", help="Only builds of this engine.", show_default=False),
]
OnPlatform = Annotated[
    Platform | None,
    typer.Option(
        "--platform",
        metavar="OS/ARCH",
        parser=parse_platform,
        help="Only builds that have an image for this platform.",
        show_default=False,
    ),
]
Dirty = Annotated[
    bool | None,
    typer.Option(
        "--dirty/--clean", help="Only builds of a dirty tree, or of a clean one.", show_default=False
    ),
]
VerifiedAs = Annotated[
    list[Verified] | None,
    typer.Option(
        "--verified",
        metavar="LEVEL",
        help="Only builds whose newest verification found this: identical, layers, tree, packages, "
        "different; or never. Repeatable.",
        show_default=False,
    ),
]
Limit = Annotated[
    int | None,
    typer.Option("--limit", "-n", min=1, metavar="N", help="At most this many.", show_default=False),
]


def show(log: Log, console: Console) -> None:
    """Show builds: a line each, or the document."""
    if not log.builds:
        console.note("no records")
    console.result([_line(build) for build in log.builds], _document(log) if console.as_json else {})


def record_document(record: Record) -> Mapping[str, Any]:
    """Give a record the shape that docs/formats/record-1.md describes."""
    from envfreeze.records.lines import render  # noqa: PLC0415 - heavy

    document: Mapping[str, Any] = json.loads(render(record))
    return document


def _line(build: Listed) -> str:
    entry = build.entry
    state = "dirty" if entry.dirty else "clean"
    packages = "".join(f" {one.name}=={one.version}" for one in dict.fromkeys(build.packages))
    by = "" if entry.engine == NATIVE else f" by {entry.engine}"
    return f"{entry.digest} {entry.at} {entry.commit or '-'} {state} {build.level or '-'}{packages}{by}"


def _document(log: Log) -> Mapping[str, Any]:
    return {
        "records": [record_document(record) for record in log.records],
        "verified": {str(build.entry.digest): build.level for build in log.builds if build.level is not None},
        "packages": {
            str(build.entry.digest): [
                {"side": one.side, "name": one.name, "version": one.version} for one in build.packages
            ]
            for build in log.builds
            if build.packages
        },
    }
