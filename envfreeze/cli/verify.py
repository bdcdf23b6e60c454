"""`envfreeze verify`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from envfreeze.cli.chosen import record_document
from envfreeze.cli.session import Directory, Json, Offline, Quiet, Workers, begin

if TYPE_CHECKING:
    from envfreeze.compare.model import Finding
    from envfreeze.verbs.verify import VerifyOutcome

SHOWN: Final = 50
"""How many findings are told on stderr."""


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
        Path | None,
        typer.Option(
            "--against",
            metavar="PATH",
            exists=True,
            help="The original, an OCI layout or archive, to explain differences by.",
        ),
    ] = None,
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

    Exit code 1 where the image is not reproduced.
    """
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
        progress=session.console,
    )
    verdict = outcome.verdict
    for finding in verdict.findings[:SHOWN]:
        session.console.note(_sentence(finding))
    if len(verdict.findings) > SHOWN:
        session.console.note(f"and {len(verdict.findings) - SHOWN} more, which --json has all")
    commit = None if outcome.record is None else outcome.record.source.commit
    source = "the lock" if outcome.record is None else f"commit {commit}" if commit else "the folder"
    by = "" if outcome.record is None or not outcome.record.tools else f" by {outcome.record.engine}"
    session.console.note(f"rebuilt{by} from {source} in {outcome.seconds:.1f} s")
    session.console.result([verdict.level.value], _document(outcome))
    if verdict.rebuilt != verdict.reference:
        raise typer.Exit(1)


def _sentence(finding: Finding) -> str:
    owner = finding.layer if finding.package is None else f"{finding.layer}, {finding.package}"
    where = owner if finding.path is None else f"{owner}, {finding.path}"
    cause = f" ({finding.cause})" if finding.cause else ""
    return f"{where}: {finding.what}{cause}"


def _document(outcome: VerifyOutcome) -> Mapping[str, Any]:
    verdict = outcome.verdict
    return {
        "verdict": verdict.level.value,
        "reference": str(verdict.reference),
        "rebuilt": str(verdict.rebuilt),
        "findings": [
            {
                "layer": finding.layer,
                "package": finding.package,
                "path": finding.path,
                "what": finding.what,
                "cause": finding.cause,
            }
            for finding in verdict.findings
        ],
        "record": None if outcome.record is None else record_document(outcome.record),
        "seconds": round(outcome.seconds, 3),
    }
