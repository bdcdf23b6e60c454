"""Files mapped into memory, and content that is inflated into a file which nobody else sees.

So memory stays constant in the size of a package: what is read lies in the page cache, and what is
inflated on a disk with room.
"""

from __future__ import annotations

import contextlib
import errno
import io
import mmap
import tempfile
from typing import TYPE_CHECKING, BinaryIO, NoReturn

from envfreeze.errors import MachineError, UntrustedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


def mapped(file: BinaryIO, package: str) -> mmap.mmap:
    """Map an open file into memory, to be read.

    Args:
        file: the file.
        package: for messages.

    Raises:
        UntrustedError: the file is empty.
        OSError: it cannot be mapped.

    """
    file.flush()
    if file.seek(0, io.SEEK_END) == 0:
        raise UntrustedError(f"{package} is empty", hint="fetch it again: envfreeze cache verify")
    file.seek(0)
    return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def close(view: mmap.mmap) -> None:
    """Let go of a mapped file; a slice that outlives it keeps the mapping until it goes itself."""
    with contextlib.suppress(BufferError):
        view.close()


@contextlib.contextmanager
def spilled(pieces: Iterable[bytes], scratch: Path, package: str) -> Iterator[tuple[mmap.mmap, BinaryIO]]:
    """Write pieces into an unnamed file in `scratch` that vanishes at the end; mapped, and to be read from.

    Raises:
        UntrustedError: there are none, or as the pieces' maker.
        MachineError: there is no room in `scratch`.

    """
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(tempfile.TemporaryFile(dir=scratch))
            file.writelines(pieces)
            view = mapped(file, package)
        except OSError as problem:
            refused(problem, scratch)
        stack.callback(close, view)
        yield view, file


def refused(problem: OSError, place: Path) -> NoReturn:
    """Say in words what the machine refuses while packages are unpacked.

    Raises:
        MachineError: always.

    """
    words = {
        errno.ENOSPC: "there is no room left",
        errno.EDQUOT: "the quota is used up",
        errno.EACCES: "permission is denied",
        errno.EROFS: "the file system is read-only",
        errno.EMFILE: "too many files are open",
    }
    what = words.get(problem.errno or 0, problem.strerror or str(problem))
    raise MachineError(
        f"cannot unpack packages in {place}: {what}",
        hint="set ENVFREEZE_CACHE to a folder with room and write permission",
    ) from problem
