"""The command line of a build with buildx. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.engines.driven.model import EPOCH

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from envfreeze.engines.docker.builder import Builder
    from envfreeze.engines.driven.model import Request

COMPRESSION_LEVEL = 6

_EXPORT = (
    "type=oci",
    "rewrite-timestamp=true",
    "oci-mediatypes=true",
    "compression=gzip",
    f"compression-level={COMPRESSION_LEVEL}",
    # Layers that are in the builder's cache with another compression are compressed again.
    "force-compression=true",
    "tar=false",
)


def image(request: Request, builder: Builder, context: Path, into: Path, *, space: str | None) -> list[str]:
    """The command that builds an image.

    Args:
        request: what is built.
        builder: what builds.
        context: the staged build folder.
        into: folder for the OCI layout, not there yet.
        space: name space of cache mounts that nobody has used; None: the usual one.

    """
    return _build(request, builder, context, _exported((*_EXPORT, f"dest={into}")), space)


def files(request: Request, builder: Builder, context: Path, into: Path) -> list[str]:
    """The command that builds a stage, and writes the files in it to a folder.

    Args:
        request: what is built.
        builder: what builds.
        context: the staged build folder.
        into: folder for the files.

    """
    return _build(request, builder, context, _exported(("type=local", f"dest={into}")), None)


def _build(request: Request, builder: Builder, context: Path, exported: str, space: str | None) -> list[str]:
    words = [
        *("docker", "buildx", "build"),
        *("--builder", builder.name),
        *("--file", str(context / request.dockerfile)),
        *("--platform", ",".join(str(platform) for platform in request.platforms)),
        # Attestations have the day in them, and make of every image an index.
        *("--provenance=false", "--sbom=false"),
        *("--build-arg", f"SOURCE_DATE_EPOCH={EPOCH}"),
        *("--output", exported),
        *("--progress", "rawjson"),
    ]
    if request.stage is not None:
        words += ["--target", request.stage]
    if request.network != "default":
        words += ["--network", request.network]
    if request.network == "host":
        words += ["--allow", "network.host"]
    for secret in request.secrets:
        words += ["--secret", secret.spec]
    for ssh in request.ssh:
        words += ["--ssh", ssh.spec]
    for spec in request.cache_from:
        words += ["--cache-from", spec]
    for spec in request.cache_to:
        words += ["--cache-to", spec]
    if request.fresh:
        words.append("--no-cache")
    if space is not None:
        words += ["--build-arg", f"BUILDKIT_CACHE_MOUNT_NS={space}"]
    return [*words, str(context)]


def _exported(fields: Sequence[str]) -> str:
    """The fields of `--output`, which buildx reads as a line of CSV."""
    return ",".join('"{}"'.format(field.replace('"', '""')) if _unsafe(field) else field for field in fields)


def _unsafe(field: str) -> bool:
    return any(character in field for character in ',"\n\r') or field != field.strip()
