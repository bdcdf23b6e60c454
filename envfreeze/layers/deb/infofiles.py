"""What dpkg keeps about an installed package in `var/lib/dpkg/info/`.

The rules are those of dpkg 1.22 (src/main/unpack.c, lib/dpkg/db-fsys-files.c, lib/dpkg/db-fsys-digest.c):
`.list` names every path of the archive, every member of control.tar but `control` is kept under its own
name, and `.md5sums` is made where the package brings none.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from envfreeze.oci.entry import Entry, Kind, file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

FOLDER = "var/lib/dpkg/info"

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
        names: paths as dpkg lists them, in archive order.
        entries: the package's entries, for the checksums where it brings none.

    """
    made = {member: content for member, content in control.items() if member != "control"}
    made.setdefault("md5sums", _md5sums(entries, conffile_paths(control)))
    if not made["md5sums"]:
        del made["md5sums"]
    made["list"] = "".join(f"{name}\n" for name in names).encode()
    return [
        file(f"{FOLDER}/{base}.{member}", content, mode=0o755 if member in _SCRIPTS else 0o644)
        for member, content in sorted(made.items())
    ]


def conffile_paths(control: Mapping[str, bytes]) -> tuple[str, ...]:
    """Give the configuration files of a package as absolute paths, in the order of `conffiles`.

    Lines with a flag (`remove-on-upgrade /etc/x`, deb-conffiles(5)) name files that a fresh installation
    does not have and are left out.
    """
    lines = control.get("conffiles", b"").decode("utf-8", "surrogateescape").splitlines()
    return tuple(line.rstrip() for line in lines if line.startswith("/"))


def removed_conffiles(control: Mapping[str, bytes]) -> tuple[str, ...]:
    """Give the configuration files that a package once had: lines `remove-on-upgrade /etc/x`."""
    lines = control.get("conffiles", b"").decode("utf-8", "surrogateescape").splitlines()
    flagged = (line.partition(" ") for line in lines if line.startswith("remove-on-upgrade "))
    return tuple(path.strip() for _, _, path in flagged)


def md5(entry: Entry) -> str:
    """Give the MD5 of a file's content in hex, which is what dpkg's formats name."""
    data = b"" if entry.content is None else entry.content.data
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _md5sums(entries: Iterable[Entry], conffiles: Sequence[str]) -> bytes:
    left_out = {path.removeprefix("/") for path in conffiles}
    return "".join(
        f"{md5(entry)}  {entry.path}\n"
        for entry in entries
        if entry.kind is Kind.FILE and entry.path not in left_out
    ).encode()
