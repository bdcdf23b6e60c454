"""What a lock puts into an image, laid into the table: each package opened, its files hashed, in order."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, NamedTuple

from envfreeze.compare.installed import origins
from envfreeze.compare.installed.hashed import Hashed, hashed, script_of
from envfreeze.compare.installed.origins import Origin
from envfreeze.engines.native.contents import SYSTEM
from envfreeze.locking.model import CondaPackage, Deb, StandalonePython, Wheel
from envfreeze.oci.entry import Kind, Plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envfreeze.compare.installed.sides import Sides
    from envfreeze.engines.native.contents import Content, Contents, Piece
    from envfreeze.progress import Progress

_STATUS: Final = "var/lib/dpkg/status"
_COMMANDS: Final = frozenset({origins.PIP, origins.CONDA})
_PYTHON: Final = "python-build-standalone"


class _Laid(NamedTuple):
    """A piece as it goes into the table."""

    origin: Origin
    rows: list[Hashed]
    scripts: dict[str, bytes]
    status: bytes | None


def lay(
    sides: Sides,
    contents: Contents,
    pieces: Sequence[Piece],
    progress: Progress,
    *,
    workers: int | None = None,
) -> None:
    """Expect what pieces put into an image; hashed several at a time, a few packages in memory at once.

    Args:
        sides: where to.
        contents: opens the pieces.
        pieces: in the order in which they lie on each other.
        progress: told of the artifacts' bytes.
        workers: threads; None: one per processor.

    Raises:
        UntrustedError: an artifact is not what was locked, or would write where it must not.
        MachineError: there is no room.

    """
    task = progress.task("reading the packages of the lock", sum(_size(piece) for piece in pieces))
    workers = workers or os.cpu_count() or 1
    pool = ThreadPoolExecutor(workers)
    waiting: deque[tuple[Piece, Future[_Laid]]] = deque()

    def take() -> None:
        piece, future = waiting.popleft()
        laid = future.result()
        sides.expect(laid.origin, laid.rows)
        sides.scripts |= laid.scripts
        if laid.status is not None:
            sides.tell_status(laid.origin, laid.status)
        task.advance(_size(piece))

    try:
        for piece in pieces:
            while waiting and (piece == SYSTEM or len(waiting) > workers):
                take()
            waiting.append((piece, pool.submit(_laid, contents, piece)))
        while waiting:
            take()
    finally:
        pool.shutdown(cancel_futures=True)
        task.finish()


def _size(piece: Piece) -> int:
    return 0 if isinstance(piece, str) else piece.size or 0


def _laid(contents: Contents, piece: Piece) -> _Laid:
    with contents.opened(piece) as content:
        origin = _origin(piece, content)
        scripts = {}
        if origin.kind in _COMMANDS:
            found = ((entry.path, script_of(entry)) for entry in content.entries if "/bin/" in entry.path)
            scripts = {path: text for path, text in found if text is not None}
        return _Laid(origin, list(hashed(content.entries)), scripts, _status(origin, content))


def _status(origin: Origin, content: Content) -> bytes | None:
    if origin.kind != origins.SYSTEM:
        return None
    for entry in content.entries:
        if entry.path == _STATUS and entry.kind is Kind.FILE and isinstance(entry.content, Plain):
            return bytes(entry.content.data)
    return None


def _origin(piece: Piece, content: Content) -> Origin:
    match piece:
        case Deb(name=name, version=version):
            return Origin(
                origins.DPKG,
                name,
                version,
                conffiles=content.conffiles,
                sets_capabilities=content.sets_capabilities,
            )
        case CondaPackage(name=name, version=version, build=build):
            return Origin(origins.CONDA, name, f"{version}-{build}", content.marker)
        case StandalonePython(version=version):
            return Origin(origins.PYTHON, _PYTHON, version, content.marker)
        case Wheel(name=name, version=version):
            return Origin(origins.PIP, name, version, content.marker)
        case str() if piece == SYSTEM:
            return Origin(origins.SYSTEM, "the base system")
        case _:
            return Origin(origins.ENVIRONMENT, "the environment")
