"""The lists beside a catalogue of layers: JSON, packed by envfreeze's own gzip, and read with care."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from envfreeze.errors import UntrustedError
from envfreeze.locking.image import reading
from envfreeze.oci import gzip

if TYPE_CHECKING:
    from envfreeze.engines.native.owners import Path
    from envfreeze.locking.image.inventory import LayerContents

_MOST_INFLATED = 1 << 29
_PATH_PARTS = 4


def pack(paths: list[Path]) -> bytes:
    """Write the paths of a layer."""
    return _compressed(json.dumps(paths, separators=(",", ":"), ensure_ascii=False).encode())


def _compressed(raw: bytes) -> bytes:
    pieces = (raw[start : start + gzip.CHUNK] for start in range(0, len(raw), gzip.CHUNK))
    return b"".join(gzip.compressed(piece) for piece in pieces)


def unpack(packed: bytes, what: str) -> list[Path]:
    """Read the paths of a layer.

    Raises:
        UntrustedError: they are malformed, or far too many.

    """
    paths = _unpacked(packed, what)
    if not isinstance(paths, list) or not all(
        isinstance(path, list) and len(path) == _PATH_PARTS and all(isinstance(part, str) for part in path)
        for path in paths
    ):
        raise UntrustedError(f"{what} is no list of paths")
    return paths


def pack_contents(contents: LayerContents) -> bytes:
    """Write what a layer of a base holds."""
    # Names that are not UTF-8 have surrogates, which only ASCII carries.
    return _compressed(json.dumps(reading.as_json(contents), separators=(",", ":")).encode("ascii"))


def unpack_contents(packed: bytes, what: str) -> LayerContents:
    """Read what a layer of a base holds.

    Raises:
        UntrustedError: it is malformed, or far too much.

    """
    try:
        return reading.of_json(_unpacked(packed, what))
    except ValueError as error:
        raise UntrustedError(f"{what}: {error}") from error


def _unpacked(packed: bytes, what: str) -> Any:  # noqa: ANN401 - JSON
    import zlib  # noqa: PLC0415 - only where something is taken ready-made

    raw = bytearray()
    rest = packed
    try:
        while rest:
            stream = zlib.decompressobj(wbits=31)
            raw += stream.decompress(rest, _MOST_INFLATED - len(raw))
            if not stream.eof:
                raise UntrustedError(f"{what} is cut, or has more than {_MOST_INFLATED} bytes")
            rest = stream.unused_data
        return json.loads(raw.decode())
    except (zlib.error, ValueError, RecursionError) as error:
        raise UntrustedError(f"{what} is damaged") from error
