"""An image out of Docker's or Podman's own store, by the name that the engine has for it.

Neither store can be read in place: the engine writes the image to a file, which is read as any archive.
Docker's classic store keeps no manifest, so that the one that is found is made here; config and diffIDs are
the engine's.
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from envfreeze.errors import MachineError, UntrustedError, UsageError
from envfreeze.oci import docker, docker_archive, reference, saved

if TYPE_CHECKING:
    from pathlib import Path

    from envfreeze.oci.docker import Engine
    from envfreeze.oci.image import Image, ImageIndex

_TAIL = 5
_FORMATS = {
    "docker": (),
    # Its other formats write another config, and with --uncompressed it names plain tars gzip (podman 4.3).
    "podman": ("--quiet", "--format", "oci-archive"),
}


def read(name: str, folder: Path, *, only: str | None = None) -> Image | ImageIndex:
    """Have an engine write an image, and read what it wrote.

    Args:
        name: what the engine calls it: `name:tag`, `name@sha256:...` or an ID.
        folder: where the file is put, which the image's layers are read from.
        only: `docker` or `podman`; None: Docker where it answers, else Podman.

    Raises:
        UsageError: the engine has no such image.
        MachineError: there is no engine, or it fails, or the disk is full.
        UntrustedError: what it wrote is damaged.

    """
    engine = docker.find("to take the image from", only=only)
    wanted = _known(engine, name)
    path = folder / "saved.tar"
    _run(engine, "save", *_FORMATS[engine.name], "--output", str(path), wanted, what=f"write {name}")
    try:
        return saved.read_all(path)
    except UntrustedError:
        # With the containerd store the archive may name platforms that were never pulled.
        return docker_archive.read(path)


def _known(engine: Engine, name: str) -> str:
    """What to ask the engine for: an ID, or a name with its tag: of one without it saves all tags."""
    hint = f"{engine.name} images   # lists what it has"
    if not name or name.startswith("-"):
        raise UsageError(f"{name!r} is not a name for an image", hint=hint)
    for asked in dict.fromkeys((reference.with_tag(name) or name, name)):
        answer = _inspect(engine, asked)
        if answer is not None:
            return asked if reference.is_tagged(asked) else answer
    raise UsageError(f"{engine.name} has no image {name}", hint=hint)


def _inspect(engine: Engine, name: str) -> str | None:
    done = subprocess.run(
        [engine.name, "image", "inspect", "--format", "{{.Id}}", name],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or None if done.returncode == 0 else None


def _run(engine: Engine, *arguments: str, what: str) -> None:
    try:
        done = subprocess.run(
            [engine.name, *arguments], stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
    except OSError as error:
        raise MachineError(f"cannot run {engine.name}: {error.strerror}") from error
    if done.returncode:
        said = [line for line in done.stderr.decode("utf-8", "replace").splitlines() if line.strip()]
        raise MachineError(f"{engine.name} did not {what}", details=tuple(said[-_TAIL:]))
