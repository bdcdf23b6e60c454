"""What is asked of an engine that builds a Dockerfile, and what it gives, in values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.oci.tar import MTIME

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from envfreeze.engines.driven.secrets import Secret, Ssh
    from envfreeze.oci.image import Image
    from envfreeze.oci.platform import Platform

EPOCH = MTIME
"""SOURCE_DATE_EPOCH of every build: the one moment that the writer gives to all files."""


@dataclass(frozen=True, slots=True)
class Request:
    """One build of a build folder.

    Attributes:
        folder: the Dockerfile and all that it copies; it is only read.
        dockerfile: the Dockerfile's path in it, POSIX.
        platforms: to build for; several give an index.
        stage: the stage to build; None: the last one.
        network: what `RUN` steps reach that do not say it themselves: `default`, `none` or `host`.
        secrets: what `RUN --mount=type=secret` may read.
        ssh: what `RUN --mount=type=ssh` may use.
        cache_from: where steps that were built before may be taken from, in the engine's own words.
        cache_to: where the steps that are built are kept, likewise.
        builder: the engine's builder, by name; None: the one in use.
        fresh: nothing that was built before is used: no cached step, no cache mount, no transferred file.

    """

    folder: Path
    dockerfile: str
    platforms: tuple[Platform, ...]
    stage: str | None = None
    network: str = "default"
    secrets: tuple[Secret, ...] = ()
    ssh: tuple[Ssh, ...] = ()
    cache_from: tuple[str, ...] = ()
    cache_to: tuple[str, ...] = ()
    builder: str | None = None
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Built:
    """What an engine made.

    Attributes:
        images: one per platform, in the order of the request, as they lie in the folder that was given.
        tools: the programs that built it, each with its version: `{"docker": "28.5.2", "buildx": "0.29.1"}`.
        log: all that the engine said.
        notes: what the user should know, one sentence each.

    """

    images: tuple[Image, ...]
    tools: Mapping[str, str]
    log: Path
    notes: tuple[str, ...] = ()
