"""`envfreeze build`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from envfreeze.cli.attest import attested_document, attested_note
from envfreeze.cli.chosen import record_document
from envfreeze.cli.session import Directory, Json, Offline, Quiet, Workers, begin, parse_platform
from envfreeze.cli.signing import IdentityToken, Keyless, TrustConfig, chosen
from envfreeze.oci.platform import Platform
from envfreeze.store.disk import in_bytes

if TYPE_CHECKING:
    from envfreeze.oci.registry.push import Pushed
    from envfreeze.verbs.build import BuildOutcome


def build(
    context: typer.Context,
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="Write the image to this OCI layout (default: .envfreeze/image).",
        ),
    ] = None,
    archive: Annotated[
        Path | None,
        typer.Option("--archive", metavar="FILE", help="Write the image to this OCI archive, a tar."),
    ] = None,
    load: Annotated[bool, typer.Option("--load", help="Load the image into Docker or Podman.")] = False,
    push: Annotated[
        str | None,
        typer.Option(
            "--push", metavar="REF", help="Push the image to a registry: registry.example/team/train:v1."
        ),
    ] = None,
    sign_key: Annotated[
        str | None,
        typer.Option(
            "--sign-key",
            metavar="KEY",
            help="Sign the record of what is pushed, as envfreeze attest does: a PEM file, or env://NAME.",
        ),
    ] = None,
    keyless: Keyless = False,
    identity_token: IdentityToken = None,
    trust_config: TrustConfig = None,
    cache_from: Annotated[
        list[str] | None,
        typer.Option(
            "--cache-from",
            metavar="REF",
            help="Take layers ready-made from this image of a registry; you trust who pushed it. Other "
            "engines: where their built steps are, type=registry,ref=REF. Repeatable.",
        ),
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            "--engine",
            metavar="NAME",
            help="native, or docker, podman, buildah, which build a Dockerfile of the lock.",
        ),
    ] = None,
    builder: Annotated[
        str | None,
        typer.Option("--builder", metavar="NAME", help="A builder of buildx, remote ones too (docker)."),
    ] = None,
    network: Annotated[
        str | None,
        typer.Option(
            "--network", metavar="MODE", help="What RUN steps reach: default, none or host (not native)."
        ),
    ] = None,
    secret: Annotated[
        list[str] | None,
        typer.Option(
            "--secret",
            metavar="SPEC",
            help="What a RUN step may read: id=NAME,src=FILE or id=NAME,env=NAME (not native). Repeatable.",
        ),
    ] = None,
    ssh: Annotated[
        list[str] | None,
        typer.Option(
            "--ssh",
            metavar="SPEC",
            help="An agent or a key that a RUN step may use (not native). Repeatable.",
        ),
    ] = None,
    cache_to: Annotated[
        list[str] | None,
        typer.Option(
            "--cache-to",
            metavar="SPEC",
            help="Where built steps are kept: type=registry,ref=REF,mode=max (not native). Repeatable.",
        ),
    ] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Use nothing that was built before.")] = False,
    sbom: Annotated[
        str | None,
        typer.Option(
            "--sbom",
            metavar="FORMAT",
            help="Attach a bill of materials to each image that is pushed: cyclonedx or spdx.",
        ),
    ] = None,
    tag: Annotated[str | None, typer.Option("--tag", "-t", metavar="NAME", help="Name the image.")] = None,
    platform: Annotated[
        Platform | None,
        typer.Option(
            "--platform",
            metavar="OS/ARCH",
            parser=parse_platform,
            help="Build for one platform of the lock only.",
        ),
    ] = None,
    no_record: Annotated[bool, typer.Option("--no-record", help="Leave no record of this build.")] = False,
    offline: Offline = False,
    workers: Workers = None,
    directory: Directory = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Build the image that the lock determines, and print its digest."""
    from envfreeze.project.load import load as load_project  # noqa: PLC0415 - heavy
    from envfreeze.verbs.build import build as assemble  # noqa: PLC0415 - heavy
    from envfreeze.verbs.driving import Options  # noqa: PLC0415 - heavy

    session = begin(context, directory, as_json=as_json, quiet=quiet)
    console = session.console
    outcome = assemble(
        load_project(session.root),
        output=output,
        archive=archive,
        load=load,
        push=push,
        sign_key=chosen(
            sign_key, keyless=keyless, token=identity_token, config=trust_config, option="--sign-key"
        ),
        cache_from=tuple(cache_from or ()),
        engine=engine,
        options=Options(
            builder=builder,
            network=network,
            secrets=tuple(secret or ()),
            ssh=tuple(ssh or ()),
            cache_to=tuple(cache_to or ()),
            fresh=no_cache,
        ),
        sbom=sbom,
        tag=tag,
        platform=platform,
        record=not no_record,
        offline=offline,
        workers=workers,
        progress=console,
    )
    for place in (outcome.output, outcome.archive):
        if place is not None:
            console.note(f"written to {place}")
    if outcome.loaded is not None:
        console.note(f"loaded as {outcome.loaded}")
    if (pushed := outcome.pushed) is not None:
        console.note(pushed_note(pushed))
    if outcome.record_at is not None:
        console.note(f"recorded at the git remote {outcome.record_at}")
    if outcome.attested is not None:
        console.note(attested_note(outcome.attested))
    if outcome.log is not None:
        console.note(f"built by {outcome.engine} in {outcome.seconds:.1f} s; its log is {outcome.log}")
        console.result([str(outcome.digest)], _document(outcome))
        return
    ready = f", {outcome.layers_ready} taken ready-made" if outcome.layers_ready else ""
    console.note(
        f"{outcome.layers_built} layers built, {outcome.layers_reused} reused{ready} "
        f"in {outcome.seconds:.1f} s",
    )
    console.result([str(outcome.digest)], _document(outcome))


