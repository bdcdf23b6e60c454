"""Layers into the ledger, several at a time: every member with the digest of its content, once."""

from __future__ import annotations

import hashlib
import os
import posixpath
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from envfreeze.compare import listings
from envfreeze.compare.entries import BOTH, OPAQUE, WHITEOUT, mark_row, row
from envfreeze.errors import UntrustedError
from envfreeze.oci import media
from envfreeze.oci.inflate import inflate
from envfreeze.oci.members import Type, members, rest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envfreeze.compare.ledger import Ledger
    from envfreeze.oci.image import Layer
    from envfreeze.oci.members import Content, Member
    from envfreeze.progress import Progress, Task

_BATCH: Final = 500
_CHUNK: Final = 1 << 20
_MOST_NAMES: Final = 5_000_000
_MOST: Final = 1 << 62
"""Of owners and times: what a file system has no room for was made to break its reader."""

_LARGEST_LISTING: Final = 64 << 20
_WHITEOUT: Final = ".wh."
_OPAQUE: Final = ".wh..wh..opq"


@dataclass(frozen=True, slots=True)
class Job:
    """A layer to read.

    Attributes:
        layer: the layer.
        name: for errors.
        slot: where it goes.
        side: of which image it is; `BOTH`: only what is wanted of it is kept.
        position: in its image, 0 for the lowest.

    """

    layer: Layer
    name: str
    slot: int
    side: int
    position: int


def read(ledger: Ledger, jobs: Sequence[Job], what: str, progress: Progress) -> None:
    """Read layers.

    Args:
        ledger: where to.
        jobs: the layers.
        what: what it is done for, for the progress.
        progress: is told of the compressed bytes.

    Raises:
        UntrustedError: a layer is damaged, not what its digest says, or no tar; the message names it.
        NetworkError: a registry does not give it.
        MachineError: it cannot be read, or there is no room for the ledger.

    """
    task = progress.task(what, sum(job.layer.size for job in jobs))
    pool = ThreadPoolExecutor(max_workers=os.cpu_count() or 1)
    try:
        # The largest first, so that none is left alone at the end.
        for done in [
            pool.submit(_Reader(ledger, job).read, task)
            for job in sorted(jobs, key=lambda job: -job.layer.size)
        ]:
            done.result()
    finally:
        pool.shutdown(cancel_futures=True)
        task.finish()


def check(layers: Sequence[tuple[str, Layer]], progress: Progress) -> None:
    """Check that layers hold the tars that their diffIDs name, each with its name for errors.

    Raises:
        UntrustedError: one does not, or is damaged.
        NetworkError: a registry does not give it.

    """
    if not layers:
        return
    task = progress.task("checking what is packed differently", sum(layer.size for _, layer in layers))

    def one(named: tuple[str, Layer]) -> None:
        name, layer = named
        hashed = hashlib.sha256()
        try:
            with inflate(layer.open(), layer.media_type) as stream:
                while chunk := stream.read(_CHUNK):
                    hashed.update(chunk)
            _hold(hashed.hexdigest(), layer)
        except UntrustedError as error:
            raise UntrustedError(f"layer {name}: {error.message}", hint=error.hint) from error
        task.advance(layer.size)

    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        try:
            list(pool.map(one, layers))
        finally:
            task.finish()


def _hold(hashed: str, layer: Layer) -> None:
    if hashed != layer.diff_id.hex:
        raise UntrustedError(
            f"its tar is sha256:{hashed}, the config says {layer.diff_id}",
            hint="no engine would unpack it: the image was put together wrongly, or changed",
        )


class _Reader:
    def __init__(self, ledger: Ledger, job: Job) -> None:
        self._ledger = ledger
        self._job = job
        self._rows: list[tuple[Any, ...]] = []

    def read(self, task: Task) -> None:
        job = self._job
        try:
            self._members()
        except UntrustedError as error:
            raise UntrustedError(f"layer {job.name}: {error.message}", hint=error.hint) from error
        task.advance(job.layer.size)

    def _members(self) -> None:
        layer = self._job.layer
        if layer.media_type not in media.LAYERS:
            raise UntrustedError(f"it is no file system but {layer.media_type}")
        hashed = hashlib.sha256()
        with inflate(layer.open(), layer.media_type) as stream:
            for place, (member, content) in enumerate(members(stream, observe=hashed.update)):
                if place >= _MOST_NAMES:
                    raise UntrustedError(f"it holds more than {_MOST_NAMES} names")
                self._take(place, member, content)
                if len(self._rows) >= _BATCH:
                    self._flush()
            rest(stream, observe=hashed.update)
        self._flush()
        _hold(hashed.hexdigest(), layer)

    def _flush(self) -> None:
        self._ledger.add_entries(self._rows)
        self._rows = []

    def _take(self, place: int, member: Member, content: Content) -> None:
        job = self._job
        folder, _, name = member.path.rpartition("/")
        if name == _OPAQUE:
            self._rows.append(mark_row(job.slot, job.side, job.position, place, folder, OPAQUE))
            return
        if name.startswith(_WHITEOUT):
            hidden = posixpath.join(folder, name.removeprefix(_WHITEOUT))
            self._rows.append(mark_row(job.slot, job.side, job.position, place, hidden, WHITEOUT))
            return
        digest = b""
        kept = job.side != BOTH or self._ledger.is_wanted(member.path)
        if (package := listings.named(member.path)) is not None:
            self._ledger.add_packages(job.slot, job.side, job.position, member.path, [package])
        if member.type is Type.FILE:
            data = content.read(_LARGEST_LISTING) if listings.tells(member.path) else None
            if data is not None:
                self._learn(member.path, data)
                digest = hashlib.sha256(data).digest()
            elif kept:
                digest = bytes.fromhex(content.digest().hex)
        if not all(-_MOST < number < _MOST for number in (member.uid, member.gid, member.mtime)):
            raise UntrustedError(f"{member.written!r} has an owner or a time that no file system has")
        if kept:
            self._rows.append(row(job.slot, job.side, job.position, place, member, digest))

    def _learn(self, path: str, data: bytes) -> None:
        job = self._job
        listing = listings.read(path, data)
        self._ledger.add_packages(job.slot, job.side, job.position, path, listing.packages)
        self._ledger.add_owners(job.slot, job.side, job.position, path, listing.owned)
