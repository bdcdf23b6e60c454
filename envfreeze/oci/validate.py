"""Whether an image keeps the promises of the format, whoever made it: all that is wrong, at once.

Every blob is read: digest and size of the blob, digest of the tar inside, and what stands in the tar.
Layers are read in parallel; memory holds the names of a layer's members, never their content.
"""

from __future__ import annotations

import hashlib
import io
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, BinaryIO

from envfreeze.digest import Digest
from envfreeze.errors import UntrustedError
from envfreeze.oci import canonical, media
from envfreeze.oci.descriptor import Descriptor
from envfreeze.oci.image import ImageIndex
from envfreeze.oci.inflate import inflate
from envfreeze.oci.members import members, rest
from envfreeze.oci.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from _typeshed import WriteableBuffer

    from envfreeze.oci.image import Image, Layer

_CHUNK = 1 << 20
_SCHEMA = 2


def validate(image: Image | ImageIndex) -> tuple[str, ...]:
    """Check an image, or an index and all its images.

    Returns:
        One sentence for each thing that is wrong; empty for a sound image.

    Raises:
        MachineError: a file cannot be read.

    """
    if not isinstance(image, ImageIndex):
        return tuple(_image(image))
    problems = list(_index(image))
    for one in image.images:
        problems += [f"{_shown(one)}: {problem}" for problem in _image(one)]
    return tuple(problems)


def _shown(image: Image) -> str:
    try:
        return str(image.platform)
    except UntrustedError:
        return str(image.digest)


def _index(index: ImageIndex) -> Iterator[str]:
    try:
        document = canonical.parse(index.raw, "the index")
    except UntrustedError as error:
        yield error.message
        return
    yield from _head(document, media.INDEXES, "index")
    listed = document.get("manifests")
    if not isinstance(listed, list):
        yield "the index has no list of manifests"
        return
    entries: dict[Digest, Descriptor] = {}
    for number, value in enumerate(listed, 1):
        try:
            entry = Descriptor.parse(value, f"entry {number} of the index")
        except UntrustedError as error:
            yield error.message
            continue
        if entry.media_type not in media.INDEXES | media.MANIFESTS:
            yield f"entry {number} of the index has the media type {entry.media_type}"
        entries[entry.digest] = entry
    yield from _members_of(index, entries)


def _members_of(index: ImageIndex, entries: dict[Digest, Descriptor]) -> Iterator[str]:
    nested = any(entry.media_type in media.INDEXES for entry in entries.values())
    present = {image.digest for image in index.images}
    for digest, entry in entries.items():
        if entry.media_type in media.MANIFESTS and digest not in present:
            yield f"manifest {digest} stands in the index and is missing"
    for image in index.images:
        described = entries.get(image.digest)
        if described is not None:
            yield from _against_index(image, described)
        elif not nested:
            yield f"manifest {image.digest} does not stand in the index"


def _against_index(image: Image, entry: Descriptor) -> Iterator[str]:
    if entry.size != len(image.manifest):
        yield f"manifest {image.digest} has {len(image.manifest)} bytes, the index states {entry.size}"
    try:
        platform = image.platform
    except UntrustedError:
        return  # Reported with the image.
    if entry.platform is not None and platform != entry.platform and not _is_artifact(image):
        yield f"manifest {image.digest} is for {platform}, the index states {entry.platform}"


def _is_artifact(image: Image) -> bool:
    """Whether a manifest is no image at all, like an attestation (image-spec, manifest.md, "Artifacts")."""
    try:
        document = canonical.parse(image.manifest, "the manifest")
    except UntrustedError:
        return False
    config = document.get("config")
    media_type = config.get("mediaType") if isinstance(config, dict) else None
    tars = any(layer.media_type in media.LAYERS for layer in image.layers)
    return media_type not in media.CONFIGS or (bool(image.layers) and not tars)


def _image(image: Image) -> Iterator[str]:
    artifact = _is_artifact(image)
    yield from _manifest(image, artifact=artifact)
    if not artifact:
        yield from _config(image)
    count = len(image.layers)
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        # Named by their place, since two layers may be equal.
        results = pool.map(lambda layer: _layer(layer, artifact=artifact), image.layers)
        for number, (layer, found) in enumerate(zip(image.layers, results, strict=True), 1):
            for problem in found:
                yield f"layer {number} of {count} ({layer.digest}): {problem}"


def _head(document: dict[str, Any], types: frozenset[str], what: str) -> Iterator[str]:
    if document.get("schemaVersion") != _SCHEMA:
        yield f"the {what} has the schemaVersion {document.get('schemaVersion')!r}, not {_SCHEMA}"
    stated = document.get("mediaType")
    if stated is not None and stated not in types:
        yield f"the {what} has the media type {stated!r}"


