"""OCI archives: an image layout as one tar file.

An archive of one image also holds Docker's `manifest.json`, so that every `docker load` takes it, also
those that do not know OCI layouts. Equal images give equal archives: names are sorted, owners and times
constant.
"""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from envfreeze.digest import Digest
from envfreeze.errors import MachineError, UntrustedError, UsageError
from envfreeze.oci import canonical, reference, staging, tar
from envfreeze.oci.contents import INDEX, MARKER, VERSION, blob_path, contents
from envfreeze.oci.image import ImageIndex
from envfreeze.oci.members import Member, Type, members
from envfreeze.oci.resolve import resolve_layout
from envfreeze.oci.verified import open_blob, read_blob

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envfreeze.oci.descriptor import Descriptor
    from envfreeze.oci.image import Image, Layer

DOCKER_MANIFEST = "manifest.json"
"""What `docker load` reads (Docker's image specification v1.2, "Combined Image JSON + Filesystem Changeset
Format")."""

_CHUNK = 1 << 20
_FOLDERS = ("blobs", "blobs/sha256")
_MOST_FILES = 100_000


def write(image: Image | ImageIndex, path: Path, *, name: str | None = None) -> Digest:
    """Write an image, or the images of an index, as an OCI archive.

    Args:
        image: what to write; the bytes of its layers are checked on the way.
        path: the file; an archive that is there is replaced.
        name: becomes `org.opencontainers.image.ref.name`, and where it has the form `name:tag` the name
            that `docker load` gives the image.

    Returns:
        The digest of the manifest, or of the index.

    Raises:
        UsageError: `path` is a folder, or something else that is no archive.
        UntrustedError: a layer's bytes are not what its digest says.
        MachineError: the disk is full or the place may not be written.

    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise UsageError(f"{path} is a folder", hint="name the archive's file, or write an OCI layout")
    if target.exists() and not _is_archive(target):
        raise UsageError(
            f"{path} is there and is no OCI archive; it is left as it is",
            hint="name a file that is not there yet",
        )
    with staging.file(target) as output:
        return stream(image, output, name=name)


def _is_archive(path: Path) -> bool:
    """Whether a file may be replaced by an archive: it is one, with the layout's marker in it."""
    if not path.is_file():
        return False
    try:
        with tarfile.open(path, "r:") as archive:
            return any(member.name.removeprefix("./") == MARKER for member in archive)
    except (tarfile.TarError, OSError):
        return False


def stream(image: Image | ImageIndex, output: BinaryIO, *, name: str | None = None) -> Digest:
    """Write an archive to an open file or pipe.

    Args:
        image: what to write.
        output: where to.
        name: as for `write`.

    Returns:
        The digest of the manifest, or of the index.

    Raises:
        UntrustedError: a layer's bytes are not what its digest says.
        OSError: the output cannot be written.

    """
    files = contents(image, name=name)
    documents = dict(files.documents)
    if not isinstance(image, ImageIndex):
        documents[DOCKER_MANIFEST] = _docker_manifest(image, name)
    for path in sorted((*_FOLDERS, *documents, *files.layers)):
        if path in _FOLDERS:
            output.write(_header(path, tarfile.DIRTYPE, 0o755, 0))
        elif path in documents:
            _add(output, path, io.BytesIO(documents[path]), len(documents[path]))
        else:
            layer = files.layers[path]
            with layer.open() as source:
                _add(output, path, source, layer.size)
    output.write(tar.END)
    return files.digest


def read(path: Path, *, name: str | None = None) -> Image | ImageIndex:
    """Read an OCI archive in place; layers are checked when they are read.

    Args:
        path: the tar file, not compressed.
        name: as for `layout.read`.

    Raises:
        UsageError: there is no OCI archive at `path`, or no image of this name in it.
        UntrustedError: a document is missing, damaged or malformed.
        MachineError: the file cannot be read.

    """
    blobs = _ArchiveBlobs(path, _places(path))
    if MARKER not in blobs.places:
        raise UsageError(f"{path} is not an OCI archive: it holds no file named {MARKER}")
    version = canonical.parse(blobs.small(MARKER), f"{MARKER} in {path}").get("imageLayoutVersion")
    if version != VERSION:
        raise UntrustedError(f"{MARKER} in {path} states the version {version!r}, known is {VERSION}")
    return resolve_layout(blobs, blobs.small(INDEX), where=str(path), name=name)


