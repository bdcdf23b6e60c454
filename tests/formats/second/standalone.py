"""`standalone-layer.md`: an archive of python-build-standalone as entries."""

from __future__ import annotations

import tarfile
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import TYPE_CHECKING

from second.layer import Content, Entry, directory, file, symlink

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any

MANAGED = b"""[externally-managed]
Error=This Python is part of a frozen image: what is installed into it is in no lock.
 Add the package to the project and run `envfreeze lock`.
"""
SETTINGS = ("_sysconfigdata_*.py", "_sysconfig_vars_*.json")
BLANKS = b" \t\n\v\f\r"
JOINED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-)}/"
TOOLS = {b"clang": b"cc", b"gcc": b"cc", b"clang++": b"c++", b"g++": b"c++", b"llvm-ar": b"ar", b"ar": b"ar"}
MACHINES = (b"/usr/bin/x86_64-linux-gnu-", b"/usr/bin/aarch64-linux-gnu-")


def standalone(path: Path, locked: Mapping[str, Any]) -> dict[str, Entry]:
    """Give the entries of an archive, as the lock's `standalone` names it."""
    prefix = locked["prefix"]
    entries: dict[str, Entry] = {}
    contents: dict[str, Content] = {}
    with tarfile.open(path) as tar:
        for member in tar:
            place = member.name.removeprefix("./").removeprefix("python/")
            if member.name in {"python", "./python"}:
                continue
            mode = 0o755 if member.mode & 0o111 else 0o644
            if member.isdir():
                entry = directory()
            elif member.issym():
                entry = symlink(member.linkname)
            else:
                source = member.linkname.removeprefix("./").removeprefix("python/") if member.islnk() else ""
                if member.islnk():
                    mode, contents[place] = entries_mode(entries, contents, source), contents[source]
                else:
                    contents[place] = Content(tar.extractfile(member).read())
                changed = rebased(place, contents[place].data, prefix.encode())
                before = rebased(source, contents[place].data, prefix.encode()) if source else None
                own = changed is not None or before is not None or "__pycache__" in source.split("/")[-2:]
                content = Content(contents[place].data if changed is None else changed)
                entry = file(content if own else contents[place], mode)
            entries[place] = entry
    kept = {place: entry for place, entry in entries.items() if "__pycache__" not in place.split("/")[-2:]}
    minor = ".".join(locked["version"].split(".")[:2])
    kept.setdefault(f"lib/python{minor}/EXTERNALLY-MANAGED", file(MANAGED))
    return {f"{prefix[1:]}/{place}": entry for place, entry in kept.items()}


def entries_mode(entries: Mapping[str, Entry], contents: Mapping[str, Content], source: str) -> int:
    assert source in contents
    return entries[source].mode


def rebased(place: str, data: bytes, prefix: bytes) -> bytes | None:
    """Give a changed file's content; None for a file that stays."""
    folder, _, name = place.rpartition("/")
    parts = folder.split("/")
    library = len(parts) >= 2 and parts[0] == "lib" and fnmatchcase(parts[1], "python3.[0-9]*")
    settings = library and len(parts) == 2 and any(fnmatchcase(name, pattern) for pattern in SETTINGS)
    built = library and len(parts) == 3 and parts[2].startswith("config-")
    changes = (
        settings
        or (library and len(parts) == 2 and name == "build-details.json")
        or (built and name in {"Makefile", "python-config.py"})
        or (folder == "lib/pkgconfig" and name.endswith(".pc"))
        or (folder == "bin" and data[:2] == b"#!")
    )
    if not changes:
        return None
    data = moved(data, prefix)
    return with_tools(data) if settings else data


def moved(data: bytes, prefix: bytes) -> bytes:
    out, start = b"", 0
    while (at := data.find(b"/install", start)) >= 0:
        before, after = data[:at], data[at + 8 : at + 9]
        alone = not before or before.endswith((b"-I", b"-L")) or before[-1] not in JOINED
        fits = alone and (not after or after in b"/\"':;,)" + BLANKS)
        out += data[start:at] + (prefix if fits else b"/install")
        start = at + 8
    return out + data[start:]


def with_tools(data: bytes) -> bytes:
    """Put the image's tools in place of the build machine's: whole words between quotes and blanks."""
    ends = [at for at, byte in enumerate(data) if byte in b"\"'" + BLANKS]
    out, start = b"", 0
    for left, right in pairwise(ends):
        word = data[left + 1 : right]
        out += data[start : left + 1] + tool(word)
        start = right
    return out + data[start:]


def tool(word: bytes) -> bytes:
    name = word
    for machine in MACHINES:
        name = name.removeprefix(machine) if name is word else name
    if (
        name is word
        and word.startswith(b"/tools/")
        and word.count(b"/") == 4
        and word.split(b"/")[3] == b"bin"
    ):
        name = word.split(b"/")[4]
    return TOOLS.get(name, word)
