"""Many blobs into a repository: mounted where a neighbour has them, else sent, several at once."""

from __future__ import annotations

import io
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from envfreeze.digest import Digest
from envfreeze.errors import NetworkError
from envfreeze.oci.reference import Reference
from envfreeze.oci.registry import origins as seen
from envfreeze.oci.registry.blob import Blob, is_there, mount
from envfreeze.oci.registry.refusals import verdict
from envfreeze.oci.registry.unfinished import unfinished
from envfreeze.oci.registry.upload import Upload
from envfreeze.progress import SILENT
from envfreeze.store.client import AttemptError
from envfreeze.store.transfer import HaltedError, Meter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from envfreeze.oci.registry.connection import Registries
    from envfreeze.oci.registry.wire import Wire
    from envfreeze.progress import Progress, Task
    from envfreeze.store.cache import Cache

WORKERS = 6
"""Blobs that are sent at once."""

_LARGE = 10_000_000
"""Bytes from which on a blob has a bar of its own."""

_THERE = "there"
_MOUNTED = "mounted"

S = TypeVar("S")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Brought:
    """How blobs came into a repository.

    Attributes:
        sent: by sending.
        mounted: from other repositories.
        there: they were there.
        size: bytes that were sent.

    """

    sent: tuple[Digest, ...]
    mounted: tuple[Digest, ...]
    there: tuple[Digest, ...]
    size: int


def in_memory(raw: bytes) -> Blob:
    """A blob of bytes that are in memory."""
    return Blob(Digest.of(raw), len(raw), lambda: io.BytesIO(raw))


def present(registries: Registries, name: str, blobs: Mapping[Digest, int]) -> set[Digest]:
    """Tell which blobs a repository has.

    Args:
        registries: the connection.
        name: registry and repository.
        blobs: digest of each to its size in bytes.

    Raises:
        NetworkError: the registry does not say.

    """
    wire = registries.wire(name, WORKERS, writing=False)
    wanted = [Blob(digest, size, io.BytesIO) for digest, size in blobs.items()]

    def look(blob: Blob) -> bool:
        return wire.patiently(name, lambda: is_there(wire, blob))

    try:
        there = _all(wire, wanted, look, WORKERS)
    except AttemptError as failure:
        raise NetworkError(
            f"what {name} has could not be found out at {wire.place.server}: {failure.reason}",
            hint=failure.hint,
        ) from failure
    finally:
        wire.close()
    return {blob.digest for blob, is_here in zip(wanted, there, strict=True) if is_here}


class Blobs:
    """Brings blobs into a repository.

    Args:
        wire: the repository.
        what: the reference, for people.
        cache: remembers which repositories have which blobs; None: that is not remembered.
        origins: repositories that may have them.
        workers: how many at once.
        progress: told how far it is.

    """

    def __init__(
        self,
        wire: Wire,
        what: str,
        *,
        cache: Cache | None,
        origins: Sequence[str] = (),
        workers: int = WORKERS,
        progress: Progress = SILENT,
    ) -> None:
        self._wire = wire
        self._what = what
        self._cache = cache
        self._workers = workers
        self._progress = progress
        parsed = [Reference.parse(name) for name in origins]
        self._origins = tuple(
            one.repository
            for one in parsed
            if one.registry == wire.place.registry and one.repository != wire.place.repository
        )

    def bring(self, blobs: Iterable[Blob]) -> Brought:
        """See to it that the repository has blobs.

        Raises:
            NetworkError: the registry does not take one.
            UntrustedError: a blob is not what its digest says.

        """
        listed = sorted(blobs, key=lambda blob: (-blob.size, blob.digest))
        found = self._all(listed, self._look)
        there = [blob for blob, way in zip(listed, found, strict=True) if way == _THERE]
        mounted = [blob for blob, way in zip(listed, found, strict=True) if way == _MOUNTED]
        missing = [
            (blob, way) for blob, way in zip(listed, found, strict=True) if way not in {_THERE, _MOUNTED}
        ]
        size = sum(blob.size for blob, _ in missing)
        if missing:
            count = f"{len(missing)} blob{'s' * (len(missing) > 1)}"
            task = self._progress.task(f"pushing {count} to {self._wire.place.name}", size)
            try:
                self._all(missing, lambda one: self._send(one[0], one[1], task))
            finally:
                task.finish()
        if self._cache is not None:
            seen.remember(self._cache, self._wire.place, (blob.digest for blob in listed))
        return Brought(
            tuple(blob.digest for blob, _ in missing),
            tuple(blob.digest for blob in mounted),
            tuple(blob.digest for blob in there),
            size,
        )

    def _look(self, blob: Blob) -> str:
        """`_THERE`, `_MOUNTED`, or where it can be sent to; empty: that is still to be asked."""
        name = f"{self._what}: {blob.digest}"
        try:
            if self._wire.patiently(name, lambda: is_there(self._wire, blob)):
                return _THERE
        except AttemptError as failure:
            raise verdict(name, self._wire.place, failure) from failure
        known = () if self._cache is None else seen.recall(self._cache, self._wire.place, blob.digest)
        location = ""
        for source in dict.fromkeys((*self._origins, *known)):
            answer = mount(self._wire, blob, source)
            if answer is None:
                return _MOUNTED
            location = answer or location
        return location

    def _send(self, blob: Blob, location: str, task: Task) -> None:
        name = f"{self._what}: {blob.digest}"
        own = self._progress.task(str(blob.digest)[:19], blob.size) if blob.size >= _LARGE else None
        try:
            meter = Meter(task, *([] if own is None else [own]))
            with unfinished(self._cache, self._wire.place, blob.digest) as left:
                Upload(self._wire, blob, meter, location, left).run()
        except AttemptError as failure:
            raise verdict(name, self._wire.place, failure) from failure
        finally:
            if own is not None:
                own.finish()

    def _all(self, items: Sequence[S], work: Callable[[S], T]) -> list[T]:
        return _all(self._wire, items, work, self._workers)


def _all(wire: Wire, items: Sequence[S], work: Callable[[S], T], workers: int) -> list[T]:
    """Work on several at once; the first failure ends the rest."""
    if not items:
        return []
    pool = ThreadPoolExecutor(min(workers, len(items)), thread_name_prefix="envfreeze-push")
    try:
        futures: list[Future[T]] = [pool.submit(work, item) for item in items]
        done, _ = wait(futures, return_when=FIRST_EXCEPTION)
        _raise_first(done)
        return [one.result() for one in futures]
    except BaseException:
        wire.stop()
        pool.shutdown(wait=True, cancel_futures=True)
        raise
    finally:
        pool.shutdown(wait=False)


def _raise_first(done: Iterable[Future[Any]]) -> None:
    """Raise what went wrong first, and not what was called off for it."""
    errors = [error for one in done if (error := one.exception()) is not None]
    for error in errors:
        if not isinstance(error, HaltedError):
            raise error