@dataclass(frozen=True, slots=True)
class ArchiveLayer:
    """A layer inside an archive.

    Attributes:
        digest: of the blob.
        diff_id: of the tar inside.
        size: bytes of the blob.
        media_type: of the blob.
        path: the archive.
        offset: where the blob begins in it, in bytes.

    """

    digest: Digest
    diff_id: Digest
    size: int
    media_type: str
    path: Path
    offset: int

    def open(self) -> BinaryIO:
        """Open the blob; reading checks its digest.

        Raises:
            UntrustedError: the blob is not what its digest says.
            MachineError: the file cannot be read.

        """
        return open_blob(self.path, self.digest, self.size, offset=self.offset)


@dataclass(frozen=True, slots=True)
class _ArchiveBlobs:
    path: Path
    places: Mapping[str, tuple[int, int]]

    def small(self, name: str) -> bytes:
        """Read a document that no digest vouches for."""
        if name not in self.places:
            raise UntrustedError(f"{name} is missing in {self.path}")
        offset, size = self.places[name]
        with self.path.open("rb") as file:
            file.seek(offset)
            return file.read(min(size, canonical.LIMIT + 1))

    def read(self, descriptor: Descriptor) -> bytes:
        return read_blob(self.path, descriptor.digest, descriptor.size, offset=self._offset(descriptor))

    def layer(self, descriptor: Descriptor, diff_id: Digest) -> Layer:
        return ArchiveLayer(
            descriptor.digest,
            diff_id,
            descriptor.size,
            descriptor.media_type,
            self.path,
            self._offset(descriptor),
        )

    def _offset(self, descriptor: Descriptor) -> int:
        place = self.places.get(blob_path(descriptor.digest))
        if place is None:
            raise UntrustedError(f"blob {descriptor.digest} is missing in {self.path}")
        offset, size = place
        if size != descriptor.size:
            raise UntrustedError(
                f"blob {descriptor.digest} has {size} bytes in {self.path}, not {descriptor.size}"
            )
        return offset


def _places(path: Path) -> dict[str, tuple[int, int]]:
    """Find the files of an archive: name to offset and size, in bytes."""
    places: dict[str, tuple[int, int]] = {}
    try:
        with path.open("rb") as file:
            for member, _ in members(file, seek=True):
                if member.type is Type.FILE:
                    _add_place(places, member)
    except FileNotFoundError as error:
        raise UsageError(f"there is no {path}") from error
    except OSError as error:
        raise MachineError(f"cannot read {path}: {error.strerror}") from error
    except UntrustedError as error:
        raise UntrustedError(f"{path}: {error.message}") from error
    return places


def _add_place(places: dict[str, tuple[int, int]], member: Member) -> None:
    if member.path in places:
        raise UntrustedError(f"{member.path} stands in it twice")
    if len(places) >= _MOST_FILES:
        raise UntrustedError(f"it holds more than {_MOST_FILES} files")
    places[member.path] = member.offset, member.size


def _docker_manifest(image: Image, name: str | None) -> bytes:
    entry = {
        "Config": blob_path(Digest.of(image.config)),
        "RepoTags": [name] if name and reference.is_tagged(name) else None,
        "Layers": [blob_path(layer.digest) for layer in image.layers],
    }
    return canonical.dump([entry])


def _add(output: BinaryIO, path: str, source: BinaryIO, size: int) -> None:
    output.write(_header(path, tarfile.REGTYPE, 0o644, size))
    shutil.copyfileobj(source, output, _CHUNK)
    output.write(tar.padding(size))


def _header(path: str, flag: bytes, mode: int, size: int) -> bytes:
    info = tarfile.TarInfo(path)
    info.type, info.mode, info.size, info.mtime = flag, mode, size, tar.MTIME
    return info.tobuf(tarfile.PAX_FORMAT)
