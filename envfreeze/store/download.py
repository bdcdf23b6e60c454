"""Downloads: many artifacts into the cache at once, or one small document into memory."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Final

from envfreeze.errors import EnvfreezeError, NetworkError
from envfreeze.progress import SILENT
from envfreeze.replacing import replace
from envfreeze.store import disk, locks
from envfreeze.store.address import Address, shown
from envfreeze.store.client import AttemptError, Client
from envfreeze.store.retry import Retry
from envfreeze.store.transfer import (
    Download,
    Halt,
    HaltedError,
    Meter,
    NotFoundError,
    Transfer,
    advice,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from envfreeze.digest import Digest
    from envfreeze.progress import Progress, Task
    from envfreeze.store.cache import Cache
    from envfreeze.store.client import Authority

__all__ = ["Download", "NotFoundError", "Retry", "fetch", "get"]

_LARGE: Final = 10_000_000
_LOOK_AGAIN_SECONDS: Final = 0.05
_GRACE_SECONDS: Final = 1.0


def fetch(
    cache: Cache,
    downloads: Iterable[Download],
    *,
    progress: Progress = SILENT,
    offline: bool = False,
    workers: int = 8,
    retry: Retry | None = None,
    authority: Authority | None = None,
) -> dict[Digest, Path]:
    """Bring files into the cache; what is there is not fetched again.

    Files come in parallel, the largest first. One that was begun by an earlier run, or from another
    address, is gone on with. What enters the store has the wanted digest. A file that another process is
    fetching is left to it. The first file that cannot be had ends the rest, whose beginnings stay.

    Args:
        cache: where to.
        downloads: the files, in any order; one digest may stand there several times.
        progress: told one task for all, and one for each large file.
        offline: fetch nothing from the web; `file:` addresses are used still.
        workers: how many at once.
        retry: how often and when to ask again.
        authority: who knows the credentials; None: they are the URLs' or netrc's.

    Returns:
        The file of every digest.

    Raises:
        UntrustedError: a file has another content than is wanted.
        NotFoundError: a file is nowhere any more.
        NetworkError: a file could not be fetched, or is missing and `offline` is set.
        MachineError: the disk is full or refuses.

    """
    have: dict[Digest, Path] = {}
    missing: list[Download] = []
    for wanted in _merged(downloads):
        if (path := cache.find(wanted.digest)) is not None:
            have[wanted.digest] = path
        else:
            missing.append(wanted)
    if not missing:
        return have
    if offline:
        missing = _local(missing)
    missing.sort(key=lambda wanted: (-(wanted.size or 0), wanted.name, wanted.digest))
    workers = max(1, min(workers, len(missing)))
    on_web = any(not url.lower().startswith("file:") for wanted in missing for url in wanted.urls)
    client = Client(connections=workers, authority=authority) if on_web else None
    sizes = [wanted.size for wanted in missing]
    overall = progress.task(
        f"fetching {len(missing)} file{'s' * (len(missing) > 1)}",
        None if None in sizes else sum(size or 0 for size in sizes),
    )
    try:
        have |= _Pool(cache, client, missing, overall, progress, retry or Retry()).run(workers)
    finally:
        overall.finish()
    return have


def get(
    url: str,
    *,
    progress: Progress = SILENT,
    limit: int = 200_000_000,
    retry: Retry | None = None,
) -> bytes:
    """Fetch one small document into memory, as the server has it: no content coding is undone.

    Args:
        url: http, https or file.
        progress: told of every pause.
        limit: the most bytes to take.
        retry: how often and when to ask again.

    Raises:
        NotFoundError: the server says that there is no such document (404, 410), or there is no such file.
        NetworkError: it did not come, or is larger than `limit`.

    """
    retry = retry or Retry()
    client: Client | None = None
    failed = 0
    try:
        while True:
            try:
                if url.lower().startswith("file:"):
                    return _read(url, limit)
                client = client or Client()
                return _receive(client, url, limit)
            except AttemptError as failure:
                failed += 1
                pause = retry.delay(failed, failure.after) if failure.again else None
                if pause is None:
                    kind = NotFoundError if failure.status in {404, 410} else NetworkError
                    raise kind(
                        f"{shown(url)} could not be fetched: {failure.reason}",
                        hint=advice([failure]),
                    ) from failure
                progress.note(f"{shown(url)}: {failure.reason}; asking again in {pause:.1f} s")
                time.sleep(pause)
    finally:
        if client is not None:
            client.close()


class _Pool:
    """The threads that fetch, and what they have found."""

    def __init__(
        self,
        cache: Cache,
        client: Client | None,
        missing: list[Download],
        overall: Task,
        progress: Progress,
        retry: Retry,
    ) -> None:
        self._cache = cache
        self._client = client
        self._waiting = deque(missing)
        self._overall = overall
        self._progress = progress
        self._halt = Halt()
        self._transfer = Transfer(cache, client, retry=retry, progress=progress, halt=self._halt)
        self._have: dict[Digest, Path] = {}
        self._errors: list[Exception] = []
        self._ended: queue.SimpleQueue[None] = queue.SimpleQueue()

    def run(self, workers: int) -> dict[Digest, Path]:
        # Daemons: a thread that looks up a host's name cannot be woken up, and Ctrl-C must not wait for it.
        threads = [
            threading.Thread(target=self._work, name=f"envfreeze-fetch-{number}", daemon=True)
            for number in range(workers)
        ]
        running = 0
        try:
            for thread in threads:
                thread.start()
                running += 1
            while running:
                # Not `join`: interrupted, it takes a living thread for ended
                # (https://github.com/python/cpython/issues/90882).
                self._ended.get()
                running -= 1
        finally:
            # After a quiet end there is nothing to stop; after Ctrl-C all of it.
            self._stop()
            deadline = time.monotonic() + _GRACE_SECONDS
            with suppress(queue.Empty):
                while running:
                    self._ended.get(timeout=max(0.0, deadline - time.monotonic()))
                    running -= 1
            if self._client is not None and not running:
                self._client.close()
        if self._errors:
            raise _first(self._errors)
        return self._have

    def _stop(self) -> None:
        self._halt.call()
        if self._client is not None:
            self._client.abort()

    def _work(self) -> None:
        try:
            while not self._halt.called:
                try:
                    wanted = self._waiting.popleft()
                except IndexError:
                    return
                path = self._one(wanted)
                if path is None:  # somebody else is fetching it: the others first
                    self._waiting.append(wanted)
                    self._halt.pause(_LOOK_AGAIN_SECONDS)
                else:
                    self._have[wanted.digest] = path
        except HaltedError:
            return
        except Exception as error:  # noqa: BLE001 - raised again in the thread that called
            self._errors.append(error)
            self._stop()
        finally:
            self._ended.put(None)

    def _one(self, wanted: Download) -> Path | None:
        """The blob, or None where another process or thread is fetching it at the moment."""
        with ExitStack() as stack:
            with disk.in_words(self._cache.root):
                lock = self._cache.layout.lock(f"download {wanted.digest}")
                mine = stack.enter_context(locks.attempt(lock))
            if not mine:
                return None
            tasks = [self._overall]
            if wanted.size is None or wanted.size >= _LARGE:
                own = self._progress.task(wanted.name, wanted.size)
                stack.callback(own.finish)
                tasks.append(own)
            meter = Meter(*tasks)
            path = self._cache.find(wanted.digest)  # it may have come while somebody else had the lock
            if path is None:
                path = self._transfer.fetch(wanted, meter)
            meter.at(wanted.size or 0)
            return path


def _merged(downloads: Iterable[Download]) -> list[Download]:
    """One for each digest, with all addresses that any of them has."""
    merged: dict[Digest, Download] = {}
    for wanted in downloads:
        seen = merged.get(wanted.digest)
        merged[wanted.digest] = (
            replace(wanted, urls=tuple(dict.fromkeys(wanted.urls)))
            if seen is None
            else replace(
                seen,
                size=wanted.size if seen.size is None else seen.size,
                urls=tuple(dict.fromkeys(seen.urls + wanted.urls)),
            )
        )
    return list(merged.values())


def _local(missing: list[Download]) -> list[Download]:
    """The same without addresses on the web.

    Raises:
        NetworkError: a file has no other address.

    """
    local = [
        replace(wanted, urls=tuple(url for url in wanted.urls if url.lower().startswith("file:")))
        for wanted in missing
    ]
    if lacking := sorted(wanted.name for wanted in local if not wanted.urls):
        count = f"{len(lacking)} files are" if lacking[1:] else f"{lacking[0]} is"
        raise NetworkError(
            f"{count} not in the cache, and nothing is fetched offline",
            hint="run it once without --offline",
            details=tuple(lacking) if lacking[1:] else (),
        )
    return local


def _receive(client: Client, url: str, limit: int) -> bytes:
    with client.open(url) as response:
        if response.status_code != 200:  # noqa: PLR2004 - OK
            raise AttemptError(f"{response.status_code} to a request for the whole document")
        parts: list[bytes] = []
        size = 0
        for chunk in response.iter_raw():
            parts.append(chunk)
            size += len(chunk)
            if size > limit:
                raise AttemptError(f"it is larger than {disk.in_bytes(limit)}")
        return b"".join(parts)


def _read(url: str, limit: int) -> bytes:
    try:
        path = Address.parse(url).path
        if path.is_dir():
            raise AttemptError("it is a folder")
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except ValueError as error:
        raise AttemptError(str(error)) from error
    except OSError as error:
        missing = isinstance(error, FileNotFoundError | NotADirectoryError)
        raise AttemptError(error.strerror or str(error), status=404 if missing else None) from error
    if len(content) > limit:
        raise AttemptError(f"it is larger than {disk.in_bytes(limit)}")
    return content


def _first(errors: list[Exception]) -> Exception:
    """The first error, with what else went wrong before the others were stopped."""
    first = errors[0]
    if isinstance(first, EnvfreezeError):
        others = [error.message for error in errors[1:] if isinstance(error, EnvfreezeError)]
        first.details += tuple(text for text in dict.fromkeys(others) if text != first.message)
    return first
