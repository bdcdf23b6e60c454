"""Open a .deb: check it against the lock, and give its control files and entries."""

from __future__ import annotations

import contextlib
import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.digest import Digest
from envfreeze.errors import UntrustedError
from envfreeze.layers.deb.archive import Outer, take_apart
from envfreeze.layers.deb.contents import unpack
from envfreeze.layers.deb.infofiles import base_name, info_entries
from envfreeze.layers.deb.stanza import Stanza
from envfreeze.layers.inflate import inflate
from envfreeze.layers.spill import close, mapped, refused, spilled
from envfreeze.layers.tarred import headers

if TYPE_CHECKING:
    import mmap
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
            raw = mapped(file, _named(deb))
        except OSError as problem:
            refused(problem, path)
        stack.callback(close, raw)
        if _digest(raw) != deb.digest:
            raise UntrustedError(
                f"the Debian package {deb.name} {deb.version} in {path} is not the locked one: "
                f"its sha256 is not {deb.digest}",
                hint="remove the damaged file with envfreeze cache verify and build again",
            )
        outer = take_apart(raw, deb.name)
        control = _control(outer, deb)
        data, inflated = stack.enter_context(spilled(_inflated(outer, deb), scratch, _named(deb)))
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
            raw = mapped(file, _named(deb))
    except OSError as problem:
        refused(problem, path)
    if _digest(raw) != deb.digest:
        raise UntrustedError(
            f"the Debian package {deb.name} {deb.version} in {path} is not the locked one: "
            f"its sha256 is not {deb.digest}",
            hint="remove the damaged file with envfreeze cache verify and lock again",
        )
    return _control(take_apart(raw, deb.name), deb)


def _named(deb: Deb) -> str:
    return f"the Debian package {deb.name} {deb.version}"


def _digest(mapped: mmap.mmap) -> Digest:
    with memoryview(mapped) as view:
        return Digest.of(view)


def _inflated(outer: Outer, deb: Deb) -> Iterator[bytes]:
    member = outer.data
    return inflate(
        outer.chunks(member),
        member.name.removeprefix("data.tar"),
        package=f"the Debian package {deb.name}",
        member=member.name,
        compressed=member.size,
    )


def _control(outer: Outer, deb: Deb) -> dict[str, bytes]:
    member = outer.control
    pieces = inflate(
        outer.chunks(member),
        member.name.removeprefix("control.tar"),
        package=f"the Debian package {deb.name}",
        member=member.name,
        compressed=member.size,
    )
    buffer = bytearray()
    for piece in pieces:
        buffer += piece
        if len(buffer) > _CONTROL_LIMIT:
            raise UntrustedError(f"the Debian package {deb.name} has more than 64 MiB of control files")
    found: dict[str, bytes] = {}
    for info in headers(io.BytesIO(buffer), len(buffer), f"the Debian package {deb.name}"):
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