def _manifest(image: Image, *, artifact: bool) -> Iterator[str]:
    try:
        document = canonical.parse(image.manifest, "the manifest")
    except UntrustedError as error:
        yield error.message
        return
    yield from _head(document, media.MANIFESTS, "manifest")
    if "manifests" in document:
        yield "the manifest has a list of manifests too: readers may take it for an index (CVE-2021-41190)"
    try:
        config = Descriptor.parse(document.get("config"), "the manifest's config")
    except UntrustedError as error:
        yield error.message
    else:
        actual = Digest.of(image.config)
        if config.digest != actual:
            yield f"the config is {actual}, the manifest states {config.digest}"
        if config.size != len(image.config):
            yield f"the config has {len(image.config)} bytes, the manifest states {config.size}"
        if config.media_type not in media.CONFIGS and not artifact:
            yield f"the config has the media type {config.media_type}"
    listed = document.get("layers")
    if not isinstance(listed, list):
        yield "the manifest has no list of layers"
        return
    yield from _descriptors(listed, image.layers, artifact=artifact)
    families = {
        media.is_docker(layer.media_type) for layer in image.layers if layer.media_type in media.LAYERS
    }
    stated = document.get("mediaType")
    if not artifact and isinstance(stated, str) and families - {media.is_docker(stated)}:
        yield "the manifest mixes media types of the OCI and of Docker"


def _descriptors(listed: list[Any], layers: Sequence[Layer], *, artifact: bool) -> Iterator[str]:
    if len(listed) != len(layers):
        yield f"the manifest lists {len(listed)} layers, there are {len(layers)}"
    for number, (value, layer) in enumerate(zip(listed, layers, strict=False), 1):
        try:
            entry = Descriptor.parse(value, f"layer {number} of the manifest")
        except UntrustedError as error:
            yield error.message
            continue
        for key, stated, actual in (
            ("digest", entry.digest, layer.digest),
            ("size", entry.size, layer.size),
            ("media type", entry.media_type, layer.media_type),
        ):
            if stated != actual:
                yield f"layer {number} has the {key} {actual}, the manifest states {stated}"
        if not artifact and entry.media_type not in media.LAYERS:
            yield f"layer {number} has the media type {entry.media_type}, which is no layer's"


def _config(image: Image) -> Iterator[str]:
    try:
        document = canonical.parse(image.config, "the config")
    except UntrustedError as error:
        yield error.message
        return
    for key in ("architecture", "os"):
        if not isinstance(document.get(key), str) or not document[key]:
            yield f"the config has no {key}"
    rootfs = document.get("rootfs")
    if not isinstance(rootfs, dict) or not isinstance(rootfs.get("diff_ids"), list):
        yield "the config has no rootfs.diff_ids"
        return
    if rootfs.get("type") != "layers":
        yield f"the config's rootfs has the type {rootfs.get('type')!r}, not 'layers'"
    diff_ids = rootfs["diff_ids"]
    if len(diff_ids) != len(image.layers):
        yield f"the config has {len(diff_ids)} diff_ids for {len(image.layers)} layers"
    for number, (stated, layer) in enumerate(zip(diff_ids, image.layers, strict=False), 1):
        if stated != str(layer.diff_id):
            yield f"layer {number} has the diffID {layer.diff_id}, the config states {stated}"
    yield from _history(document.get("history"), len(image.layers))


def _history(history: object, layers: int) -> Iterator[str]:
    if history is None:
        return
    if not isinstance(history, list) or not all(isinstance(entry, dict) for entry in history):
        yield "the config's history is not a list of objects"
        return
    filled = sum(not entry.get("empty_layer", False) for entry in history)
    if history and filled != layers:
        yield f"the config's history tells of {filled} layers, there are {layers}"


def _layer(layer: Layer, *, artifact: bool) -> list[str]:
    problems: list[str] = []
    try:
        with layer.open() as file:
            blob = _Hashing(file)
            if layer.media_type in media.LAYERS:
                problems += _tar(blob, layer)
            elif not artifact:
                problems.append(f"its media type {layer.media_type} is no layer's")
            blob.drain()
    except UntrustedError as error:
        problems.append(error.message)
    else:
        if blob.size != layer.size:
            problems.append(f"the blob has {blob.size} bytes, not {layer.size}")
        if blob.digest() != layer.digest:
            problems.append(f"the blob is {blob.digest()}")
    # Damage is met first within the tar and again when the rest is read.
    return list(dict.fromkeys(problems))


def _tar(blob: _Hashing, layer: Layer) -> list[str]:
    """Read the tar in a blob, as far as it goes."""
    tree = Tree()
    hashed = hashlib.sha256()
    damage: list[str] = []
    with inflate(io.BufferedReader(blob, _CHUNK), layer.media_type) as stream:
        try:
            for member, _ in members(stream, observe=hashed.update):
                tree.add(member)
        except UntrustedError as error:
            damage.append(error.message)
        try:
            clean = rest(stream, observe=hashed.update)
        except UntrustedError as error:
            return [*damage, error.message, *tree.problems()]
    if not clean and not damage:
        damage.append("data follows after the end of its tar")
    if hashed.hexdigest() != layer.diff_id.hex:
        damage.append(f"its tar is sha256:{hashed.hexdigest()}, its diffID {layer.diff_id}")
    return [*damage, *tree.problems()]


class _Hashing(io.RawIOBase):
    """A blob that is digested while it is read, and stays open when its readers close."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        data = self._file.read(len(view))
        view[: len(data)] = data
        self._hash.update(data)
        self.size += len(data)
        return len(data)

    def close(self) -> None:
        """Leave the file to whoever opened it."""

    def drain(self) -> None:
        """Read what readers left."""
        while data := self._file.read(_CHUNK):
            self._hash.update(data)
            self.size += len(data)

    def digest(self) -> Digest:
        """Digest of what has been read."""
        return Digest(self._hash.hexdigest())
