"""What a builder would not do though it was asked to, said before the build: facts in, errors out.

BuildKit's exit status says that something was built, not that it was built as asked: the classic store of
Docker takes `rewrite-timestamp` and ignores it. So a combination that is known to ignore, or to fail after
an hour, is refused, and the refusal says the way out. What is not known is tried (`probe`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.engines.docker.client import numbers
from envfreeze.errors import MachineError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envfreeze.engines.docker.builder import Builder
    from envfreeze.oci.platform import Platform

OLDEST_BUILDKIT = (0, 13)
"""The first BuildKit whose `rewrite-timestamp` also reaches layers that it took from its cache."""

OLDEST_DOCKER = (26,)
"""The first Docker whose built-in BuildKit is 0.13."""

_CONTAINERD = '{"features": {"containerd-snapshotter": true}}'
_NATIVE = "--engine native needs no builder"


def check(builder: Builder, platforms: Sequence[Platform], cache_to: Sequence[str] = ()) -> None:
    """Refuse a builder that cannot do what is asked, or would not.

    Args:
        builder: what builds.
        platforms: to build for.
        cache_to: where built steps are to be kept.

    Raises:
        MachineError: the builder is too old, or its store ignores what it is asked.
        UsageError: it does not build for a platform.

    """
    if builder.daemon is not None and _older(builder.daemon.version, OLDEST_DOCKER):
        raise MachineError(
            f"Docker {builder.daemon.version} has a BuildKit that does not rewrite timestamps",
            hint=f"install Docker 26 or later, name a newer builder with --builder; {_NATIVE}",
        )
    if builder.buildkit is not None and _older(builder.buildkit, OLDEST_BUILDKIT):
        raise MachineError(
            f"the builder {builder.name} runs BuildKit {builder.buildkit}, which does not rewrite timestamps",
            hint=f"make one of BuildKit 0.13 or later: docker buildx create --name NAME; {_NATIVE}",
        )
    if builder.daemon is not None and not builder.daemon.containerd:
        raise MachineError(
            f"Docker keeps its images in its classic store ({builder.daemon.store}): it cannot export an OCI "
            "image, and takes rewrite-timestamp only to ignore it",
            hint=f"put {_CONTAINERD} into /etc/docker/daemon.json and restart Docker, or use a builder of "
            "its own: docker buildx create --driver docker-container --name NAME, then --builder NAME; "
            f"{_NATIVE}",
        )
    _check_platforms(builder, platforms)
    _check_cache(cache_to)


def _older(version: str, oldest: tuple[int, ...]) -> bool:
    """Whether a version is known and older; what is not known is tried."""
    found = numbers(version)
    return bool(found) and found < oldest


def _check_platforms(builder: Builder, platforms: Sequence[Platform]) -> None:
    missing = [str(platform) for platform in platforms if str(platform) not in builder.platforms]
    if missing and builder.platforms:
        raise UsageError(
            f"the builder {builder.name} builds for {', '.join(sorted(builder.platforms))}, "
            f"not for {', '.join(missing)}",
            hint="add a node of that platform or install its emulation (binfmt_misc); --engine native "
            "assembles for every platform anywhere",
        )


def _check_cache(cache_to: Sequence[str]) -> None:
    for spec in cache_to:
        fields = dict(item.partition("=")[::2] for item in spec.split(","))
        if fields.get("type") == "inline":
            raise UsageError(
                "--cache-to type=inline writes into the image what the builder had in its cache, and so "
                "changes its digest",
                hint="keep it beside the image: --cache-to type=registry,ref=REGISTRY/NAME:cache,mode=max",
            )
