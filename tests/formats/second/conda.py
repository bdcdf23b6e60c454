"""`conda-layers.md`: what of a conda package lies where."""

from __future__ import annotations

import bz2
import hashlib
import io
import json
import re
import shlex
import tarfile
import zipfile
from typing import TYPE_CHECKING, Any

import zstandard
from second.layer import Content, Entry, directory, file, symlink

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

PREFIX = "opt/conda"
ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
FROM_LOCK = (
    "name",
    "version",
    "build",
    "build_number",
    "subdir",
    "depends",
    "constrains",
    "md5",
    "sha256",
)
FROM_INDEX = (
    "noarch",
    "arch",
    "platform",
    "license",
    "license_family",
    "features",
    "track_features",
    "python_site_packages_path",
)
SHEBANG = re.compile(rb"#! *(/(?:\\ |[^ \t\r\n])*)(.*)", re.DOTALL)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def replace_text(data: bytes, old: str, new: str) -> bytes:
    head, line_feed, rest = data.partition(b"\n")
    if data.startswith(b"#!") and len(head) < 65_536:
        head = replace_all(head, old, new)
        match = SHEBANG.fullmatch(head)
        if len(head) > 127 and match:
            head = b"#!/usr/bin/env " + match[1].rpartition(b"/")[2] + match[2]
        return head + replace_all(line_feed + rest, old, new)
    return replace_all(data, old, new)


def replace_all(data: bytes, old: str, new: str) -> bytes:
    out, at = b"", 0
    while (found := first(data, at, old)) is not None:
        start, encoding = found
        out += data[at:start] + new.encode(encoding)
        at = start + len(old.encode(encoding))
    return out + data[at:]


def replace_binary(data: bytes, old: str, new: str) -> bytes:
    out, at = b"", 0
    while (found := first(data, at, old)) is not None:
        start, encoding = found
        nul = "\0".encode(encoding)
        end = start
        while end < len(data) and data[end : end + len(nul)] != nul:
            end += len(nul)
        end = min(end, len(data))
        string = data[start:end].replace(old.encode(encoding), new.encode(encoding))
        out += data[at:start] + string.ljust(end - start, b"\0")
        at = end
    return out + data[at:]


def first(data: bytes, at: int, old: str) -> tuple[int, str] | None:
    found = [(data.find(old.encode(encoding), at), encoding) for encoding in ENCODINGS]
    return min((one for one in found if one[0] >= 0), key=lambda one: one[0], default=None)


