"""Open a .deb: check it against the lock, and give its control files and entries."""

from __future__ import annotations

import contextlib
import errno
import io
import mmap
import re
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, NoReturn

from envfreeze.digest import Digest
from envfreeze.errors import MachineError, UntrustedError
from envfreeze.layers.deb.archive import Outer, take_apart
from envfreeze.layers.deb.contents import headers, unpack
from envfreeze.layers.deb.inflate import inflate
from envfreeze.layers.deb.infofiles import base_name, info_entries
from envfreeze.layers.deb.stanza import Stanza

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from envfreeze.locking.model import Deb
    from envfreeze.oci.entry import Entry

_CONTROL_LIMIT = 64 << 20
_CONTROL_NAME = re.compile(r"[a-z0-9][A-Za-z0-9.+_-]*")
_RESERVED = frozenset({"list"})


@dataclass(frozen=True, slots=True)
class DebPackage:
    """An opened package. Contents of entries are valid as long as the `open_deb` that made it is open.

    Attributes:
        deb: what the lock says of it.
        control: members of control.tar by name: `control`, `md5sums`, `conffiles`, `postinst`, ...
        entries: its files at merged-usr paths and its dpkg info files, each path once.
        names: its paths as dpkg lists them, unmerged, in archive order but symbolic links last.

    """

    deb: Deb
    control: Mapping[str, bytes]
    entries: list[Entry]
    names: tuple[str, ...]

    @property
    def stanza(self) -> Stanza:
        """Its control stanza."""
        return Stanza.parse(self.control["control"])

    @property
    def base(self) -> str:
        """The name of its info files: `libc6:amd64`, `bash`."""
        return base_name(self.deb.name, self.deb.architecture, self.stanza.get("Multi-Arch"))


@contextlib.contextmanager
def open_deb(path: Path, deb: Deb, scratch: Path) -> Iterator[DebPackage]:
    """Open a .deb whose sha256 is the lock's.

    Its data.tar is inflated into an unnamed file in `scratch` that is mapped into memory and vanishes at the
    end: memory stays constant in the size of the package.

    Args:
        path: the .deb file.
        deb: what the lock says of it.
        scratch: a folder for the inflated content.

    Raises:
        UntrustedError: the file is not the locked one, is damaged, or holds what a layer must not hold.
        MachineError: the file cannot be read, or there is no room in `scratch`.

    """
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(path.open("rb"))
            raw = _mapped(file, deb)
        except OSError as problem:
            _machine(problem, path)
        stack.callback(_close, raw)
        if _digest(raw) != deb.digest:
            raise UntrustedError(
                f"the Debian package {deb.name} {deb.version} in {path} is not the locked one: "
                f"its sha256 is not {deb.digest}",
                hint="remove the damaged file with envfreeze cache verify and build again",
            )
        outer = take_apart(raw, deb.name)
        control = _control(outer, deb)
        try:
            inflated = stack.enter_context(tempfile.TemporaryFile(dir=scratch))
            _fill(inflated, outer, deb)
            data = _mapped(inflated, deb)
        except OSError as problem:
            _machine(problem, scratch)
        stack.callback(_close, data)
        entries, names = unpack(memoryview(data), inflated, deb.name)
        package = DebPackage(deb, control, entries, tuple(names))
        info = info_entries(package.base, control, names, entries)
        taken = {entry.path for entry in entries}
        clash = next((entry.path for entry in info if entry.path in taken), None)
        if clash is not None:
            raise UntrustedError(
                f"the Debian package {deb.name} has a member {clash!r} that is dpkg's own",
                hint="leave the package out, or report it to the archive that it comes from",
            )
        entries.extend(info)
        yield package


