"""`envfreeze attest` and `envfreeze keygen`."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from envfreeze.cli.session import Directory, Json, Quiet, begin
from envfreeze.cli.signing import IdentityToken, Keyless, TrustConfig, chosen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envfreeze.verbs.attest import AttestOutcome


class Kind(enum.StrEnum):
    """What keys can be."""

    ED25519 = "ed25519"
    ECDSA = "ecdsa-p256"


def attest(
    context: typer.Context,
    *,
    image: Annotated[
        str,
        typer.Argument(
            metavar="IMAGE", help="What was pushed: registry.example.org/team/train@sha256:<hex>."
        ),
    ],
    key: Annotated[
        str | None,
        typer.Option(
            "--key", metavar="KEY", help="The private key: a PEM file, or env://NAME.", show_default=False
        ),
    ] = None,
    keyless: Keyless = False,
    identity_token: IdentityToken = None,
    trust_config: TrustConfig = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            dir_okay=False,
            help="Write what is signed to this file, too; an image that is in no registry needs it.",
            show_default=False,
        ),
    ] = None,
    builder: Annotated[
        str | None,
        typer.Option(
            "--builder-id",
            metavar="URI",
            help="The platform that built, as policies name it.",
            show_default=False,
        ),
    ] = None,
    directory: Directory = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Sign the record of an image that was built here, and attach it to the image as SLSA provenance."""
    from envfreeze.records.trust.provenance import BUILDER  # noqa: PLC0415 - heavy
    from envfreeze.verbs.attest import attest as sign  # noqa: PLC0415 - heavy

    session = begin(context, directory, as_json=as_json, quiet=quiet)
    who = chosen(key, keyless=keyless, token=identity_token, config=trust_config, option="--key")
    if who is None:
        raise typer.BadParameter("who signs? --key KEY, or --keyless where this runs with an identity")
    outcome = sign(
        image,
        key=who,
        root=session.root,
        output=output,
        builder=builder or BUILDER,
        progress=session.console,
    )
    session.console.note(attested_note(outcome))
    session.console.result([str(outcome.digest)], attested_document(outcome))


def attested_note(outcome: AttestOutcome) -> str:
    """Say in a line what was signed."""
    where = [place for place in (outcome.repository, outcome.output) if place is not None]
    who = f"with the key {outcome.keyid[:12]}" if outcome.keyid else f"as {outcome.identity}"
    return f"signed {who}, in {' and '.join(map(str, where))}"


def attested_document(outcome: AttestOutcome) -> Mapping[str, Any]:
    """Give the document of an attestation."""
    return {
        "digest": str(outcome.digest),
        "subjects": [str(digest) for digest in outcome.subjects],
        "keyid": outcome.keyid,
        "identity": None
        if outcome.identity is None
        else {"issuer": outcome.identity.issuer, "subject": outcome.identity.subject},
        "repository": outcome.repository,
        "output": None if outcome.output is None else str(outcome.output),
    }


def keygen(
    context: typer.Context,
    *,
    path: Annotated[
        Path,
        typer.Argument(
            metavar="NAME", help="The new file of the private key; NAME.pub becomes the public one."
        ),
    ],
    kind: Annotated[
        Kind, typer.Option("--type", metavar="TYPE", help="ed25519 or ecdsa-p256.")
    ] = Kind.ED25519,
    directory: Directory = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make a key to sign with; encrypted where ENVFREEZE_KEY_PASSWORD holds a password."""
    from envfreeze.records.trust import keys  # noqa: PLC0415 - heavy

    session = begin(context, directory, as_json=as_json, quiet=quiet)
    pair = keys.generate(kind.value)
    public = keys.write(pair, path)
    session.console.note(f"{path} is the private key: keep it to who signs")
    session.console.result(
        [str(public)], {"private": str(path), "public": str(public), "keyid": pair.public.id}
    )
