"""A download on its way: what has come so far, kept on disk so that a later run goes on with it.

A file named for the wanted digest grows byte by byte, so that killed at any moment it holds a beginning
of what was sent. Beside it a small file says where that came from and which version of it (the ETag), so
that the server can be asked to go on only with the same. Neither is trusted: the digest of the whole
decides. Its users hold the digest's lock.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from envfreeze.digest import Digest
from envfreeze.store import disk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import TracebackType

    from envfreeze.store.cache import Cache

_CHUNK = 1 << 20


class Partial:
    """The beginning of a file.

    Attributes:
        position: how many bytes are there.
        in_one_go: whether they all came in one answer to this process; its users say when not.

    """

    def __init__(self, cache: Cache, digest: Digest, check: Callable[[], None]) -> None:
        """Open what there is, read it once for its digest, calling `check` now and then.

        Raises:
            MachineError: the disk refuses.

        """
        self._cache = cache
        self._path = cache.layout.partial / digest.hex
        self._sidecar = self._path.with_suffix(".json")
        self._state = hashlib.sha256()
        self.position = 0
        self.in_one_go = True
        with disk.in_words(cache.root):
            self._path.touch(0o644)
            self._file = self._path.open("r+b", buffering=0)
        try:
            with disk.in_words(cache.root):
                while chunk := self._file.read(_CHUNK):
                    check()
                    self._state.update(chunk)
                    self.position += len(chunk)
        except BaseException:
            self._file.close()
            raise
        self.in_one_go = self.position == 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if self.position == 0:
            self._remove()

    @property
    def digest(self) -> Digest:
        """Of what is there."""
        return Digest(self._state.hexdigest())

    def validator(self, source: str) -> str | None:
        """Which version of `source` it is the beginning of: a strong ETag or a date, as `If-Range` has it.

        None where it is not known, or came from another source.
        """
        try:
            noted = json.loads(self._sidecar.read_bytes())
            validator = noted["validator"] if noted["source"] == source else None
        except (OSError, ValueError, KeyError, TypeError):
            return None
        # Anything else cannot stand in a header.
        fits = isinstance(validator, str) and validator.isascii() and validator.isprintable()
        return validator if fits else None

    def begin(self, source: str, validator: str | None) -> None:
        """Begin again with nothing, from `source` (shown as it is, so without credentials).

        Raises:
            MachineError: the disk is full or refuses.

        """
        # In this order: killed between the two, there is nothing that the old note could be wrong about.
        self.clear()
        with self._or_nothing():
            self._sidecar.write_text(json.dumps({"source": source, "validator": validator}), "utf-8")

    def append(self, chunk: bytes) -> None:
        """Add what came. Where the disk is full nothing of it stays, as the room may be needed.

        Raises:
            MachineError: the disk is full or refuses.

        """
        rest = memoryview(chunk)
        with self._or_nothing():
            while rest:
                written = self._file.write(rest)
                self._state.update(rest[:written])
                self.position += written
                rest = rest[written:]

    def clear(self) -> None:
        """Forget what came.

        Raises:
            MachineError: the disk refuses.

        """
        with self._or_nothing():
            self._file.seek(0)
            self._file.truncate()
        self._state = hashlib.sha256()
        self.position = 0
        self.in_one_go = True

    def commit(self, digest: Digest) -> Path:
        """Move it into the store as the blob of `digest`, which the caller compared.

        Raises:
            MachineError: the disk refuses.

        """
        with disk.in_words(self._cache.root):
            # First the note: a file without one is still the beginning (here: all) of the right content.
            self._sidecar.unlink(missing_ok=True)
        return self._cache.adopt(self._path, digest)

    @contextmanager
    def _or_nothing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            explained = disk.explain(error, self._cache.root)
            if disk.is_full(error):
                self._remove()
            raise explained from error

    def _remove(self) -> None:
        with disk.in_words(self._cache.root):
            self._path.unlink(missing_ok=True)
            self._sidecar.unlink(missing_ok=True)
