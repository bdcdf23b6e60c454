"""`os-layers.md`, "A package": what of a Debian package lies where."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import posixpath
import tarfile
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import zstandard
from second.layer import DIRECTORY, FILE, SYMLINK, Content, Entry, file

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


MERGED = ("bin", "lib", "lib32", "lib64", "libo32", "libx32", "sbin")


def merged(path: str) -> str:
    if path.partition("/")[0] in MERGED:
        return f"usr/{path}"
    for old, new in (("var/run", "run"), ("var/lock", "run/lock")):
        if path == old or path.startswith(old + "/"):
            return new + path.removeprefix(old)
    return path


@dataclass
class Deb:
    """A Debian package: its control files by name, the fields of its stanza, and its entries."""

    name: str
    requested: bool
    control: dict[str, bytes] = field(default_factory=dict)
    fields: dict[str, str] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)

    @property
    def base(self) -> str:
        shared = self.fields.get("Multi-Arch") == "same"
        return f"{self.name}:{self.fields['Architecture']}" if shared else self.name

    def text(self, member: str) -> str:
        return self.control.get(member, b"").decode()


def read_deb(path: Path, name: str, *, requested: bool) -> Deb:
    members = ar_members(path.read_bytes())
    package = Deb(name, requested)
    with tarfile.open(fileobj=io.BytesIO(members["control"])) as archive:
        for member in archive:
            if member.isfile():
                package.control[member.name.removeprefix("./")] = archive.extractfile(member).read()  # type: ignore[union-attr]
    package.fields = stanza(package.text("control"))
    data = memoryview(members["data"])
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        unpack(package, archive.getmembers(), data)
    return package


def ar_members(raw: bytes) -> dict[str, bytes]:
    out: dict[str, bytes] = {}
    at = 8
    while at < len(raw) and "data" not in out:
        name, size = raw[at : at + 16].decode().rstrip(" ").rstrip("/"), int(raw[at + 48 : at + 58])
        body = raw[at + 60 : at + 60 + size]
        at += 60 + size + size % 2
        stem, _, suffix = name.partition(".tar")
        if stem in {"control", "data"}:
            out[stem] = INFLATE[suffix](body)
    return out


INFLATE: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.decompress,
    ".xz": lzma.decompress,
    ".lzma": lzma.decompress,
    ".bz2": bz2.decompress,
    ".zst": lambda body: zstandard.ZstdDecompressor().stream_reader(body, read_across_frames=True).read(),
}


def stanza(text: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in text.rstrip("\n").split("\n"):
        if line.startswith((" ", "\t")):
            fields[name] += f"\n{line}"
        else:
            name, _, value = line.partition(":")
            fields[name] = value.lstrip(" \t")
    return fields


def unpack(package: Deb, members: Sequence[tarfile.TarInfo], data: memoryview) -> None:
    entries = package.entries
    listed, links, sums = [], [], []
    under_new_name = {path for path in map(path_of, members) if path == merged(path)}
    for member in members:
        path = path_of(member)
        new = merged(path)
        (links if member.issym() else listed).append(path)
        entry = Entry(DIRECTORY, member.mode & 0o7777, member.uid, member.gid)
        if member.isdir():
            if path and (path == new or new not in under_new_name):
                entries[new] = entry
        elif member.issym():
            if path not in MERGED:
                target = moved_target(path, member.linkname)
                entries[new] = replace(entry, kind=SYMLINK, mode=0o777, link=target)
        else:
            content = Content(data[member.offset_data : member.offset_data + member.size])
            entries[new] = replace(entry, kind=FILE, content=content)
            if member.islnk():
                entries[new] = entries[merged(member.linkname.removeprefix("./"))]
            sums.append(f"{hashlib.md5(entries[new].content.data).hexdigest()}  {path}\n")
    info = f"var/lib/dpkg/info/{package.base}"
    lines = dict.fromkeys("/" + (path or ".") for path in [*listed, *links])
    entries[f"{info}.list"] = file("".join(f"{line}\n" for line in lines).encode())
    entries[f"{info}.md5sums"] = file("".join(sums).encode())
    for name, body in package.control.items():
        if name != "control":
            runs = name in {"preinst", "postinst", "prerm", "postrm", "config"}
            entries[f"{info}.{name}"] = file(body, 0o755 if runs else 0o644)


def path_of(member: tarfile.TarInfo) -> str:
    """Give a member's path; empty for the root."""
    path = member.name.removeprefix("./").rstrip("/")
    return "" if path == "." else path


def moved_target(path: str, target: str) -> str:
    new = merged(path)
    if new == path or target.startswith("/"):
        return target
    meant = merged(posixpath.normpath(posixpath.join(posixpath.dirname(path), target)))
    if posixpath.normpath(posixpath.join(posixpath.dirname(new), target)) == meant:
        return target
    return posixpath.relpath(meant, posixpath.dirname(new))
