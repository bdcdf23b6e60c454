"""`envfreeze sbom`."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from envfreeze.cli.session import Directory, Json, Offline, Quiet, begin, parse_platform
from envfreeze.cli.signing import IdentityToken, Keyless, TrustConfig, chosen
from envfreeze.oci.platform import Platform


class Form(StrEnum):
    """The formats of a bill of materials."""

    CYCLONEDX = "cyclonedx"
    SPDX = "spdx"


def sbom(
    context: typer.Context,
    *,
    image: Annotated[
        str | None,
        typer.Argument(
            metavar="IMAGE",
            help="Any image: a digest, registry.example.org/team/train:v1, oci:FOLDER (default: the lock).",
            show_default=False,
        ),
    ] = None,
    form: Annotated[
        Form, typer.Option("--format", metavar="FORMAT", help="cyclonedx (1.6) or spdx (2.3), in JSON.")
    ] = Form.CYCLONEDX,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Write it here and not to stdout.", show_default=False
        ),
    ] = None,
    lock: Annotated[
        Path | None,
        typer.Option(
            "--lock",
            metavar="PATH",
            exists=True,
            help="The lock; with IMAGE it adds hashes of archives and what needs what.",
            show_default=False,
        ),
    ] = None,
    platform: Annotated[
        Platform | None,
        typer.Option(
            "--platform",
            metavar="OS/ARCH",
            parser=parse_platform,
            help="Which of several platforms.",
            show_default=False,
        ),
    ] = None,
    attach: Annotated[
        str | None,
        typer.Option(
            "--attach", metavar="REF", help="Attach it to this image in a registry.", show_default=False
        ),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            "--key",
            metavar="KEY",
            help="With --attach: sign it, too, with this private key: a PEM file, or env://NAME.",
            show_default=False,
        ),
    ] = None,
    keyless: Keyless = False,
    identity_token: IdentityToken = None,
    trust_config: TrustConfig = None,
    offline: Offline = False,
    directory: Directory = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write the bill of materials of the lock, or of any image."""
    from envfreeze.errors import UsageError  # noqa: PLC0415 - light, and not for --help
    from envfreeze.oci import staging  # noqa: PLC0415 - heavy
    from envfreeze.records.trust.keys import read_private  # noqa: PLC0415 - heavy
    from envfreeze.verbs import sbom as verb  # noqa: PLC0415 - heavy

    session = begin(context, directory, as_json=as_json, quiet=quiet)
    console = session.console
    if attach is not None and offline:
        raise UsageError("--attach asks a registry, and --offline asks nobody", hint="leave one of them out")
    who = chosen(key, keyless=keyless, token=identity_token, config=trust_config, option="--key")
    if who is not None and attach is None:
        raise typer.BadParameter("what is signed is attached to an image: --attach REF")
    if isinstance(who, str):
        who = read_private(who, progress=console)
    made = verb.sbom(
        session.root,
        image,
        form=form.value,
        lock=lock,
        platform=platform,
        offline=offline,
        progress=console,
    )
    if output is not None:
        with staging.file(output.absolute()) as file:
            file.write(made.document)
        console.note(f"{len(made.bill.packages)} packages written to {output}")
    attached = None if attach is None else verb.attach(made, attach, who=who, progress=console)
    if attached is not None:
        console.note(f"attached to {attach} as {attached}{'' if who is None else ', and signed'}")
    lines = [str(output)] if output is not None else [made.document.decode().rstrip("\n")]
    console.result(
        [str(attached)] if attached is not None and output is None else lines,
        {
            "format": made.form,
            "subject": str(made.bill.subject),
            "platform": str(made.bill.platform),
            "packages": len(made.bill.packages),
            "output": None if output is None else str(output),
            "attached": None if attached is None else str(attached),
            "document": None if output is not None else json.loads(made.document),
        },
    )
