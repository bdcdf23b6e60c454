"""`envfreeze verify`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from envfreeze.cli.chosen import record_document
from envfreeze.cli.reporting import Form, Format, LevelOption, Output, Wanted, publish
from envfreeze.cli.session import Directory, Json, Offline, Quiet, Workers, begin


def verify(
    context: typer.Context,
    *,
    image: Annotated[
        str,
        typer.Argument(
            metavar="IMAGE",
            help="Digest of the manifest, the index or the config, sha256:<hex>; or any image: "
            "registry.example.org/team/train@sha256:<hex>, docker-daemon:train:v1.",
        ),
    ],
    lock: Annotated[
        Path | None,
        typer.Option(
            "--lock",
            metavar="PATH",
            exists=True,
            help="Build this envfreeze.lock and look for no record.",
            show_default=False,
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            "--against",
            metavar="IMAGE",
            help="The original, wherever it is, to explain differences by.",
            show_default=False,
        ),
    ] = None,
    level: LevelOption = Wanted.IDENTICAL,
    form: Format = Form.TEXT,
    output: Output = None,
    engine: Annotated[
        str | None,
        typer.Option(
            "--engine",
            metavar="NAME",
            help="With --lock: native (default), docker, podman or buildah.",
            show_default=False,
        ),
    ] = None,
    builder: Annotated[
        str | None,
        typer.Option("--builder", metavar="NAME", help="The builder of buildx that builds again (docker)."),
    ] = None,
    network: Annotated[
        str | None,
        typer.Option(
            "--network", metavar="MODE", help="As it was built with: default, none or host (not native)."
        ),
    ] = None,
    secret: Annotated[
        list[str] | None,
        typer.Option("--secret", metavar="SPEC", help="As it was built with (not native). Repeatable."),
    ] = None,
    ssh: Annotated[
        list[str] | None,
        typer.Option("--ssh", metavar="SPEC", help="As it was built with (not native). Repeatable."),
    ] = None,
    no_record: Annotated[bool, typer.Option("--no-record", help="Leave no record of the outcome.")] = False,
    offline: Offline = False,
    workers: Workers = None,
    directory: Directory = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Build a recorded image again, compare, and print the verdict.

    Exit code 1 where the image is not reproduced as exactly as --level asks.
    """
    from envfreeze.compare.model import Level  # noqa: PLC0415 - heavy
    from envfreeze.compare.reports import Report  # noqa: PLC0415 - heavy
    from envfreeze.verbs.driving import Options  # noqa: PLC0415 - heavy
    from envfreeze.verbs.verify import verify as rebuild  # noqa: PLC0415 - heavy

    session = begin(context, directory, as_json=as_json, quiet=quiet)
    outcome = rebuild(
        image,
        root=session.root,
        lock=lock,
        against=against,
        engine=engine,
        options=Options(builder=builder, network=network, secrets=tuple(secret or ()), ssh=tuple(ssh or ())),
        offline=offline,
        workers=workers,
        record=not no_record,
        inventory=form is Form.HTML,
        progress=session.console,
    )
    record = outcome.record
    commit = None if record is None else record.source.commit
    source = "the lock" if record is None else f"commit {commit}" if commit else "the folder"
    by = "" if record is None or record.engine == "native" else f" by {record.engine}"
    report = Report(
        outcome.verdict,
        image,
        "rebuilt",
        Level(level.value),
        outcome.seconds,
        outcome.inventories,
    )
    further = {"record": None if record is None else record_document(record)}
    session.console.note(f"rebuilt{by} from {source} in {outcome.seconds:.1f} s")
    publish(report, form, output, session.console, further=further, verbose=False)
    if not report.reached:
        raise typer.Exit(1)