class Conda:
    """A package's files as they lie in the image.

    Args:
        path: its file.
        locked: what the lock says of it.
        python: version of the Python that conda packages provide, as `3.13`.

    """

    def __init__(self, path: Path, locked: Mapping[str, Any], python: str) -> None:
        self.locked, self.python = locked, python
        raw = path.read_bytes()
        self.size = len(raw)
        self.members: dict[str, tarfile.TarInfo] = {}
        self.contents: dict[str, bytes] = {}
        for tar in tars(raw, locked["filename"]):
            self._read(tar)
        self.index = json.loads(self.contents["info/index.json"])
        self.noarch = self.index.get("noarch") == "python"
        self.entries: dict[str, Entry] = {}
        self.rows: dict[str, dict[str, Any]] = {}
        listed = self._listed()
        for row in listed:
            self._install(row, {row["_path"]: row for row in listed})
        if self.noarch and "info/link.json" in self.contents:
            self._commands()
        name = "{name}-{version}-{build}".format(**locked)
        self.entries[f"{PREFIX}/conda-meta/{name}.json"] = file(self._record())

    def _read(self, data: bytes) -> None:
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            for member in tar:
                name = member.name.removeprefix("./")
                self.members[name] = member
                if member.isreg():
                    self.contents[name] = tar.extractfile(member).read()

    def _listed(self) -> list[dict[str, Any]]:
        if "info/paths.json" in self.contents:
            return json.loads(self.contents["info/paths.json"])["paths"]
        placeholders = {}
        for line in self._lines("has_prefix"):
            *how, path = (word.strip("'\"") for word in shlex.split(line, posix=False))
            placeholders[path] = how or ["/opt/anaconda1anaconda2" + "anaconda3", "text"]
        rows = []
        for path in self._lines("files"):
            row: dict[str, Any] = {"_path": path, "path_type": None}
            if path in placeholders:
                row["prefix_placeholder"], row["file_mode"] = placeholders[path]
            if path in self._lines("no_link"):
                row["no_link"] = True
            rows.append(row)
        return rows

    def _lines(self, name: str) -> list[str]:
        lines = (line.strip() for line in self.contents.get(f"info/{name}", b"").decode().splitlines())
        return [line for line in lines if line and not line.startswith("#")]

    def _place(self, path: str) -> str:
        if self.noarch and path.startswith("site-packages/"):
            return f"lib/python{self.python}/{path}"
        if self.noarch and path.startswith("python-scripts/"):
            return "bin/" + path.removeprefix("python-scripts/")
        return path

    def _install(self, listed: Mapping[str, Any], every: Mapping[str, Mapping[str, Any]]) -> None:
        path, member = listed["_path"], self.members.get(listed["_path"])
        place = self._place(path)
        row: dict[str, Any] = {"_path": place, "path_type": "hardlink"}
        self.rows[place] = row
        if listed.get("no_link") is True:
            row["no_link"] = True
        placeholder, mode = listed.get("prefix_placeholder"), listed.get("file_mode", "text")
        if placeholder is not None:
            row |= {"file_mode": mode, "prefix_placeholder": placeholder}
        if member is None or member.isdir():
            row["path_type"] = "directory"
            self.entries[f"{PREFIX}/{place}"] = directory()
            return
        if member.issym():
            row["path_type"] = "softlink"
            self.entries[f"{PREFIX}/{place}"] = symlink(member.linkname)
            return
        origin = path
        while self.members[origin].islnk():
            origin = self.members[origin].linkname.removeprefix("./")
        data = self.contents[origin]
        row |= {"sha256": sha256(data), "size_in_bytes": len(data)}
        permissions = 0o755 if self.members[origin].mode & 0o111 else 0o644
        if placeholder is not None:
            replace = replace_text if mode == "text" else replace_binary
            changed = replace(data, placeholder, f"/{PREFIX}")
            row["sha256_in_prefix"] = sha256(changed)
            self.entries[f"{PREFIX}/{place}"] = file(changed, permissions)
            return
        content = Content(data)
        original = self.entries.get(f"{PREFIX}/{self._place(origin)}")
        if origin != path and original is not None and "prefix_placeholder" not in every[origin]:
            content = original.content
        self.entries[f"{PREFIX}/{place}"] = file(content, permissions)

    def _commands(self) -> None:
        for line in json.loads(self.contents["info/link.json"])["noarch"].get("entry_points") or []:
            name, called = (part.strip() for part in line.split("=", 1))
            module, attribute = (part.strip() for part in called.partition("[")[0].split(":"))
            text = (
                f"#!/{PREFIX}/bin/python{self.python}\nimport sys\n"
                f"from {module} import {attribute.partition('.')[0]}\n"
                f'if __name__ == "__main__":\n    sys.exit({attribute}())\n'
            ).encode()
            self.rows[f"bin/{name}"] = {
                "_path": f"bin/{name}",
                "path_type": "unix_python_entry_point",
                "sha256": sha256(text),
                "size_in_bytes": len(text),
            }
            self.entries[f"{PREFIX}/bin/{name}"] = file(text, 0o755)

    def _record(self) -> bytes:
        record = {key: self.locked[key] for key in FROM_LOCK if self.locked[key] is not None}
        record["channel"], record["url"] = public(self.locked)
        record |= {"fn": self.locked["filename"], "size": self.size}
        said = {key: self.index.get(key) for key in FROM_INDEX}
        record |= {key: text for key, text in said.items() if isinstance(text, str) and text}
        moment = self.index.get("timestamp")
        if type(moment) is int and moment >= 0:
            record["timestamp"] = moment
        record["files"] = sorted(self.rows, key=str.encode)
        rows = [self.rows[path] for path in record["files"]]
        return canonical(record | {"paths_data": {"paths": rows, "paths_version": 1}})


def tars(raw: bytes, filename: str) -> Iterable[bytes]:
    if filename.endswith(".tar.bz2"):
        return [bz2.decompress(raw)]
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        packed = [archive.read(name) for name in archive.namelist() if name.endswith(".tar.zst")]
    unpack = zstandard.ZstdDecompressor()
    return [unpack.stream_reader(data, read_across_frames=True).read() for data in packed]


def public(locked: Mapping[str, Any]) -> tuple[str, str]:
    """The channel and URL that an image may name."""
    if not (locked["channel"].startswith("file:") or locked["url"].startswith("file:")):
        return locked["channel"], locked["url"]
    channel = "file:///" + locked["channel"].rstrip("/").rpartition("/")[2]
    return channel, "{}/{subdir}/{filename}".format(channel, **locked)


def history(packages: Iterable[Mapping[str, Any]]) -> bytes:
    """`conda-meta/history` of an environment of these packages."""
    ordered = sorted(packages, key=lambda locked: locked["name"])
    lines = ["==> 1980-01-02 00:00:00 <==", "# cmd: envfreeze build"]
    lines += ["+{}/{subdir}::{name}-{version}-{build}".format(public(one)[0], **one) for one in ordered]
    if asked := [one["name"] for one in ordered if one["requested"]]:
        lines.append(f"# update specs: {json.dumps(asked)}")
    return "".join(f"{line}\n" for line in lines).encode()
