"""The two questions about a lock, `envfreeze lock --check` and `--outdated`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from envfreeze.cli.console import Console
    from envfreeze.project.model import Project


def check(project: Project, console: Console, *, seal: bool, offline: bool, workers: int | None) -> None:
    """Tell why the lock no longer fits, and exit with 1 where it does not."""
    from envfreeze.verbs.check import check as causes_of  # noqa: PLC0415 - heavy

    causes = causes_of(project, seal=seal, offline=offline, workers=workers, progress=console)
    for cause in causes:
        console.warn(cause)
    if causes:
        console.hint("run `envfreeze lock`")
    answer = "drift" if causes else "current"
    console.result([answer], {"result": answer, "causes": list(causes)})
    if causes:
        raise typer.Exit(1)


def outdated(project: Project, console: Console) -> None:
    """Tell which locked packages have a newer version."""
    from envfreeze.verbs.outdated import outdated as newer  # noqa: PLC0415 - heavy

    found = newer(project, progress=console)
    if not found:
        console.note("nothing newer that the requirements allow")
    document: list[Mapping[str, Any]] = [
        {
            "side": one.side,
            "platform": one.platform,
            "name": one.name,
            "locked": one.locked,
            "newest": one.newest,
        }
        for one in found
    ]
    console.result(
        [f"{one.name} {one.locked} -> {one.newest} ({one.side}, {one.platform})" for one in found],
        {"outdated": document},
    )
