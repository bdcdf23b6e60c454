"""What every command has: the options that all commands share, and what they open.

The shared options may stand before the command or after it: `envfreeze --json build` is
`envfreeze build --json`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from envfreeze.cli.console import Console
from envfreeze.digest import Digest
from envfreeze.oci.platform import Platform

Directory = Annotated[
    Path | None,
    typer.Option(
        "--project",
        "-C",
        metavar="DIR",
        exists=True,
        file_okay=False,
        help="The project's folder (default: here).",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show only the result, warnings and errors.")]

Offline = Annotated[bool, typer.Option("--offline", help="Use only what is in the cache.")]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        "-j",
        min=1,
        metavar="N",
        help="How many artifacts to process at once (default: one per core).",
        show_default=False,
    ),
]


def parse_digest(text: str) -> Digest:
    """Read a digest from the command line."""
    try:
        return Digest.parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def parse_platform(text: str) -> Platform:
    """Read a platform from the command line."""
    try:
        return Platform.parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


@dataclass(slots=True)
class Session:
    """A command's surroundings.

    Attributes:
        console: where it writes.
        root: the project's folder, absolute.

    """

    console: Console
    root: Path = field(default_factory=Path.cwd)


def begin(context: typer.Context, directory: Path | None, *, as_json: bool, quiet: bool) -> Session:
    """Take up the shared options, those before the command first and then the command's own."""
    session = context.obj
    if not isinstance(session, Session):
        raise TypeError("a command runs under envfreeze.cli.main.main, which opens its session")
    session.console.as_json |= as_json
    session.console.quiet |= quiet
    if directory is not None:
        session.root = directory.absolute()
    return session
