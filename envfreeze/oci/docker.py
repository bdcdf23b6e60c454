"""Loading an image into Docker or Podman, where there is one.

The image goes as a stream that is an OCI archive and what `docker load` has always read, both at once:
Docker 20.10 knows only the latter, Docker with the containerd store keeps the manifest of the former.
The client programs are driven, not the API socket: they know contexts, remote hosts and rootless set-ups.
"""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from typing import BinaryIO, cast

from envfreeze.digest import Digest
from envfreeze.errors import MachineError, UntrustedError, UsageError
from envfreeze.oci import archive, reference
from envfreeze.oci.image import Image, ImageIndex
from envfreeze.oci.platform import Platform

_ANSWER_SECONDS = 30
_TAIL = 5


@dataclass(frozen=True, slots=True)
class Engine:
    """A container engine that answers.

    Attributes:
        name: `docker` or `podman`, which is also the program that is run.
        platform: of the containers that it runs.

    """

    name: str
    platform: Platform


_QUESTIONS = (
    ("docker", ("version", "--format", "{{.Server.Os}}/{{.Server.Arch}}")),
    ("podman", ("info", "--format", "{{.Host.OS}}/{{.Host.Arch}}")),
)


def find(purpose: str = "to load the image into", *, only: str | None = None) -> Engine:
    """Find Docker, if its daemon answers, else Podman.

    Args:
        purpose: what it is wanted for, for the error.
        only: `docker` or `podman`: this one and no other.

    Raises:
        MachineError: neither is there.

    """
    found: list[str] = []
    for name, question in _QUESTIONS:
        if only not in {None, name}:
            continue
        try:
            answer = subprocess.run(
                [name, *question], capture_output=True, text=True, timeout=_ANSWER_SECONDS, check=False
            )
        except FileNotFoundError:
            found.append(f"{name}: not installed")
            continue
        except (OSError, subprocess.TimeoutExpired) as error:
            found.append(f"{name}: {error}")
            continue
        os, _, architecture = answer.stdout.strip().partition("/")
        if answer.returncode == 0 and os and architecture:
            return Engine(name, Platform(os, architecture))
        found.append(f"{name}: {_last_line(answer.stderr) or 'gave no answer'}")
    raise MachineError(
        f"no container engine {purpose}",
        hint="start Docker or install Podman; the image itself needs neither, it is an OCI layout or archive",
        details=tuple(found),
    )


def load(image: Image | ImageIndex, *, tag: str | None = None, only: str | None = None) -> str:
    """Load an image into Docker or Podman.

    Args:
        image: the image; of an index the image for the engine's platform.
        tag: `name` or `name:tag` to call it by.
        only: as for `find`.

    Returns:
        The image ID that the engine gives it: the digest of its config, or with Docker's containerd store
        the digest of its manifest.

    Raises:
        UsageError: the tag is not one, or the index has no image for the engine's platform.
        MachineError: there is no engine, or it fails.
        UntrustedError: a layer is damaged, or the engine holds another image after the load.

    """
    name = None if tag is None else _reference(tag)
    engine = find(only=only)
    chosen = _chosen(image, engine)
    _load(chosen, engine, name)
    return _check(chosen, engine, name)


def _reference(tag: str) -> str:
    named = reference.with_tag(tag)
    if named is None:
        raise UsageError(
            f"{tag!r} is not a name for an image", hint="use lower-case letters and digits, as in name:tag"
        )
    return named


def _chosen(image: Image | ImageIndex, engine: Engine) -> Image:
    if not isinstance(image, ImageIndex):
        return image
    for one in image.images:
        if one.platform == engine.platform:
            return one
    held = ", ".join(str(one.platform) for one in image.images)
    raise UsageError(f"{engine.name} runs {engine.platform}, the image is for {held}")


def _load(image: Image, engine: Engine, name: str | None) -> None:
    # Files and not pipes for what it says: nobody reads while the image is written.
    with tempfile.TemporaryFile() as said:
        try:
            process = subprocess.Popen(
                [engine.name, "load", "--quiet"], stdin=subprocess.PIPE, stdout=said, stderr=said
            )
        except OSError as error:
            raise MachineError(f"cannot run {engine.name}: {error.strerror}") from error
        with process:
            try:
                _feed(process, image, name)
            except BaseException:
                process.kill()
                raise
        if process.returncode != 0:
            raise MachineError(f"{engine.name} did not load the image", details=tuple(_lines(said)[-_TAIL:]))


def _feed(process: subprocess.Popen[bytes], image: Image, name: str | None) -> None:
    if process.stdin is None:
        return
    try:
        with process.stdin as pipe:
            archive.stream(image, cast("BinaryIO", pipe), name=name)
    except BrokenPipeError:
        # The engine gave up: its exit status and its words say why.
        return


def _check(image: Image, engine: Engine, name: str | None) -> str:
    """Ask the engine what it holds now, and compare."""
    config = str(Digest.of(image.config))
    expected = (config, str(image.digest))
    for asked in (name,) if name else expected:
        answer = subprocess.run(
            [engine.name, "image", "inspect", "--format", "{{.Id}}", asked],
            capture_output=True,
            text=True,
            check=False,
        )
        if answer.returncode == 0:
            held = answer.stdout.strip()
            held = held if held.startswith("sha256:") else f"sha256:{held}"
            if held in expected:
                return held
            raise UntrustedError(f"{engine.name} holds the image {held} after the load, not {config}")
    raise MachineError(f"{engine.name} took the image and does not have it", details=expected)


def _lines(file: BinaryIO) -> list[str]:
    file.seek(0)
    return [line for line in file.read().decode("utf-8", "replace").splitlines() if line.strip()]


def _last_line(text: str) -> str:
    return next((line for line in reversed(text.splitlines()) if line.strip()), "")
