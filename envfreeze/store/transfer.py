"""One artifact from one of its addresses into the store."""

from __future__ import annotations

import fcntl
import hashlib
import re
import stat
import threading
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, BinaryIO, Final

from envfreeze.digest import Digest
from envfreeze.errors import EnvfreezeError, NetworkError, UntrustedError
from envfreeze.store.address import Address, shown
from envfreeze.store.client import AttemptError
from envfreeze.store.partial import Partial

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import httpx

    from envfreeze.progress import Progress, Task
    from envfreeze.store.cache import BlobWriter, Cache
    from envfreeze.store.client import Client
    from envfreeze.store.retry import Retry

_CHUNK: Final = 1 << 20
_FICLONE: Final = 0x40049409  # linux/fs.h; the fcntl module names it only since Python 3.13
_CONTENT_RANGE: Final = re.compile(r"bytes (\d{1,18})-\d{1,18}/(\d{1,18}|\*)", re.IGNORECASE)
_NOT_THERE: Final = frozenset({404, 410})


class NotFoundError(NetworkError):
    """Whoever was asked has no such file (404, 410)."""


class HaltedError(Exception):
    """The work was called off."""


class Halt:
    """Calls off work in other threads."""

    def __init__(self) -> None:
        self._called = threading.Event()

    def call(self) -> None:
        """Call it off."""
        self._called.set()

    @property
    def called(self) -> bool:
        """Whether it was called off."""
        return self._called.is_set()

    def check(self) -> None:
        """Go on, or raise `HaltedError`."""
        if self._called.is_set():
            raise HaltedError

    def pause(self, seconds: float) -> None:
        """Wait, or raise `HaltedError` as soon as it is called off."""
        if self._called.wait(seconds):
            raise HaltedError


@dataclass(frozen=True, slots=True)
class Download:
    """A file that is wanted.

    Attributes:
        name: for people: the file's or the package's name.
        digest: of the file.
        size: bytes; None where it is not known.
        urls: where it is, in the order to try: http, https or file; with credentials where need be.
        advice: what to do where none of them has it any more.

    """

    name: str
    digest: Digest
    size: int | None
    urls: tuple[str, ...]
    advice: str = ""


class Meter:
    """Tells tasks how far a download is. What is fetched twice counts once."""

    def __init__(self, *tasks: Task) -> None:
        self._tasks = tasks
        self._told = 0

    def at(self, position: int) -> None:
        """Tell that `position` bytes are there."""
        if position > self._told:
            for task in self._tasks:
                task.advance(position - self._told)
            self._told = position


class Transfer:
    """Fetches artifacts into `cache`. One object serves several threads.

    Args:
        cache: where to.
        client: None where no address is on the web.
        retry: how often and when to ask again.
        progress: told of every pause.
        halt: calls it off.

    """

    def __init__(
        self, cache: Cache, client: Client | None, *, retry: Retry, progress: Progress, halt: Halt
    ) -> None:
        self._cache = cache
        self._client = client
        self._retry = retry
        self._progress = progress
        self._halt = halt

    def fetch(self, wanted: Download, meter: Meter) -> Path:
        """Try one address after the other until one gives the file; the blob.

        The caller holds the digest's lock.

        Raises:
            UntrustedError: an address gave another file, and no further one the right file.
            NotFoundError: no address has it.
            NetworkError: no address gave it.
            MachineError: the disk is full or refuses.
            HaltedError: it was called off.

        """
        failures: list[tuple[str, AttemptError]] = []
        for url, following in zip_longest(wanted.urls, wanted.urls[1:]):
            try:
                take = self._copy if url.lower().startswith("file:") else self._download
                path = take(wanted, url, meter)
            except AttemptError as failure:
                self._halt.check()  # a connection that was cut by calling it off is no failure
                failures.append((shown(url), failure))
                if following is not None:
                    self._progress.note(
                        f"{wanted.name}: {shown(url)}: {failure.reason}; trying {shown(following)}"
                    )
            else:
                self._cache.note_checked(wanted.digest)
                return path
        raise verdict(wanted, failures)

    def _download(self, wanted: Download, url: str, meter: Meter) -> Path:
        with Partial(self._cache, wanted.digest, self._halt.check) as partial:
            failed, furthest = 0, partial.position
            while True:
                meter.at(partial.position)
                try:
                    # The content may be all there: from a run killed at its last step.
                    if partial.position == 0 or partial.digest != wanted.digest:
                        self._go_on(wanted, url, partial, meter)
                        _compare(wanted, partial)
                    return partial.commit(wanted.digest)
                except AttemptError as failure:
                    self._halt.check()
                    if failure.got is not None:
                        continued = not partial.in_one_go
                        partial.clear()
                        if continued:  # what had come before may be what is wrong: once more from scratch
                            continue
                        raise
                    if not failure.again:
                        raise
                    failed = 1 if partial.position > furthest else failed + 1
                    furthest = max(furthest, partial.position)
                    pause = self._retry.delay(failed, failure.after)
                    if pause is None:
                        raise
                    self._progress.note(
                        f"{wanted.name}: {shown(url)}: {failure.reason}; asking again in {pause:.1f} s"
                    )
                    self._halt.pause(pause)

    def _go_on(self, wanted: Download, url: str, partial: Partial, meter: Meter) -> None:
        """Ask for what is missing and add it."""
        assert self._client is not None  # noqa: S101 - `Transfer` is made with one where there is a web address
        source = shown(url)
        headers = {}
        if partial.position:
            partial.in_one_go = False
            headers["Range"] = f"bytes={partial.position}-"
            if (validator := partial.validator(source)) is not None:
                headers["If-Range"] = validator
        with self._client.open(url, headers) as response:
            if response.status_code == 200:  # noqa: PLR2004 - OK: the whole file, asked for or not
                _expect(wanted, response.headers.get("content-length"))
                partial.begin(source, _validator(response))
            elif not _continues(response, partial.position, wanted.size):
                # Only a request for a part gets here with something to begin again from.
                raise AttemptError(
                    f"{response.status_code} at byte {partial.position}", got="another version"
                )
            for chunk in response.iter_raw():
                self._halt.check()
                partial.append(chunk)
                meter.at(partial.position)
                if wanted.size is not None and partial.position > wanted.size:
                    raise _other_size(wanted, f"more than {wanted.size} bytes")

    def _copy(self, wanted: Download, url: str, meter: Meter) -> Path:
        try:
            path = Address.parse(url).path
            status = path.stat()
            # Not a pipe or a device, which could be waited for for ever.
            if not stat.S_ISREG(status.st_mode):
                raise AttemptError("it is not a file")
            if wanted.size not in {None, status.st_size}:
                raise _other_size(wanted, f"{status.st_size} bytes")
            source = path.open("rb", buffering=0)
        except ValueError as error:
            raise AttemptError(str(error)) from error
        except OSError as error:
            raise _unreadable(error) from error
        with source, self._cache.writer() as writer:
            state = hashlib.sha256()
            # What is compared is what is kept: a clone is read after it was made.
            cloned = _clone(source, writer)
            buffer = memoryview(bytearray(_CHUNK))
            position = 0
            while count := _read(writer.file if cloned else source, buffer):
                self._halt.check()
                state.update(buffer[:count])
                if not cloned:
                    writer.write(buffer[:count])
                position += count
                meter.at(position)
            digest = Digest(state.hexdigest())
            if digest != wanted.digest:
                raise _other_content(digest)
            return writer.commit(digest)