def pushed_note(pushed: Pushed) -> str:
    """Say in a line what a push did."""
    return (
        f"pushed to {pushed.reference}: {len(pushed.sent)} blobs sent ({in_bytes(pushed.size)}), "
        f"{len(pushed.mounted)} mounted, {len(pushed.there)} there"
    )


def pushed_document(pushed: Pushed) -> Mapping[str, Any]:
    """Give the document of a push."""
    return {
        "reference": str(pushed.reference),
        "digest": str(pushed.digest),
        "sent": [str(digest) for digest in pushed.sent],
        "mounted": [str(digest) for digest in pushed.mounted],
        "there": [str(digest) for digest in pushed.there],
        "bytes": pushed.size,
    }


def _document(outcome: BuildOutcome) -> Mapping[str, Any]:
    return {
        "digest": str(outcome.digest),
        "images": [
            {
                "platform": str(image.platform),
                "manifest": str(image.digest),
                "layers": [
                    {
                        "digest": str(layer.digest),
                        "diff_id": str(layer.diff_id),
                        "size": layer.size,
                        "media_type": layer.media_type,
                    }
                    for layer in image.layers
                ],
            }
            for image in outcome.images
        ],
        "output": None if outcome.output is None else str(outcome.output),
        "archive": None if outcome.archive is None else str(outcome.archive),
        "loaded": outcome.loaded,
        "pushed": None if outcome.pushed is None else pushed_document(outcome.pushed),
        "record": None if outcome.record is None else record_document(outcome.record),
        "record_remote": outcome.record_at,
        "attested": None if outcome.attested is None else attested_document(outcome.attested),
        "layers_built": outcome.layers_built,
        "layers_reused": outcome.layers_reused,
        "layers_ready": outcome.layers_ready,
        "engine": outcome.engine,
        "log": None if outcome.log is None else str(outcome.log),
        "seconds": round(outcome.seconds, 3),
        "notes": list(outcome.notes),
    }
