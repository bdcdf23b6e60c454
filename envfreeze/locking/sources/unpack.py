"""Unpacks an sdist or a canonical archive for a build; nothing in it can lead out of the folder.

`tarfile` and `zipfile` parse; the files are written here, so that modes and times are the same everywhere,
whatever the archive says and whichever Python reads it.
"""

from __future__ import annotations

import os
import stat
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from envfreeze.errors import UntrustedError
from envfreeze.oci.paths import path_problem
from envfreeze.oci.tar import MTIME

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

_PIECE = 1 << 20
_MOST = 4 << 30
"""Bytes that a source may unpack to."""


def unpack(archive: Path, name: str, folder: Path, *, umask: int, reverse: bool = False) -> None:
    """Write the files of an archive below a folder that does not exist yet.

    Args:
        archive: the file.
        name: of it, as the user knows it: for errors, and its ending tells zip from tar.
        folder: is made.
        umask: of the files.
        reverse: write them in the other order.

    Raises:
        UntrustedError: it is damaged, or holds what would be written elsewhere.
        OSError: the disk refuses.

    """
    folder.mkdir()
    try:
        if name.endswith(".zip"):
            _unpack_zip(archive, name, folder, umask, reverse)
        else:
            _unpack_tar(archive, name, folder, umask, reverse)
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise UntrustedError(f"{name}: it is no archive that can be read: {error}") from error
    _settle(folder)


def _unpack_tar(archive: Path, name: str, folder: Path, umask: int, reverse: bool) -> None:
    left = _MOST
    with tarfile.open(archive) as tar:
        members = {_safe(member.name, name): member for member in tar if not _is_top(member.name)}
        links: dict[str, str] = {}
        for path in sorted(members, reverse=reverse):
            member = members[path]
            target = folder / path
            if member.isdir():
                target.mkdir(parents=True, exist_ok=True)
            elif member.issym():
                links[path] = member.linkname
            elif member.isreg() or member.islnk():
                try:
                    content = tar.extractfile(member)
                except KeyError:
                    content = None
                if content is None:
                    raise UntrustedError(f"{name}: {path} links to what is not in the archive")
                with content:
                    left = _write(target, content, bool(member.mode & stat.S_IXUSR), umask, left, name)
            else:
                raise UntrustedError(f"{name}: {path} is neither a file, a folder nor a link")
    # Last, so that nothing is written through one.
    for path, link in links.items():
        _link(folder, path, link, name)


def _unpack_zip(archive: Path, name: str, folder: Path, umask: int, reverse: bool) -> None:
    left = _MOST
    with zipfile.ZipFile(archive) as file:
        for info in sorted(file.infolist(), key=lambda info: info.filename, reverse=reverse):
            path = _safe(info.filename, name)
            if info.is_dir():
                (folder / path).mkdir(parents=True, exist_ok=True)
                continue
            mode = info.external_attr >> 16
            if stat.S_IFMT(mode) not in {0, stat.S_IFREG}:
                raise UntrustedError(f"{name}: {path} is not a file")
            with file.open(info) as content:
                left = _write(folder / path, content, bool(mode & stat.S_IXUSR), umask, left, name)


def _is_top(path: str) -> bool:
    return path.rstrip("/") in {"", "."}


def _safe(path: str, name: str) -> str:
    plain = path.removeprefix("./").rstrip("/")
    # What deletes files of a lower layer is only a name here.
    problem = path_problem(plain.replace(".wh.", "_wh_"))
    if problem:
        raise UntrustedError(
            f"{name}: the path {path!r} {problem}", hint="the archive is not fit to be unpacked; report it"
        )
    return plain


def _write(target: Path, content: IO[bytes], executable: bool, umask: int, left: int, name: str) -> int:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            while piece := content.read(_PIECE):
                left -= len(piece)
                if left < 0:
                    raise UntrustedError(f"{name}: it unpacks to more than {_MOST} bytes")
                file.write(piece)
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise UntrustedError(f"{name}: two of its members are one path: {target.name}") from error
    target.chmod((0o777 if executable else 0o666) & ~umask)
    return left


def _link(folder: Path, path: str, link: str, name: str) -> None:
    ends = os.path.normpath(os.path.join(os.path.dirname(path), link))  # noqa: PTH118, PTH120 - as text
    if link.startswith("/") or ends == ".." or ends.startswith("../"):
        raise UntrustedError(f"{name}: the link {path!r} leads out of it, to {link!r}")
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    try:
        (folder / path).symlink_to(link)
    except FileExistsError as error:
        raise UntrustedError(f"{name}: two of its members are one path: {path}") from error


def _settle(folder: Path) -> None:
    """Give everything the one time, the innermost first."""
    for parent, folders, files in _bottom_up(folder):
        for entry in (*files, *folders):
            os.utime(Path(parent, entry), (MTIME, MTIME), follow_symlinks=False)
    os.utime(folder, (MTIME, MTIME))


def _bottom_up(folder: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    return os.walk(folder, topdown=False)