def verdict(wanted: Download, failures: Sequence[tuple[str, AttemptError]]) -> EnvfreezeError:
    """What it means that no address gave the file.

    Args:
        wanted: the file.
        failures: addresses, as they may be shown, and what happened there.

    """
    if not failures:
        return NetworkError(f"{wanted.name} cannot be fetched: no address of it is known")
    details = tuple(f"{where}: {failure.reason}" for where, failure in failures) if failures[1:] else ()
    for where, failure in failures:
        if failure.got is not None:
            return UntrustedError(
                f"{wanted.name} from {where} is not the file that is wanted: "
                f"expected {_described(wanted)}, got {failure.got}",
                hint="it was replaced there or changed on the way: do not use it; "
                "lock again if the publisher confirms the new file",
                details=details,
            )
    where, failure = failures[-1]
    kind = NotFoundError if all(each.status in _NOT_THERE for _, each in failures) else NetworkError
    return kind(
        f"{wanted.name} could not be fetched from {where}: {failure.reason}",
        hint=advice([each for _, each in failures]) or (wanted.advice if kind is NotFoundError else ""),
        details=details,
    )


def advice(failures: Sequence[AttemptError]) -> str:
    """What to do about failures."""
    if hint := next((failure.hint for failure in failures if failure.hint), ""):
        return hint
    statuses = {failure.status for failure in failures}
    if statuses & {401, 403}:
        return "put the credentials into ~/.netrc: machine HOST login USER password PASSWORD"
    if any(failure.again for failure in failures):
        return "run it again: what has come is kept and not fetched twice"
    return ""


def _described(wanted: Download) -> str:
    return str(wanted.digest) if wanted.size is None else f"{wanted.digest} of {wanted.size} bytes"


def _compare(wanted: Download, partial: Partial) -> None:
    if wanted.size is not None and partial.position < wanted.size:
        raise AttemptError(f"it ended after {partial.position} of {wanted.size} bytes", again=True)
    if (digest := partial.digest) != wanted.digest:
        raise _other_content(digest)


def _expect(wanted: Download, length: str | None) -> None:
    if wanted.size is not None and length is not None and int(length) != wanted.size:
        raise _other_size(wanted, f"{length} bytes")


def _other_size(wanted: Download, got: str) -> AttemptError:
    return AttemptError(f"it has {got} instead of {wanted.size}", got=got)


def _other_content(got: Digest) -> AttemptError:
    return AttemptError(f"its digest is {got}", got=got)


def _continues(response: httpx.Response, position: int, size: int | None) -> bool:
    """Whether the answer is the rest of the same file (RFC 9110, section 14.4)."""
    match = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", "").strip())
    if response.status_code != 206 or match is None or int(match[1]) != position:  # noqa: PLR2004 - a part
        return False
    return size is None or match[2] == "*" or int(match[2]) == size


def _validator(response: httpx.Response) -> str | None:
    """What `If-Range` may name: a strong ETag, else the date (RFC 9110, section 13.1.5)."""
    etag: str = response.headers.get("etag", "")
    if etag.startswith('"'):
        return etag
    date: str | None = response.headers.get("last-modified")
    return date


def _clone(source: BinaryIO, writer: BlobWriter) -> bool:
    """Share the file's blocks where the file system can (btrfs, xfs)."""
    try:
        fcntl.ioctl(writer.fileno(), _FICLONE, source.fileno())
    except OSError:
        return False
    return True


def _read(file: BinaryIO, buffer: memoryview) -> int:
    try:
        return file.readinto(buffer)  # type: ignore[attr-defined,no-any-return]
    except OSError as error:
        raise _unreadable(error) from error


def _unreadable(error: OSError) -> AttemptError:
    missing = isinstance(error, FileNotFoundError | NotADirectoryError)
    return AttemptError(error.strerror or str(error), status=404 if missing else None)
