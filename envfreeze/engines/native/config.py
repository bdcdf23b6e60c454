"""The image's config: what the environment needs to be found, and what the project asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.locking.model import CONDA_PREFIX
from envfreeze.oci.manifest import config_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envfreeze.digest import Digest
    from envfreeze.locking.model import PlannedLayer, Runtime, Target

_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def image_config(target: Target, runtime: Runtime, layers: Sequence[tuple[Digest, str]]) -> bytes:
    """The config of a target's image.

    Args:
        target: the target.
        runtime: what the project asked for; its variables come after ours and may replace LANG and those that
            say what the image needs of a GPU.
        layers: diffID and description of each layer, the lowest first.

    """
    prefixes = [target.prefix, *([CONDA_PREFIX] if target.conda else [])]
    folders = [f"/{prefix}/bin" for prefix in dict.fromkeys(prefixes)]
    env = {
        "PATH": ":".join((*folders, _SYSTEM_PATH)),
        "CONDA_PREFIX" if target.prefix == CONDA_PREFIX else "VIRTUAL_ENV": f"/{target.prefix}",
        "LANG": "C.UTF-8",
        **(dict(sorted(target.gpu.env.items())) if target.gpu is not None else {}),
        **{name: runtime.env[name] for name in sorted(runtime.env)},
    }
    cmd = runtime.cmd
    if cmd is None and runtime.entrypoint is None:
        cmd = ("python",)
    return config_json(
        platform=target.platform,
        env=[f"{name}={value}" for name, value in env.items()],
        labels=runtime.labels,
        user=runtime.user,
        workdir=runtime.workdir,
        entrypoint=runtime.entrypoint,
        cmd=cmd,
        layers=layers,
    )


def description(target: Target, layer: PlannedLayer) -> str:
    """What a layer's history says: its name, then the packages in it with their versions."""
    versions = {deb.name: deb.version for deb in target.base.packages} if layer.kind == "debs" else {}
    if layer.kind == "wheels":
        versions = {wheel.name: wheel.version for wheel in target.wheels}
    if layer.kind == "conda":
        versions = {package.name: package.version for package in target.conda}
    packages = ", ".join(f"{name} {versions[name]}" for name in layer.packages)
    return f"{layer.name}: {packages}" if packages else layer.name
