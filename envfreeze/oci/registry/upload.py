"""One blob into a repository (distribution-spec, "Pushing blobs"): in one request or in chunks, resumed.

Small blobs are sent by one PUT. Large ones by PATCHes of `CHUNK` bytes, so that a broken connection costs a
chunk at most: the registry is asked how far it has come, and the rest follows, also where the process broke
that had begun (`unfinished`). Where the registry does not know, as Debian's docker-registry does not of an
upload whose part broke, the blob is begun again; where it takes no chunks, one PUT has the whole.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, BinaryIO

from envfreeze.oci.registry.blob import is_there
from envfreeze.oci.registry.refusals import codes
from envfreeze.oci.registry.unfinished import Unfinished
from envfreeze.store.client import AttemptError, Content

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envfreeze.oci.registry.blob import Blob
    from envfreeze.oci.registry.wire import Answer, Wire
    from envfreeze.store.transfer import Meter

CHUNK = 64 << 20
"""Bytes of a PATCH."""

SMALL_CHUNK = 8 << 20
"""Bytes of a PATCH where something on the way takes no larger ones (413)."""

_PIECE = 1 << 20
_RANGE = re.compile(r"(?:bytes=)?0-(\d{1,18})")
_CREATED = 201
_ACCEPTED = 202
_NO_CONTENT = 204
_TOO_LARGE = 413
_NOT_THERE = 416
_NO_SESSION = frozenset({404, 410, 416})
_NO_CHUNKS = frozenset({400, 405, 411, 415, 416, 501})
_ARRIVED_WRONG = frozenset({"DIGEST_INVALID", "SIZE_INVALID"})
_OCTETS = "application/octet-stream"


class Upload:
    """Brings one blob into a repository.

    Args:
        wire: the repository.
        blob: what.
        meter: told how far it has come.
        location: where to upload to, if that is known already.
        unfinished: what an earlier process left, and what is left for a later one; None: nothing.

    """

    def __init__(
        self,
        wire: Wire,
        blob: Blob,
        meter: Meter,
        location: str = "",
        unfinished: Unfinished | None = None,
    ) -> None:
        self._unfinished = unfinished or Unfinished(None, wire.place)
        self._wire = wire
        self._blob = blob
        self._meter = meter
        self._location = location
        self._position = 0
        self._chunk = CHUNK
        self._whole = blob.size <= CHUNK
        self._tried = {(self._whole, self._chunk)}
        self._source: BinaryIO | None = None
        self._at = 0

    def run(self) -> None:
        """Send it.

        Raises:
            AttemptError: the registry does not take it.
            UntrustedError: the bytes here are not what the digest says.
            HaltedError: it was called off.

        """
        failed = furthest = 0
        try:
            self._take_up()
            while True:
                try:
                    self._go_on()
                    break
                except AttemptError as failure:
                    failed = 1 if self._position > furthest else failed + 1
                    furthest = max(furthest, self._position)
                    if self._other_way(failure):
                        continue
                    self._wire.pause(str(self._blob.digest), self._judged(failure), failed)
                    if self._recover():
                        break
        finally:
            self._close()
        self._unfinished.forget()
        self._meter.at(self._blob.size)

    def _take_up(self) -> None:
        """Go on where an earlier process stopped, if the registry still knows of that."""
        left = "" if self._whole else self._unfinished.location()
        if not left:
            return
        reached = None
        try:
            reached = self._wire.patiently(str(self._blob.digest), lambda: self._status(left))
        except AttemptError as failure:
            self._wire.progress.note(
                f"{self._blob.digest}: {self._wire.place.server} does not know how far it had come: "
                f"{failure.reason}; it is sent from its beginning"
            )
        if reached is None:
            self._unfinished.forget()
        else:
            self._meter.at(self._position)

    def _status(self, location: str) -> int | None:
        """Ask how far an upload has come, and go on there; None: the answer does not say."""
        answer = self._wire.send("GET", location)
        reached = _reached(answer)
        if reached is None or not self._position <= reached <= self._blob.size:
            return None
        self._location, self._position = answer.location or location, reached
        return reached

    def _go_on(self) -> None:
        if not self._location:
            self._begin()
        if self._whole:
            self._finish(Content(self._blob.size, lambda: self._read(0, self._blob.size)))
            return
        while self._position < self._blob.size:
            self._patch()
        self._finish(None)

    def _begin(self) -> None:
        answer = self._wire.send("POST", "blobs/uploads/")
        location = answer.location
        if answer.status != _ACCEPTED or location is None:
            raise AttemptError(_odd(answer, "the beginning of an upload"))
        self._location, self._position = location, 0
        least = answer.headers.get("oci-chunk-min-length", "")
        if least.isdigit():
            self._chunk = max(self._chunk, min(int(least), self._blob.size))

    def _patch(self) -> None:
        start = self._position
        end = min(start + self._chunk, self._blob.size)
        answer = self._wire.send(
            "PATCH",
            self._location,
            {"Content-Type": _OCTETS, "Content-Range": f"{start}-{end - 1}"},
            content=Content(end - start, lambda: self._read(start, end)),
        )
        if answer.status not in {_ACCEPTED, _NO_CONTENT, _CREATED} or answer.is_page:
            raise AttemptError(_odd(answer, "a part of a blob"))
        self._location = answer.location or self._location
        reached = _reached(answer)
        if reached is not None and not start < reached <= end:
            raise AttemptError(f"it has {reached} bytes where {end} were sent", status=_NOT_THERE)
        self._position = end if reached is None else reached
        self._unfinished.keep(self._location)

    def _finish(self, content: Content | None) -> None:
        mark = "&" if "?" in self._location else "?"
        url = f"{self._location}{mark}digest={self._blob.digest}"
        headers = {} if content is None else {"Content-Type": _OCTETS}
        answer = self._wire.send("PUT", url, headers, content=content)
        if answer.status not in {_CREATED, _NO_CONTENT} or answer.is_page:
            raise AttemptError(_odd(answer, "the end of an upload"))
        arrived = answer.headers.get("docker-content-digest", str(self._blob.digest))
        if arrived != str(self._blob.digest):
            raise AttemptError(f"it says that {arrived} arrived", again=True)

    def _other_way(self, failure: AttemptError) -> bool:
        """Whether there is another way to send it that was not tried, which is then taken."""
        if failure.status == _TOO_LARGE and self._blob.size > SMALL_CHUNK:
            way = False, SMALL_CHUNK
        elif failure.status in _NO_CHUNKS and not self._whole and self._position == 0:
            way = True, self._chunk
        else:
            return False
        if way in self._tried or set(codes(failure)) & _ARRIVED_WRONG:
            return False
        self._tried.add(way)
        self._whole, self._chunk = way
        self._location, self._position = "", 0
        return True

    def _judged(self, failure: AttemptError) -> AttemptError:
        """Whether to try again, as only the sender of a blob can tell."""
        wrong = set(codes(failure)) & _ARRIVED_WRONG
        lost = failure.status in _NO_SESSION and bool(self._location) and self._position > 0
        if not (wrong or lost or "BLOB_UPLOAD_UNKNOWN" in codes(failure)):
            return failure
        self._location = ""
        reason = failure.reason
        if wrong:
            reason += ": what arrived is not what was sent, something on the way changes it"
        return AttemptError(reason, again=True, status=failure.status)

    def _recover(self) -> bool:
        """Find out where an upload is that broke; whether the blob is there after all."""
        try:
            if is_there(self._wire, self._blob):
                return True
            if self._location and not self._whole and self._status(self._location) is not None:
                return False
        except AttemptError:
            pass
        self._unfinished.forget()
        self._location, self._position = "", 0
        return False

    def _read(self, start: int, end: int) -> Iterator[bytes]:
        """The bytes from start to end; those before are read, too, so that all are checked."""
        if self._source is None or self._at > start:
            self._close()
            self._source, self._at = self._blob.open(), 0
        while self._at < end:
            self._wire.halt.check()
            wanted = min(_PIECE, (start if self._at < start else end) - self._at)
            piece = self._source.read(wanted)
            if not piece:
                return  # shorter than it should be, which the reader itself refuses
            begun = self._at >= start
            self._at += len(piece)
            if begun:
                self._meter.at(self._at)
                yield piece

    def _close(self) -> None:
        if self._source is not None:
            self._source.close()
            self._source = None


def _reached(answer: Answer) -> int | None:
    """How many bytes the registry says that it has; None: it does not say."""
    match = _RANGE.fullmatch(answer.headers.get("range", "").strip())
    if match is None:
        return None
    # Debian's docker-registry says 0-0 of nothing; of one byte it would, too, and loses that byte here.
    return int(match[1]) + 1 if match[1] != "0" else 0


def _odd(answer: Answer, what: str) -> str:
    page = " with a web page" if answer.is_page else ""
    return f"it answers {answer.status}{page} to {what}: it is no registry, or something stands before it"
