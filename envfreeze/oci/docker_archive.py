"""What `docker save` and `podman save` write: a tar of layers with a `manifest.json` that lists them.

Docker's image specification v1.2, "Combined Image JSON + Filesystem Changeset Format". There is no manifest
in it that a registry would know, so one is made of what is there: its digest is nobody else's. Archives of
Docker 25 and later are OCI archives too and are better read as such (`archive`).
"""

from __future__ import annotations

import hashlib
import json
import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.digest import Digest
from envfreeze.errors import MachineError, UntrustedError, UsageError
from envfreeze.oci import canonical, media, reference
from envfreeze.oci.archive import DOCKER_MANIFEST, ArchiveLayer
from envfreeze.oci.descriptor import parse_digest
from envfreeze.oci.image import ImageValue
from envfreeze.oci.members import Type, members

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from envfreeze.oci.image import Image

_MOST_FILES = 100_000
_CHUNK = 1 << 20
_GZIP = b"\x1f\x8b"


def read(path: Path, *, name: str | None = None) -> Image:
    """Read an image of an archive in place; layers are checked when they are read.

    Args:
        path: the tar file, not compressed.
        name: the tag that it was saved with, with or without `docker.io/library/` and `:latest`; None: the
            archive's only image.

    Raises:
        UsageError: it is no such archive, holds several images, or none of the name.
        UntrustedError: it is damaged.
        MachineError: the file cannot be read.

    """
    try:
        files = _files(path)
        if DOCKER_MANIFEST not in files.places:
            raise UsageError(
                f"{path} is no image: neither an OCI archive nor what `docker save` writes",
                hint="write one: docker save --output image.tar NAME",
            )
        entry = _entry(files, path, name)
        config = files.read(entry["Config"])
        document = canonical.parse(config, f"{entry['Config']} in {path}")
        rootfs = document.get("rootfs")
        diff_ids = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
        if not isinstance(diff_ids, list) or len(diff_ids) != len(entry["Layers"]):
            raise UntrustedError(f"{path}: its config and {DOCKER_MANIFEST} name different layers")
        layers = tuple(
            files.layer(name, parse_digest(value, f"diff_id {number} in {path}"))
            for number, (name, value) in enumerate(zip(entry["Layers"], diff_ids, strict=True), 1)
        )
    except OSError as error:
        raise MachineError(f"cannot read {path}: {error.strerror}") from error
    return ImageValue(_manifest(config, layers), config, layers)


@dataclass(frozen=True, slots=True)
class _Files:
    """The files of an archive: by name their offset and size in bytes, and what links stand for."""

    path: Path
    places: dict[str, tuple[int, int]]
    links: dict[str, str]

    def check_number(self) -> None:
        if len(self.places) + len(self.links) >= _MOST_FILES:
            raise UntrustedError(f"it holds more than {_MOST_FILES} files")

    def place(self, name: str) -> tuple[int, int]:
        """Find a file; a layer that two images share may be a link to it."""
        for _ in range(2):
            if name in self.places:
                return self.places[name]
            name = self.links.get(name, "")
        raise UntrustedError(f"{self.path}: a file that {DOCKER_MANIFEST} names is missing")

    def read(self, name: str) -> bytes:
        offset, size = self.place(name)
        with self.path.open("rb") as file:
            file.seek(offset)
            content = file.read(min(size, canonical.LIMIT + 1))
        stem = posixpath.basename(name).removesuffix(".json")
        if len(stem) == len(Digest.of(b"").hex) and stem != Digest.of(content).hex:
            raise UntrustedError(f"{self.path}: {name} is not what its name says")
        return content

    def layer(self, name: str, diff_id: Digest) -> ArchiveLayer:
        offset, size = self.place(name)
        with self.path.open("rb") as file:
            file.seek(offset)
            if file.read(len(_GZIP)) != _GZIP:
                return ArchiveLayer(diff_id, diff_id, size, media.DOCKER_LAYER, self.path, offset)
            # Some builders' archives have compressed layers, whose digest nothing in them states.
            file.seek(offset)
            whole, left = hashlib.sha256(), size
            while left and (piece := file.read(min(left, _CHUNK))):
                whole.update(piece)
                left -= len(piece)
        digest = Digest(whole.hexdigest())
        return ArchiveLayer(digest, diff_id, size, media.DOCKER_LAYER_GZIP, self.path, offset)


def _files(path: Path) -> _Files:
    found = _Files(path, {}, {})
    try:
        with path.open("rb") as file:
            for member, _ in members(file, seek=True):
                found.check_number()
                if member.type is Type.FILE:
                    found.places[member.path] = member.offset, member.size
                elif member.type is Type.SYMLINK:
                    folder = posixpath.dirname(member.path)
                    found.links[member.path] = posixpath.normpath(posixpath.join(folder, member.link))
                elif member.type is Type.HARDLINK:
                    found.links[member.path] = member.link
    except FileNotFoundError as error:
        raise UsageError(f"there is no {path}") from error
    except UntrustedError as error:
        with path.open("rb") as file:
            if file.read(len(_GZIP)) == _GZIP:
                raise UsageError(f"{path} is compressed", hint=f"gunzip --keep {path}") from error
        raise UntrustedError(f"{path}: {error.message}") from error
    return found


def _entry(files: _Files, path: Path, wanted: str | None) -> dict[str, Any]:
    what = f"{DOCKER_MANIFEST} in {path}"
    offset, size = files.place(DOCKER_MANIFEST)
    with path.open("rb") as file:
        file.seek(offset)
        raw = file.read(min(size, canonical.LIMIT))
    try:
        listed = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise UntrustedError(f"{what} is not valid JSON ({error})") from error
    entries = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    held = ", ".join(tag for one in entries for tag in _tags(one))
    if wanted is not None:
        entries = [one for one in entries if _whole_name(wanted) in map(_whole_name, _tags(one))]
        if not entries:
            raise UsageError(f"{path} holds no image named {wanted}", hint=f"it holds {held}" if held else "")
    if len(entries) > 1:
        raise UsageError(f"{path} holds several images: {held}", hint="save one of them alone")
    if not entries:
        raise UntrustedError(f"{what} lists no image")
    (entry,) = entries
    layers = entry.get("Layers")
    names = [entry.get("Config"), *(layers if isinstance(layers, list) else [None])]
    if not all(isinstance(name, str) for name in names):
        raise UntrustedError(f"{what} does not name a config and layers")
    return entry


def _tags(entry: dict[str, Any]) -> list[str]:
    listed = entry.get("RepoTags")
    return [tag for tag in listed if isinstance(tag, str)] if isinstance(listed, list) else []


def _whole_name(name: str) -> str:
    """The name with all that engines let people leave out."""
    tagged = reference.with_tag(name)
    return name if tagged is None else reference.full(tagged)


def _manifest(config: bytes, layers: tuple[ArchiveLayer, ...]) -> bytes:
    return canonical.dump(
        {
            "schemaVersion": 2,
            "mediaType": media.DOCKER_MANIFEST,
            "config": {
                "mediaType": media.DOCKER_CONFIG,
                "digest": str(Digest.of(config)),
                "size": len(config),
            },
            "layers": [
                {"mediaType": layer.media_type, "digest": str(layer.digest), "size": layer.size}
                for layer in layers
            ],
        }
    )
