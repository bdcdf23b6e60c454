"""`envfreeze verify --installed`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from envfreeze.cli.chosen import record_document
from envfreeze.cli.reporting import Form, Wanted, publish

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from envfreeze.cli.session import Session
    from envfreeze.verbs.installed import InstalledOutcome


def hold_installed(
    session: Session,
    image: str,
    *,
    lock: Path | None,
    level: Wanted | None,
    form: Form,
    output: Path | None,
    offline: bool,
    workers: int | None,
    refused: Sequence[str],
) -> None:
    """Hold what is installed in an image against a lock, and print the verdict.

    `refused` are options that were given and are for a rebuild.
    """
    from envfreeze.compare.model import Level  # noqa: PLC0415 - heavy
    from envfreeze.compare.reports import Report  # noqa: PLC0415 - heavy
    from envfreeze.locking import lockfile  # noqa: PLC0415 - heavy
    from envfreeze.verbs.installed import verify_installed  # noqa: PLC0415 - heavy

    if refused:
        raise typer.BadParameter(f"--installed builds nothing, and {refused[0]} is for a rebuild")
    if level in {Wanted.IDENTICAL, Wanted.LAYERS}:
        raise typer.BadParameter(
            f"--level {level}: what is installed says nothing of a manifest's or a layer's bytes; "
            "--installed takes tree, packages or different"
        )
    outcome = verify_installed(
        image,
        root=session.root,
        lock=lock,
        offline=offline,
        workers=workers,
        inventory=form is Form.HTML,
        progress=session.console,
    )
    wanted = Level((level or Wanted.PACKAGES).value)
    record = outcome.record
    report = Report(outcome.verdict, lockfile.NAME, image, wanted, outcome.seconds, outcome.inventories)
    session.console.note(f"held against the lock in {outcome.seconds:.1f} s, nothing built: {_told(outcome)}")
    further = {"record": None if record is None else record_document(record), "installed": True}
    publish(report, form, output, session.console, further=further, verbose=False)
    if not report.reached:
        raise typer.Exit(1)


def _told(outcome: InstalledOutcome) -> str:
    """How many findings there are, on a line."""
    total = sum(outcome.verdict.counts.values())
    if not total:
        return "nothing differs"
    return f"{total - outcome.tolerated} differ, {outcome.tolerated} tolerated"
