"""The image's config: what the environment needs to be found, and what the project asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from envfreeze.errors import UntrustedError
from envfreeze.locking.model import CONDA_PREFIX
from envfreeze.oci import canonical
from envfreeze.oci.manifest import config_json, config_json_on

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from envfreeze.digest import Digest
    from envfreeze.locking.model import PlannedLayer, Runtime, Target

_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def image_config(target: Target, runtime: Runtime, layers: Sequence[tuple[Digest, str]]) -> bytes:
    """The config of a target's image.

    Args:
        target: the target.
        runtime: what the project asked for; its variables come after ours and may replace LANG and those that
            say what the image needs of a GPU, and so do its labels.
        layers: diffID and description of each layer, the lowest first.

    """
    env = {
        **_variables(target, {}),
        **{name: runtime.env[name] for name in sorted(runtime.env)},
    }
    cmd = runtime.cmd
    if cmd is None and runtime.entrypoint is None:
        cmd = ("python",)
    return config_json(
        platform=target.platform,
        env=[f"{name}={value}" for name, value in env.items()],
        labels=_labels(target, runtime),
        user=runtime.user,
        workdir=runtime.workdir,
        entrypoint=runtime.entrypoint,
        cmd=cmd,
        layers=layers,
    )


def config_on(below: bytes, target: Target, runtime: Runtime, layers: Sequence[tuple[Digest, str]]) -> bytes:
    """The config of a target's image that lies on a base which is an image.

    The base's settings stay where the project says nothing else; a build trigger of it (`OnBuild`) was meant
    for a Dockerfile and goes.

    Args:
        below: the base's config.
        target: the target.
        runtime: what the project asked for.
        layers: diffID and description of each layer that is made, the lowest first.

    Raises:
        UntrustedError: the base's config is malformed.

    """
    document = canonical.parse(below, "the config of the base")
    settings = _settings(document)
    own = _variables(target, settings["Env"])
    env = {**settings["Env"], **own, **{name: runtime.env[name] for name in sorted(runtime.env)}}
    started = _started(settings, runtime)
    kept = {key: value for key, value in settings.items() if key not in {"Env", "OnBuild", "Image"}}
    changed = {
        **kept,
        "Env": [f"{name}={value}" for name, value in env.items()],
        "Labels": {**settings["Labels"], **_labels(target, runtime)},
        "User": runtime.user or settings.get("User"),
        "WorkingDir": runtime.workdir,
        **started,
    }
    return config_json_on(
        document, platform=target.platform, settings=changed, layers=layers, base_layers=_diff_ids(target)
    )


def _settings(document: Mapping[str, Any]) -> dict[str, Any]:
    settings = document.get("config") or {}
    if not isinstance(settings, dict):
        raise UntrustedError("the config of the base has settings that are not an object")
    labels = settings.get("Labels") or {}
    env = settings.get("Env") or []
    if not isinstance(labels, dict) or not all(isinstance(text, str) for text in (*labels.values(), *env)):
        raise UntrustedError("the config of the base has labels or variables that are not text")
    pairs = (one.partition("=") for one in env)
    return {**settings, "Labels": labels, "Env": {name: value for name, equals, value in pairs if equals}}


def _started(settings: Mapping[str, Any], runtime: Runtime) -> dict[str, Any]:
    """What is run: the base's own where the project says nothing, as `ENTRYPOINT` and `CMD` would have it."""
    if runtime.entrypoint is not None:
        return {"Entrypoint": list(runtime.entrypoint), "Cmd": list(runtime.cmd or ())}
    entrypoint, cmd = settings.get("Entrypoint"), settings.get("Cmd")
    if runtime.cmd is not None:
        cmd = list(runtime.cmd)
    elif not cmd and not entrypoint:
        cmd = ["python"]
    return {"Entrypoint": entrypoint, "Cmd": cmd}


def _diff_ids(target: Target) -> list[Digest]:
    return [layer.diff_id for layer in (target.image.layers if target.image is not None else ())]


def _variables(target: Target, below: Mapping[str, str]) -> dict[str, str]:
    """What the environment needs to be found, over the variables of the base."""
    prefixes = [target.prefix, *([CONDA_PREFIX] if target.conda else [])]
    folders = [f"/{prefix}/bin" for prefix in dict.fromkeys(prefixes)]
    own = {
        "PATH": ":".join((*folders, below.get("PATH") or _SYSTEM_PATH)),
        "CONDA_PREFIX" if target.prefix == CONDA_PREFIX else "VIRTUAL_ENV": f"/{target.prefix}",
    }
    # A base that was made for another language says so, and is believed.
    if not {"LANG", "LC_ALL"} & below.keys():
        own["LANG"] = "C.UTF-8"
    return own if target.gpu is None else {**own, **dict(sorted(target.gpu.env.items()))}


def _labels(target: Target, runtime: Runtime) -> Mapping[str, str]:
    """What the lock says of CUDA, under what the project says."""
    return runtime.labels if target.gpu is None else {**target.gpu.labels, **runtime.labels}


def description(target: Target, layer: PlannedLayer) -> str:
    """What a layer's history says: its name, then the packages in it with their versions."""
    if layer.kind == "python" and target.standalone is not None:
        return f"{layer.name}: {target.standalone.release}"
    versions = {deb.name: deb.version for deb in target.base.packages} if layer.kind == "debs" else {}
    if layer.kind == "wheels":
        versions = {wheel.name: wheel.version for wheel in target.wheels}
    if layer.kind == "conda":
        versions = {package.name: package.version for package in target.conda}
    packages = ", ".join(f"{name} {versions[name]}" for name in layer.packages)
    return f"{layer.name}: {packages}" if packages else layer.name
