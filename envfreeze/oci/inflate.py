"""From a layer's blob to the tar inside, whoever made it: gzip, zstd or plain."""

from __future__ import annotations

import gzip
import io
from typing import TYPE_CHECKING, BinaryIO, cast

from envfreeze.errors import UntrustedError
from envfreeze.oci import media

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_BUFFER = 1 << 18
_ZSTD_WINDOW = 1 << 27
"""Bytes of memory that a zstd layer may ask for: what containerd's reader allows."""


def inflate(blob: BinaryIO, media_type: str) -> BinaryIO:
    """Read the tar of a layer as a stream, in constant memory.

    Args:
        blob: the compressed bytes; closed with the result.
        media_type: of the layer.

    Raises:
        UntrustedError: the media type is not a layer's; while reading: the compressed data is damaged.

    """
    if media_type in media.PLAIN:
        return blob
    if media_type in media.GZIP:
        from isal import igzip, igzip_lib  # noqa: PLC0415 - heavy

        # BadGzipFile is an OSError; an OSError of the file below is another matter and passes.
        damaged = (EOFError, gzip.BadGzipFile, cast("type[Exception]", igzip_lib.error))
        return _reader(igzip.IGzipFile(fileobj=blob, mode="rb"), blob, damaged, "gzip")  # type: ignore[no-untyped-call]
    if media_type in media.ZSTD:
        import zstandard  # noqa: PLC0415 - heavy

        inflater = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
        stream = inflater.stream_reader(blob, read_across_frames=True, closefd=False)
        return _reader(stream, blob, (zstandard.ZstdError,), "zstd")
    raise UntrustedError(f"{media_type} is not the media type of a layer")


def _reader(stream: object, blob: BinaryIO, damaged: tuple[type[Exception], ...], kind: str) -> BinaryIO:
    return io.BufferedReader(_Inflated(cast("io.RawIOBase", stream), blob, damaged, kind), _BUFFER)


class _Inflated(io.RawIOBase):
    """Passes reads on and turns what the library raises into one error."""

    def __init__(
        self, stream: io.RawIOBase, blob: BinaryIO, damaged: tuple[type[Exception], ...], kind: str
    ) -> None:
        self._stream = stream
        self._blob = blob
        self._damaged = damaged
        self._kind = kind
        self._failed: UntrustedError | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        # Some libraries go on after damage as if nothing had been.
        if self._failed is not None:
            raise self._failed
        try:
            return self._stream.readinto(buffer) or 0
        except self._damaged as error:
            self._failed = UntrustedError(f"its {self._kind} data is damaged ({error})")
            raise self._failed from error

    def close(self) -> None:
        self._stream.close()
        self._blob.close()
        super().close()
