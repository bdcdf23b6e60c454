"""A build folder as an engine gets it: nothing of the machine, the user or the day in it.

Engines copy files with the times and the modes that they have. `rewrite-timestamp` of BuildKit only clamps,
so that an older time would go through, and `COPY` without `--chmod` takes the umask of whoever checked the
folder out. So every entry gets the writer's one time, and the mode that its executable bit stands for.

The folder's name is made of its content. BuildKit sends only files whose size, mode or time changed since
the last build from a folder of this path, and all our times are equal: from a folder of a fixed name a file
that changed and kept its size would not be sent, and the old one built.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from envfreeze.engines.driven.model import EPOCH
from envfreeze.errors import MachineError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

_FICLONE = 0x40049409
_CHUNK = 1 << 20
_FOLDER, _PROGRAM, _FILE = 0o755, 0o755, 0o644


@contextmanager
def staged(folder: Path, scratch: Path) -> Iterator[Path]:
    """Stage a build folder.

    Args:
        folder: what is staged; it is only read, and shares no file with the copy.
        scratch: an empty folder that nobody else uses, where the copy goes.

    Yields:
        The copy. It goes with `scratch`.

    Raises:
        UsageError: there is something in the folder that is no file, folder or link.
        MachineError: the folder cannot be read, or the disk is full.

    """
    root = scratch / "context"
    try:
        root.mkdir()
        content = hashlib.sha256()
        _copy(folder, root, "", content)
        named = scratch / f"context-{content.hexdigest()[:32]}"
        root.rename(named)
    except OSError as error:
        raise MachineError(f"the build folder cannot be staged: {error}") from error
    yield named


def _copy(source: Path, target: Path, below: str, content: hashlib._Hash) -> None:
    """Copy a folder's entries, in the order of their names, into an empty one."""
    with os.scandir(source) as listed:
        entries = sorted(listed, key=lambda entry: os.fsencode(entry.name))
    for entry in entries:
        path = f"{below}{entry.name}"
        made = target / entry.name
        status = entry.stat(follow_symlinks=False)
        if stat.S_ISLNK(status.st_mode):
            link = os.readlink(entry.path)  # noqa: PTH115 - a string is what is hashed and made
            made.symlink_to(link)
            _note(content, "link", path, os.fsencode(link))
        elif stat.S_ISDIR(status.st_mode):
            made.mkdir()
            _note(content, "folder", path, b"")
            _copy(Path(entry.path), made, f"{path}/", content)
            made.chmod(_FOLDER)
        elif stat.S_ISREG(status.st_mode):
            executable = bool(status.st_mode & stat.S_IXUSR)
            digest = _file(Path(entry.path), made)
            made.chmod(_PROGRAM if executable else _FILE)
            _note(content, "program" if executable else "file", path, digest)
        else:
            raise UsageError(
                f"{entry.path} is no file, folder or link", hint="remove it from the build folder"
            )
        os.utime(made, (EPOCH, EPOCH), follow_symlinks=False)
    os.utime(target, (EPOCH, EPOCH))


def _file(source: Path, target: Path) -> bytes:
    """Copy a file, sharing its blocks where the file system can, never its inode; the content's sha256."""
    with source.open("rb") as reader, target.open("xb") as writer:
        digest = hashlib.file_digest(reader, "sha256").digest()
        try:
            fcntl.ioctl(writer.fileno(), _FICLONE, reader.fileno())
        except OSError:
            reader.seek(0)
            shutil.copyfileobj(reader, writer, _CHUNK)
    return digest


def _note(content: hashlib._Hash, kind: str, path: str, what: bytes) -> None:
    for part in (kind.encode(), os.fsencode(path), what):
        content.update(b"%d:" % len(part))
        content.update(part)
