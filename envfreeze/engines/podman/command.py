"""The command lines of a build with Podman or Buildah. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.engines.driven.model import EPOCH

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from envfreeze.engines.driven.model import Request
    from envfreeze.engines.podman.program import Program
    from envfreeze.oci.platform import Platform

COMPRESSION_LEVEL = 6


def storage(program: Program, folder: Path) -> list[str]:
    """The program with a storage of its own, which begins empty.

    Args:
        program: which.
        folder: for the storage.

    """
    words = [program.name, "--root", str(folder / "root"), "--runroot", str(folder / "run")]
    if program.images is not None:
        # Bases that the user has pulled are read from there, and nothing is written to it.
        words += ["--storage-driver", "overlay", "--storage-opt", f"additionalimagestore={program.images}"]
    return words


def image(
    program: Program,
    request: Request,
    platform: Platform,
    context: Path,
    identity: Path,
    limits: Sequence[str],
) -> list[str]:
    """What follows `storage` to build an image for one platform.

    Args:
        program: which.
        request: what is built.
        platform: for which.
        context: the staged build folder.
        identity: the file that the image's id is written to.
        limits: options of resource limits.

    """
    times = (
        ["--source-date-epoch", str(EPOCH), "--rewrite-timestamp", "--created-annotation=false"]
        if program.rewrites
        else ["--timestamp", str(EPOCH), "--build-arg", f"SOURCE_DATE_EPOCH={EPOCH}"]
    )
    # Not as an OCI image: there SHELL is passed over. It becomes one when it is exported.
    words = [*_build(request, platform, limits), *times, "--format", "docker", "--iidfile", str(identity)]
    # A label with Buildah's version would make of every version another image.
    words += ["--identity-label=false"]
    # The storage is empty: what is looked up in it are layers of this build, which are alike in nothing
    # but their times, or of the user's own images.
    words += ["--layers"] if request.cache_from or request.cache_to else ["--layers", "--no-cache"]
    for spec in request.cache_from:
        words += ["--cache-from", spec]
    for spec in request.cache_to:
        words += ["--cache-to", spec]
    return [*words, "--file", str(context / request.dockerfile), str(context)]


def files(
    request: Request, platform: Platform, context: Path, into: Path, limits: Sequence[str]
) -> list[str]:
    """What follows `storage` to build a stage and write its files to a folder."""
    words = [*_build(request, platform, limits), "--output", f"type=local,dest={into}"]
    return [*words, "--file", str(context / request.dockerfile), str(context)]


def export(identity: str, into: Path) -> list[str]:
    """What follows `storage` to write an image to an OCI layout.

    Args:
        identity: the image's id.
        into: folder for the layout, not there yet.

    """
    compressed = ["--compression-format", "gzip", "--compression-level", str(COMPRESSION_LEVEL)]
    return ["push", "--quiet", "--format", "oci", *compressed, "--force-compression", identity, f"oci:{into}"]


def _build(request: Request, platform: Platform, limits: Sequence[str]) -> list[str]:
    words = ["build", "--platform", str(platform), "--pull=missing", *limits]
    if request.stage is not None:
        words += ["--target", request.stage]
    if request.network != "default":
        words += ["--network", request.network]
    for secret in request.secrets:
        words += ["--secret", secret.spec]
    for ssh in request.ssh:
        words += ["--ssh", ssh.spec]
    return words
