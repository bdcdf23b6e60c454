"""`envfreeze verify`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from envfreeze.cli.chosen import record_document
from envfreeze.cli.installed import hold_installed
from envfreeze.cli.reporting import Form, Format, Output, Wanted, publish
from envfreeze.cli.session import Directory, Json, Offline, Quiet, Session, Workers, begin
from envfreeze.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envfreeze.records.trust.policy import Policy


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
    policy: Annotated[
        Path | None,
        typer.Option(
            "--policy",
            metavar="FILE",
            dir_okay=False,
            help="Believe only what those of this policy have signed, and hold the image against it.",
            show_default=False,
        ),
    ] = None,
    attestation: Annotated[
        list[Path] | None,
        typer.Option(
            "--attestation",
            metavar="FILE",
            help="A signed statement, beside those that are attached to the image. Repeatable.",
        ),
    ] = None,
    trusted_root: Annotated[
        Path | None,
        typer.Option(
            "--trusted-root",
            metavar="FILE",
            help="With --policy: whose certificates are believed, a file of Sigstore (default: policy).",
            show_default=False,
        ),
    ] = None,
    installed: Annotated[
        bool,
        typer.Option(
            "--installed",
            help="Build nothing: hold what is installed in IMAGE against the lock, file by file.",
        ),
    ] = False,
    level: Annotated[
        Wanted | None,
        typer.Option(
            "--level",
            metavar="LEVEL",
            help="What counts as success: identical (default), layers, tree, packages or different; with "
            "--installed tree, packages (default) or different.",
            show_default=False,
        ),
    ] = None,
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
    from envfreeze.records.trust.policy import SIGNED  # noqa: PLC0415 - heavy
    from envfreeze.records.trust.policy import read as read_policy  # noqa: PLC0415 - heavy
    from envfreeze.verbs.driving import Options  # noqa: PLC0415 - heavy
    from envfreeze.verbs.verify import verify as rebuild  # noqa: PLC0415 - heavy

    session = begin(context, directory, as_json=as_json, quiet=quiet)
    if installed:
        refused = {
            "--against": against,
            "--policy": policy,
            "--attestation": attestation,
            "--trusted-root": trusted_root,
            "--engine": engine,
            "--builder": builder,
            "--network": network,
            "--secret": secret,
            "--ssh": ssh,
        }
        given = [name for name, value in refused.items() if value]
        hold_installed(
            session,
            image,
            lock=lock,
            level=level,
            form=form,
            output=output,
            offline=offline,
            workers=workers,
            refused=given,
        )
        return
    asked = None
    if policy is not None:
        if lock is not None:
            raise typer.BadParameter("--policy asks for a signed record, and --lock looks for none")
        asked = read_policy(policy)
        if trusted_root is not None:
            asked = replace(asked, trusted_root=trusted_root)
        if asked.level == SIGNED:
            _check(session, image, asked, attestation or (), offline=offline)
            return
    elif trusted_root is not None:
        raise typer.BadParameter("--trusted-root needs --policy, which says whose signatures count")
    elif attestation:
        raise typer.BadParameter("--attestation needs --policy, which says whose signatures count")
    wanted = Level((level or Wanted.IDENTICAL).value if asked is None else asked.level)
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
        policy=asked,
        attestations=tuple(attestation or ()),
        progress=session.console,
    )
    record = outcome.record
    commit = None if record is None else record.source.commit
    source = "the lock" if record is None else f"commit {commit}" if commit else "the folder"
    by = "" if record is None or not record.tools else f" by {record.engine}"
    report = Report(
        outcome.verdict,
        image,
        "rebuilt",
        wanted,
        outcome.seconds,
        outcome.inventories,
    )
    further = {
        "record": None if record is None else record_document(record),
        "signers": list(outcome.signers),
    }
    if outcome.signers:
        session.console.note(f"the record is signed by {', '.join(outcome.signers)}")
    session.console.note(f"rebuilt{by} from {source} in {outcome.seconds:.1f} s")
    publish(report, form, output, session.console, further=further, verbose=False)
    if not report.reached:
        raise typer.Exit(1)


def _check(
    session: Session, image: str, policy: Policy, attestations: Sequence[Path], *, offline: bool
) -> None:
    """Hold an image against a policy that asks for no rebuild."""
    from envfreeze.verbs.trusted import check  # noqa: PLC0415 - heavy

    outcome = check(
        image,
        policy,
        root=session.root,
        attestations=tuple(attestations),
        offline=offline,
        progress=session.console,
    )
    signers = [str(one) for one in outcome.signed.signers]
    session.console.note(f"signed by {', '.join(signers)}; nothing was rebuilt")
    session.console.result(
        [policy.level],
        {
            "level": policy.level,
            "digest": str(outcome.digest),
            "signers": signers,
            "builder": outcome.signed.builder,
            "record": record_document(outcome.signed.record),
        },
    )
