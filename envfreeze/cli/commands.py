"""The commands, and the one place where a command's end becomes an exit code."""

from __future__ import annotations

import os
import traceback
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from envfreeze import __version__
from envfreeze.cli import (
    bake,
    base,
    build,
    cache,
    diff,
    dockerfile,
    doctor,
    gpu,
    init,
    lock,
    log,
    records,
    sbom,
    schema,
    tree,
    verify,
    why,
)
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


app = typer.Typer(
    cls=_Commands,
    context_settings={"help_option_names": ["--help", "-h"]},
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: as readable, and rich alone takes longer to import than all of this
)
app.command("init", cls=Command)(init.init)
app.command("lock", cls=Command)(lock.lock)
app.command("tree", cls=Command)(tree.tree)
app.command("why", cls=Command)(why.why)
app.command("build", cls=Command)(build.build)
app.command("dockerfile", cls=Command)(dockerfile.dockerfile)
app.command("bake", cls=Command)(bake.bake)
app.command("verify", cls=Command)(verify.verify)
app.command("diff", cls=Command)(diff.diff)
app.command("log", cls=Command)(log.log)
app.command("sbom", cls=Command)(sbom.sbom)
app.command("doctor", cls=Command)(doctor.doctor)
app.command("schema", cls=Command)(schema.schema)
app.add_typer(records.app, name="records")
app.add_typer(base.app, name="base")
app.add_typer(gpu.app, name="gpu")
app.add_typer(cache.app, name="cache")


@app.callback()
def envfreeze(
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
        code: int | None = app(
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