def read_control(path: Path, deb: Deb) -> Mapping[str, bytes]:
    """Read the control files of a .deb alone, which is cheap: its content is not inflated.

    Raises:
        UntrustedError: as `open_deb`.
        MachineError: the file cannot be read.

    """
    try:
        with path.open("rb") as file:
            raw = _mapped(file, deb)
    except OSError as problem:
        _machine(problem, path)
    if _digest(raw) != deb.digest:
        raise UntrustedError(
            f"the Debian package {deb.name} {deb.version} in {path} is not the locked one: "
            f"its sha256 is not {deb.digest}",
            hint="remove the damaged file with envfreeze cache verify and lock again",
        )
    return _control(take_apart(raw, deb.name), deb)


def _mapped(file: BinaryIO, deb: Deb) -> mmap.mmap:
    file.flush()
    if file.seek(0, io.SEEK_END) == 0:
        raise UntrustedError(
            f"the Debian package {deb.name} {deb.version} is empty",
            hint="fetch it again: envfreeze cache verify",
        )
    file.seek(0)
    return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _digest(mapped: mmap.mmap) -> Digest:
    with memoryview(mapped) as view:
        return Digest.of(view)


def _close(mapped: mmap.mmap) -> None:
    # A slice that outlives the package keeps the mapping until it goes itself.
    with contextlib.suppress(BufferError):
        mapped.close()


def _fill(file: BinaryIO, outer: Outer, deb: Deb) -> None:
    member = outer.data
    suffix = member.name.removeprefix("data.tar")
    pieces = inflate(
        outer.chunks(member), suffix, package=deb.name, member=member.name, compressed=member.size
    )
    file.writelines(pieces)


def _control(outer: Outer, deb: Deb) -> dict[str, bytes]:
    member = outer.control
    pieces = inflate(
        outer.chunks(member),
        member.name.removeprefix("control.tar"),
        package=deb.name,
        member=member.name,
        compressed=member.size,
    )
    buffer = bytearray()
    for piece in pieces:
        buffer += piece
        if len(buffer) > _CONTROL_LIMIT:
            raise UntrustedError(f"the Debian package {deb.name} has more than 64 MiB of control files")
    found: dict[str, bytes] = {}
    for info in headers(io.BytesIO(buffer), len(buffer), deb.name):
        name = info.name.removeprefix("./").rstrip("/")
        if info.isdir() and name in {"", "."}:
            continue
        if not info.isreg() or not _CONTROL_NAME.fullmatch(name) or name in found or name in _RESERVED:
            raise UntrustedError(f"the Debian package {deb.name} has a control file {info.name!r}")
        found[name] = bytes(buffer[info.offset_data : info.offset_data + info.size])
    _check_identity(found, deb)
    return found


def _check_identity(control: Mapping[str, bytes], deb: Deb) -> None:
    if "control" not in control:
        raise UntrustedError(f"the Debian package {deb.name} has no control file")
    try:
        stanza = Stanza.parse(control["control"])
    except ValueError as problem:
        raise UntrustedError(
            f"the Debian package {deb.name} has a broken control file: {problem}"
        ) from problem
    for key, locked in (("Package", deb.name), ("Version", deb.version), ("Architecture", deb.architecture)):
        if stanza.get(key) != locked:
            raise UntrustedError(
                f"the Debian package locked as {deb.name} {deb.version} {deb.architecture} says of itself "
                f"{key}: {stanza.get(key)}",
                hint="make the lock anew: envfreeze lock --upgrade",
            )


def _machine(problem: OSError, place: Path) -> NoReturn:
    words = {
        errno.ENOSPC: "there is no room left",
        errno.EDQUOT: "the quota is used up",
        errno.EACCES: "permission is denied",
        errno.EROFS: "the file system is read-only",
        errno.EMFILE: "too many files are open",
    }
    what = words.get(problem.errno or 0, problem.strerror or str(problem))
    raise MachineError(
        f"cannot unpack Debian packages in {place}: {what}",
        hint="set ENVFREEZE_CACHE to a folder with room and write permission",
    ) from problem
