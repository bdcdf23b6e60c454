"""What dpkg keeps about an installed package in `var/lib/dpkg/info/`.

The rules are those of dpkg 1.22 (src/main/unpack.c, lib/dpkg/db-fsys-files.c, lib/dpkg/db-fsys-digest.c):
`.list` names every path of the archive, every member of control.tar but `control` is kept under its own
name, and `.md5sums` is made where the package brings none.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from envfreeze.layers.deb.merged import real
from envfreeze.oci.entry import Entry, Kind, file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

FOLDER = "var/lib/dpkg/info"

_REMOVED = "remove-on-upgrade "
_SCRIPTS = frozenset({"preinst", "postinst", "prerm", "postrm", "config"})


def base_name(name: str, architecture: str, multi_arch: str | None) -> str:
    """Give the name that a package's info files have: `libc6:amd64` for one that is `Multi-Arch: same`."""
    return f"{name}:{architecture}" if multi_arch == "same" else name


def info_entries(
    base: str, control: Mapping[str, bytes], names: Sequence[str], entries: Iterable[Entry]
) -> list[Entry]:
    """Make a package's info files.

    Args:
        base: their common name, see `base_name`.
        control: members of control.tar.
        names: paths as dpkg lists them.
        entries: the package's entries, for the checksums where it brings none.

    """
    made = {member: content for member, content in control.items() if member != "control"}
    made.setdefault("md5sums", _md5sums(entries, names))
    made["list"] = "".join(f"{name}\n" for name in names).encode()
    return [
        file(f"{FOLDER}/{base}.{member}", content, mode=0o755 if member in _SCRIPTS else 0o644)
        for member, content in sorted(made.items())
    ]


def conffiles(control: Mapping[str, bytes]) -> tuple[tuple[str, bool], ...]:
    """Give the configuration files of a package as absolute paths, in the order of `conffiles`.

    The second value is False for those that the package once had and must not have any more: lines
    `remove-on-upgrade /etc/x` (deb-conffiles(5)).
    """
    found = []
    for line in control.get("conffiles", b"").decode("utf-8", "replace").splitlines():
        path = line.removeprefix(_REMOVED).strip()
        if path.startswith("/"):
            found.append((path, not line.startswith(_REMOVED)))
    return tuple(found)


def md5(entry: Entry) -> str:
    """Give the MD5 of a file's content in hex, which is what dpkg's formats name."""
    data = b"" if entry.content is None else entry.content.data
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _md5sums(entries: Iterable[Entry], names: Sequence[str]) -> bytes:
    """Sum up every file by its unmerged name; a hard link has its target's checksum, as dpkg gives it."""
    found = {entry.path: entry for entry in entries}
    lines = []
    for name in names:
        path = name.removeprefix("/")
        entry = found.get(real(path))
        if entry is not None and entry.kind is Kind.HARDLINK:
            entry = found[entry.link]
        if entry is not None and entry.kind is Kind.FILE:
            lines.append(f"{md5(entry)}  {path}\n")
    return "".join(lines).encode()
