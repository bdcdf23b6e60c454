"""`Image`, `Layer` and `ImageIndex`: the one interface that every source and sink of images speaks.

Sources and sinks are modules of their own, named for the place: `layout`, `archive`, `docker`. Nothing
here knows any of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, Protocol

from envfreeze.digest import Digest
from envfreeze.oci import canonical
from envfreeze.oci.platform import Platform
from envfreeze.oci.verified import open_blob

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

UNKNOWN = Platform("unknown", "unknown")
"""The platform of a manifest that is no image, like BuildKit's attestations."""


class Layer(Protocol):
    """One layer of an image."""

    @property
    def digest(self) -> Digest:
        """Digest of the compressed blob."""

    @property
    def diff_id(self) -> Digest:
        """Digest of the tar inside."""

    @property
    def size(self) -> int:
        """Bytes of the compressed blob."""

    @property
    def media_type(self) -> str:
        """Media type of the blob."""

    def open(self) -> BinaryIO:
        """Open the compressed bytes for one reading from start to end.

        Raises:
            UntrustedError: here or while reading, where the bytes are not those that `digest` names.

        """


class Image(Protocol):
    """An image for one platform, wherever it is."""

    @property
    def manifest(self) -> bytes:
        """The manifest's exact bytes."""

    @property
    def config(self) -> bytes:
        """The config's exact bytes."""

    @property
    def layers(self) -> Sequence[Layer]:
        """The layers, lowest first."""

    @property
    def digest(self) -> Digest:
        """Digest of the manifest."""

    @property
    def platform(self) -> Platform:
        """What the config says the image is for."""


@dataclass(frozen=True, slots=True)
class FileLayer:
    """A layer whose blob is a file.

    Attributes:
        digest: of the blob.
        diff_id: of the tar inside.
        size: bytes of the blob.
        media_type: of the blob.
        path: the file; sinks may share it (reflink or hard link) instead of copying.

    """

    digest: Digest
    diff_id: Digest
    size: int
    media_type: str
    path: Path

    def open(self) -> BinaryIO:
        """Open the blob; reading checks its size and digest.

        Raises:
            UntrustedError: the blob is missing or not what its digest says.
            MachineError: the file cannot be read.

        """
        return open_blob(self.path, self.digest, self.size)


@dataclass(frozen=True, slots=True)
class ImageValue:
    """An image held as a value.

    Attributes:
        manifest: the manifest's exact bytes.
        config: the config's exact bytes.
        layers: lowest first.

    """

    manifest: bytes = field(repr=False)
    config: bytes = field(repr=False)
    layers: tuple[Layer, ...]

    @property
    def digest(self) -> Digest:
        """Digest of the manifest."""
        return Digest.of(self.manifest)

    @property
    def platform(self) -> Platform:
        """What the config says the image is for; `UNKNOWN` where it does not say.

        Raises:
            UntrustedError: the config is not a JSON object.

        """
        config = canonical.parse(self.config, f"config {Digest.of(self.config)}")
        os, architecture = config.get("os"), config.get("architecture")
        if isinstance(os, str) and isinstance(architecture, str) and os and architecture:
            return Platform(os, architecture)
        return UNKNOWN


@dataclass(frozen=True, slots=True)
class ImageIndex:
    """Images for several platforms under one digest.

    Attributes:
        raw: the index's exact bytes.
        images: in the order of the index.

    """

    raw: bytes = field(repr=False)
    images: tuple[Image, ...]

    @property
    def digest(self) -> Digest:
        """Digest of the index."""
        return Digest.of(self.raw)
