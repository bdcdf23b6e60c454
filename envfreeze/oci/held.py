"""What Docker or Podman says of an image that it holds, without writing the image out.

The digest may be an ID (of the config, or of the manifest with Docker's containerd store), or the one under
which a registry has what the engine pushed or pulled: the classic store compresses layers anew when it
pushes, so that one is in nobody's records.
"""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, NamedTuple

from envfreeze.digest import Digest
from envfreeze.errors import EnvfreezeError
from envfreeze.oci import docker

if TYPE_CHECKING:
    from envfreeze.oci.docker import Engine

_SECONDS = 30


class Held(NamedTuple):
    """An image in an engine's store.

    Attributes:
        id: the engine's ID of it: the digest of its config, or of its manifest.
        diff_ids: of its layers, lowest first.

    """

    id: Digest
    diff_ids: tuple[Digest, ...]


def by_digest(digest: Digest) -> Held | None:
    """Ask the engine of this machine for an image; None where there is no engine, or it has none such."""
    try:
        engine = docker.find()
    except EnvfreezeError:
        return None
    for asked in (str(digest), *_ids(engine, digest)):
        said = _said(engine, "image", "inspect", "--format", "{{json .}}", asked)
        held = _read(said)
        if held is not None:
            return held
    return None


def _ids(engine: Engine, digest: Digest) -> list[str]:
    """The IDs of the images that the engine knows by a registry's digest."""
    said = _said(engine, "images", "--all", "--no-trunc", "--digests", "--format", "{{.Digest}} {{.ID}}")
    rows = (line.split() for line in said.splitlines())
    return list(dict.fromkeys(row[1] for row in rows if len(row) > 1 and row[0] == str(digest)))


def _said(engine: Engine, *arguments: str) -> str:
    try:
        done = subprocess.run(
            [engine.name, *arguments], capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _read(said: str) -> Held | None:
    """Read what `image inspect` prints (Docker Engine API, "Inspect an image")."""
    try:
        document = json.loads(said)
        name, layers = document["Id"], document["RootFS"]["Layers"]
        return Held(Digest.parse(name), tuple(Digest.parse(layer) for layer in layers))
    except (ValueError, KeyError, TypeError):
        return None
