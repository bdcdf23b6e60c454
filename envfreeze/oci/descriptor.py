"""Descriptors: what one document says of another blob (image-spec, descriptor.md)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from envfreeze.digest import Digest
from envfreeze.errors import UntrustedError
from envfreeze.oci.platform import Platform

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A reference to a blob.

    Attributes:
        media_type: of the blob.
        digest: of the blob.
        size: bytes of the blob.
        platform: what an index says that a manifest is for.
        variant: the platform's processor variant, as `v8`.
        annotations: free text.

    """

    media_type: str
    digest: Digest
    size: int
    platform: Platform | None = None
    variant: str | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The JSON object; absent parts are left out."""
        value: dict[str, Any] = {
            "mediaType": self.media_type,
            "digest": str(self.digest),
            "size": self.size,
        }
        if self.platform is not None:
            value["platform"] = {"os": self.platform.os, "architecture": self.platform.architecture}
            if self.variant:
                value["platform"]["variant"] = self.variant
        if self.annotations:
            value["annotations"] = dict(self.annotations)
        return value

    @classmethod
    def parse(cls, value: object, what: str) -> Descriptor:
        """Read a descriptor from parsed JSON.

        Args:
            value: the JSON value.
            what: where it stands, for errors.

        Raises:
            UntrustedError: it is not a descriptor, or its digest is not a sha256.

        """
        if not isinstance(value, dict):
            raise UntrustedError(f"{what} is not a descriptor")
        media_type, size = value.get("mediaType"), value.get("size")
        if not isinstance(media_type, str):
            raise UntrustedError(f"{what} has no mediaType")
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise UntrustedError(f"{what} has no valid size: {size!r}")
        platform, variant = _platform(value.get("platform"), what)
        return cls(
            media_type=media_type,
            digest=parse_digest(value.get("digest"), what),
            size=size,
            platform=platform,
            variant=variant,
            annotations=_annotations(value.get("annotations"), what),
        )


def parse_digest(value: object, what: str) -> Digest:
    """Read a digest as descriptors and `diff_ids` hold it.

    Raises:
        UntrustedError: it is not `sha256:` and 64 hexadecimal digits.

    """
    if isinstance(value, str) and value.startswith("sha256:"):
        try:
            return Digest.parse(value)
        except ValueError:
            pass
    raise UntrustedError(f"{what} has {value!r:.120} where a sha256 digest belongs")


def _platform(value: object, what: str) -> tuple[Platform | None, str | None]:
    if value is None:
        return None, None
    if isinstance(value, dict):
        os, architecture, variant = value.get("os"), value.get("architecture"), value.get("variant")
        if isinstance(os, str) and isinstance(architecture, str) and isinstance(variant, str | None):
            return Platform(os, architecture), variant or None
    raise UntrustedError(f"{what} has no valid platform")


def _annotations(value: object, what: str) -> dict[str, str]:
    if value is None:
        return {}
    if isinstance(value, dict) and all(isinstance(text, str) for text in value.values()):
        return value
    raise UntrustedError(f"{what} has annotations that are not text")
