"""Content digests.

A `Digest` is a sha256 in the form that the OCI image specification gives to digests
(https://github.com/opencontainers/image-spec, descriptor.md, "Digests"): `sha256:` and 64 lower-case
hexadecimal characters.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_PATTERN = re.compile(r"(?:sha256:)?([0-9a-f]{64})")


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """A sha256 digest; `str()` gives `sha256:<hex>`.

    Attributes:
        hex: 64 lower-case hexadecimal characters.

    """

    hex: str

    def __post_init__(self) -> None:
        if len(self.hex) != 64 or not _PATTERN.fullmatch(self.hex):  # noqa: PLR2004 - a sha256 in hex
            msg = f"not a sha256 digest: {self.hex!r}"
            raise ValueError(msg)

    def __str__(self) -> str:
        return f"sha256:{self.hex}"

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Read `sha256:<hex>` or bare `<hex>`.

        Raises:
            ValueError: the text is neither.

        """
        match = _PATTERN.fullmatch(text)
        if match is None:
            msg = f"not a sha256 digest: {text!r}"
            raise ValueError(msg)
        return cls(match[1])

    @classmethod
    def of(cls, content: bytes | bytearray | memoryview) -> Digest:
        """Digest bytes."""
        return cls(hashlib.sha256(content).hexdigest())

    @classmethod
    def of_file(cls, path: Path) -> Digest:
        """Digest a file, in constant memory."""
        with path.open("rb") as file:
            return cls(hashlib.file_digest(file, "sha256").hexdigest())
