"""The image's config as instructions: what the native engine's config says beyond that of the base."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.engines.dockerfile import words
from envfreeze.engines.native.config import config_on, image_config
from envfreeze.oci import canonical

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from envfreeze.engines.dockerfile.base import BasePart
    from envfreeze.locking.model import Runtime, Target


@dataclass(frozen=True, slots=True)
class Settings:
    """What the image's config says, as instructions have it.

    Attributes:
        env: variables and their values in quotes.
        labels: labels and their values, both in quotes.
        workdir: absolute path.
        user: None: root.
        entrypoint: in the exec form; None: the base's.
        cmd: in the exec form; None: the base's.

    """

    env: tuple[tuple[str, str], ...]
    labels: tuple[tuple[str, str], ...]
    workdir: str
    user: str | None
    entrypoint: str | None
    cmd: str | None


def settings_of(target: Target, runtime: Runtime, base: BasePart) -> Settings:
    """Say what a target's config adds to its base's.

    Raises:
        UsageError: a value has a line break.
        UntrustedError: the base's config is malformed.

    """
    below: Mapping[str, Any] = {}
    if base.config is None:
        wanted = canonical.parse(image_config(target, runtime, []), "the config")["config"]
    else:
        below = canonical.parse(base.config, "the config of the base").get("config") or {}
        wanted = canonical.parse(config_on(base.config, target, runtime, []), "the config")["config"]
    env = {name: value for name, value in _pairs(wanted).items() if _pairs(below).get(name) != value}
    known = below.get("Labels") or {}
    labels = {name: text for name, text in wanted.get("Labels", {}).items() if known.get(name) != text}
    cmd = wanted.get("Cmd") or []
    # ENTRYPOINT takes the base's CMD away.
    cmd_below = (below.get("Cmd") or []) if runtime.entrypoint is None else []
    return Settings(
        env=tuple((name, words.value(text, f"the variable {name}")) for name, text in env.items()),
        labels=tuple(
            (words.value(name, "a label"), words.value(text, f"the label {name}"))
            for name, text in labels.items()
        ),
        workdir=words.path(runtime.workdir),
        user=wanted.get("User"),
        entrypoint=None if runtime.entrypoint is None else words.arguments(runtime.entrypoint),
        cmd=None if cmd == cmd_below else words.arguments(cmd),
    )


def _pairs(settings: Mapping[str, Any]) -> dict[str, str]:
    pairs = (one.partition("=") for one in settings.get("Env") or ())
    return {name: value for name, _, value in pairs}
