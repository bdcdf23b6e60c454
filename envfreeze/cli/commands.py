"""The commands, and the one place where a command's end becomes an exit code."""

from __future__ import annotations

import importlib
import os
import traceback
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from envfreeze import __version__
from envfreeze.cli.console import Console
from envfreeze.cli.errors import failure, machine_error
from envfreeze.cli.options import Command, Group
from envfreeze.cli.session import Directory, Json, Quiet, Session, begin


class _Commands(Group):
    """Gives two exceptions their own names before typer takes them for its own: it ends silently on both."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - typer's context class is not public
        try:
            return super().invoke(ctx)
        except OSError as error:
            raise machine_error(error) from error
        except KeyboardInterrupt as error:
            raise typer.Abort from error


_COMMANDS = {
    "init": "init",
    "lock": "lock",
    "tree": "tree",
    "why": "why",
    "build": "build",
    "dockerfile": "dockerfile",
    "bake": "bake",
    "verify": "verify",
    "attest": "attest",
    "keygen": "attest",
    "diff": "diff",
    "log": "log",
    "sbom": "sbom",
    "doctor": "doctor",
    "schema": "schema",
}
"""The module of each command, whose function has the command's name."""

_GROUPS = ("records", "base", "gpu", "cache")
"""Modules whose `app` has commands of its own."""


def application(words: Sequence[str] = ()) -> typer.Typer:
    """Give the command line: all commands, or the one that is asked for.

    Args:
        words: what stands on the command line. Where the first names a command, that one is all there is: to
            read the options of all of them takes typer longer than most commands need.

    """
    app = typer.Typer(
        cls=_Commands,
        context_settings={"help_option_names": ["--help", "-h"]},
        invoke_without_command=True,
        pretty_exceptions_enable=False,
        # Plain help: as readable, and rich alone takes longer to import than all of this.
        rich_markup_mode=None,
    )
    app.callback()(_envfreeze)
    first = words[0] if words else None
    for name in (first,) if first in _COMMANDS or first in _GROUPS else (*_COMMANDS, *_GROUPS):
        module = importlib.import_module(f"envfreeze.cli.{_COMMANDS.get(name, name)}")
        if name in _COMMANDS:
            app.command(name, cls=Command)(getattr(module, name))
        else:
            app.add_typer(module.app, name=name)
    return app


def _envfreeze(
    context: typer.Context,
    *,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    directory: Directory = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Freeze ML training environments: the lock determines the image digest."""
    session = begin(context, directory, as_json=as_json, quiet=quiet)
    if version:
        session.console.result([f"envfreeze {__version__}"], {"version": __version__})
        raise typer.Exit
    if context.invoked_subcommand is None:
        session.console.tell(context.get_help())
        raise typer.Exit(2)


def run(words: Sequence[str]) -> int:
    """Run a command, given without the program's name, and return its exit code."""
    console = Console()
    try:
        code: int | None = application(words)(
            list(words), prog_name="envfreeze", standalone_mode=False, obj=Session(console)
        )
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the border: nothing may pass it
        console.close()
        console.as_json |= "--json" in words  # where the options themselves could not be read
        return _fail(console, error)
    finally:
        console.close()
    return code or 0


def _fail(console: Console, error: BaseException) -> int:
    end = failure(error)
    if end.bug or os.environ.get("ENVFREEZE_DEBUG"):
        console.tell("".join(traceback.format_exception(error)).rstrip("\n"))
    try:
        console.fail(end)
    except OSError as refusal:  # stdout did not take the document: whoever waits for it must not see its code
        end = failure(refusal)
        console.as_json = False
        console.fail(end)
    return end.exit_code
