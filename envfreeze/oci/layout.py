"""OCI image layouts in folders (image-spec, image-layout.md).

Blobs are shared with the cache where the file system can: as reflinks, else as hard links, else they are
copied. A layout is replaced as a whole, in one step.
"""

from __future__ import annotations

import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from envfreeze.errors import MachineError, UntrustedError, UsageError
from envfreeze.oci import canonical, staging
from envfreeze.oci.contents import BLOBS, INDEX, MARKER, VERSION, blob_path, contents
from envfreeze.oci.image import FileLayer
from envfreeze.oci.resolve import resolve_layout
from envfreeze.oci.sharing import share
from envfreeze.oci.verified import read_blob

if TYPE_CHECKING:
    from envfreeze.digest import Digest
    from envfreeze.oci.descriptor import Descriptor
    from envfreeze.oci.image import Image, ImageIndex, Layer

_READ_ONLY = 0o444
_CHUNK = 1 << 20
_OURS = frozenset({MARKER, INDEX, "blobs", "manifest.json", "repositories"})


def write(image: Image | ImageIndex, folder: Path, *, name: str | None = None) -> Digest:
    """Write an image, or the images of an index, as a layout.

    Args:
        image: what to write. Layers that are files (`FileLayer`) are shared where possible, others read.
        folder: where to; a layout that is there is replaced, an empty folder is filled.
        name: becomes `org.opencontainers.image.ref.name` in `index.json`.

    Returns:
        The digest of the manifest, or of the index.

    Raises:
        UsageError: there is something at `folder` that is not an OCI layout; it is left as it is.
        UntrustedError: a layer's bytes are not what its digest says.
        MachineError: the disk is full or the place may not be written.

    """
    target = Path(os.path.realpath(folder))
    _check_replaceable(target, folder)
    files = contents(image, name=name)
    with staging.folder(target) as staged:
        (staged / BLOBS).mkdir(parents=True)
        for path, layer in files.layers.items():
            _place(layer, staged / path)
        for path, document in files.documents.items():
            (staged / path).write_bytes(document)
            if path.startswith(BLOBS):
                (staged / path).chmod(_READ_ONLY)
    return files.digest


def read(folder: Path, *, name: str | None = None) -> Image | ImageIndex:
    """Read a layout; layers are checked when they are read.

    Args:
        folder: the layout.
        name: choose the image with this `org.opencontainers.image.ref.name`. Without a name a layout of
            one entry gives that image or index, and one of several gives them all as one index.

    Raises:
        UsageError: there is no layout at `folder`, or no image of this name in it.
        UntrustedError: a document is missing, damaged or malformed.
        MachineError: a file cannot be read.

    """
    if not _is_layout(folder):
        raise UsageError(f"{folder} is not an OCI image layout", hint="it would hold a file named oci-layout")
    version = canonical.parse(_small(folder / MARKER), str(folder / MARKER)).get("imageLayoutVersion")
    if version != VERSION:
        raise UntrustedError(f"{folder / MARKER} states the layout version {version!r}, known is {VERSION}")
    return resolve_layout(_FolderBlobs(folder), _small(folder / INDEX), where=str(folder), name=name)


@dataclass(frozen=True, slots=True)
class _FolderBlobs:
    folder: Path

    def read(self, descriptor: Descriptor) -> bytes:
        return read_blob(self._path(descriptor), descriptor.digest, descriptor.size)

    def layer(self, descriptor: Descriptor, diff_id: Digest) -> Layer:
        return FileLayer(
            descriptor.digest, diff_id, descriptor.size, descriptor.media_type, self._path(descriptor)
        )

    def _path(self, descriptor: Descriptor) -> Path:
        return self.folder / blob_path(descriptor.digest)


def _is_layout(folder: Path) -> bool:
    return (folder / MARKER).is_file()


def _check_replaceable(target: Path, shown: Path) -> None:
    """Refuse to replace what is no layout, or a layout that holds files of somebody else's."""
    if not os.path.lexists(target):
        return
    hint = "choose another place, or remove it yourself"
    if not target.is_dir():
        raise UsageError(f"{shown} exists and is not an OCI image layout", hint=hint)
    try:
        names = {entry.name for entry in target.iterdir()}
    except OSError as error:
        raise MachineError(f"cannot read {shown}: {error.strerror}") from error
    if not names:
        return
    if not _is_layout(target):
        raise UsageError(f"{shown} exists and is not an OCI image layout", hint=hint)
    foreign = sorted(names - _OURS)
    if foreign:
        raise UsageError(
            f"{shown} holds {foreign[0]} besides an OCI image layout; replacing it would delete that",
            hint=hint,
        )


def _small(path: Path) -> bytes:
    """Read a document that no digest vouches for."""
    try:
        with path.open("rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise UntrustedError(f"{path} is no regular file")
            return file.read(canonical.LIMIT + 1)
    except FileNotFoundError as error:
        raise UntrustedError(f"{path} is missing") from error
    except OSError as error:
        raise MachineError(f"cannot read {path}: {error.strerror}") from error


def _place(layer: Layer, target: Path) -> None:
    """Put a layer's blob at `target`, sharing its bytes where that is possible and safe."""
    if not (isinstance(layer, FileLayer) and share(layer.path, target, layer.digest, layer.size)):
        with layer.open() as source, target.open("xb") as output:
            shutil.copyfileobj(source, output, _CHUNK)
    target.chmod(_READ_ONLY)
