"""A real conda channel, made by the tests: packages of every kind, indexed by rattler, served on loopback.

Not a test. `tests/conftest.py` hands it out as the fixture `conda_channel`, the module itself:

    def test_something(conda_channel, tmp_path):
        with conda_channel.serve(tmp_path / "channel") as channel:
            channel.add(conda_channel.package("zlib", paths={"lib/libz.so": conda_channel.Item(b"...")}))
            channel.index()
            channel.url                      # http://127.0.0.1:PORT/channel
            channel.locked("zlib")           # the `CondaPackage` that a lock has for it
"""

from __future__ import annotations

import asyncio
import base64
import bz2
import hashlib
import io
import json
import tarfile
import threading
import zipfile
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import zstandard

from envfreeze.digest import Digest
from envfreeze.locking.model import CondaPackage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

PLACEHOLDER = "/home/builder/work/_h_env_" + "placehold_" * 22
"""What packages are built with: as long as conda-build makes it, so that any prefix fits in its place."""

NAME = "/channel"
"""Where the channel lies on its server."""


@dataclass(frozen=True)
class Item:
    """A path of a package.

    Attributes:
        content: of a file.
        mode: permission bits in the tar.
        symlink: target of a symbolic link.
        hardlink: path in the package that this one is a hard link to.
        directory: it is a directory.
        prefix: `text` or `binary`: its placeholder is to be replaced.
        placeholder: what is to be replaced.
        no_link: conda may not link it.
        stated: what its row in paths.json says otherwise; None as a value leaves the key out.
        listed: whether paths.json has a row for it.
        packed: whether the archive holds it.

    """

    content: bytes = b""
    mode: int = 0o644
    symlink: str | None = None
    hardlink: str | None = None
    directory: bool = False
    prefix: str | None = None
    placeholder: str = PLACEHOLDER
    no_link: bool = False
    stated: Mapping[str, Any] = field(default_factory=dict)
    listed: bool = True
    packed: bool = True


@dataclass(frozen=True)
class Built:
    """A package file.

    Attributes:
        filename: its name.
        content: its bytes.
        index: what its info/index.json says.

    """

    filename: str
    content: bytes
    index: Mapping[str, Any]

    @property
    def subdir(self) -> str:
        """The folder of the channel that it belongs into."""
        return str(self.index["subdir"])

    def locked(self, channel: str = "https://conda.example.org/channel", **changes: Any) -> CondaPackage:
        """What a lock says of it, fetched from `channel`."""
        index = self.index
        fields: dict[str, Any] = {
            "name": index["name"],
            "version": index["version"],
            "build": index["build"],
            "build_number": index["build_number"],
            "subdir": self.subdir,
            "channel": channel,
            "filename": self.filename,
            "digest": Digest.of(self.content),
            "md5": hashlib.md5(self.content).hexdigest(),
            "size": len(self.content),
            "url": f"{channel}/{self.subdir}/{self.filename}",
            "depends": tuple(index["depends"]),
            "constrains": tuple(index["constrains"]),
            "noarch": index.get("noarch"),
        }
        return CondaPackage(**fields | changes)


def package(
    name: str,
    version: str = "1.0",
    build: str = "0",
    *,
    build_number: int = 0,
    subdir: str = "linux-64",
    paths: Mapping[str, Item] | None = None,
    depends: Sequence[str] = (),
    constrains: Sequence[str] = (),
    noarch: str | None = None,
    entry_points: Sequence[str] = (),
    legacy: bool = False,
    old_info: bool = False,
    info: Mapping[str, bytes | None] | None = None,
    index: Mapping[str, Any] | None = None,
    timestamp: int = 1700000000000,
    change: Callable[[bytes], bytes] = bytes,
    change_tar: Callable[[bytes], bytes] = bytes,
) -> Built:
    """Make a package.

    Args:
        name: its name.
        version: its version.
        build: its build string.
        build_number: its build number.
        subdir: its platform; `noarch` wherever `noarch` is given.
        paths: what it holds.
        depends: match specs.
        constrains: match specs.
        noarch: `python` or `generic`.
        entry_points: `command = module:function`, of info/link.json.
        legacy: a .tar.bz2, else a .conda.
        old_info: info/files, has_prefix and no_link alone, as before paths.json.
        info: further files of info/, or other contents of these; None leaves one out.
        index: further keys of index.json, or other values.
        timestamp: milliseconds, in index.json.
        change: alters the finished file.
        change_tar: alters the tar that holds the paths, before it is compressed.

    """
    paths = {} if paths is None else paths
    subdir = "noarch" if noarch else subdir
    stated: dict[str, Any] = {
        "arch": None if noarch else "x86_64",
        "build": build,
        "build_number": build_number,
        "constrains": list(constrains),
        "depends": list(depends),
        "license": "MIT",
        "name": name,
        "platform": None if noarch else "linux",
        "subdir": subdir,
        "timestamp": timestamp,
        "version": version,
        **({"noarch": noarch} if noarch else {}),
        **(index or {}),
    }
    files: dict[str, bytes | None] = {
        "index.json": json.dumps(stated).encode(),
        "about.json": b'{"summary": "made by the tests"}',
        "files": "".join(f"{path}\n" for path, item in paths.items() if item.listed).encode(),
    }
    if old_info:
        files |= _old_info(paths)
    else:
        rows = [row(path, item, paths) for path, item in paths.items() if item.listed]
        files["paths.json"] = json.dumps({"paths": rows, "paths_version": 1}).encode()
    if noarch == "python":
        link = {"noarch": {"type": "python", "entry_points": list(entry_points)}}
        files["link.json"] = json.dumps({**link, "package_metadata_version": 1}).encode()
    files |= info or {}
    items = {f"info/{path}": Item(content) for path, content in files.items() if content is not None}
    packed = {path: item for path, item in paths.items() if item.packed}
    stem = f"{name}-{version}-{build}"
    if legacy:
        content = bz2.compress(change_tar(tar_of(items | packed)))
        return Built(f"{stem}.tar.bz2", change(content), stated)
    content = conda_of(stem, tar_of(items), change_tar(tar_of(packed)))
    return Built(f"{stem}.conda", change(content), stated)


def row(path: str, item: Item, paths: Mapping[str, Item]) -> dict[str, Any]:
    """A path's row in paths.json, as conda-build writes it."""
    kind = "softlink" if item.symlink is not None else "directory" if item.directory else "hardlink"
    linked = item
    while linked.hardlink is not None:
        linked = paths[linked.hardlink]
    content = linked.content
    stated: dict[str, Any] = {"_path": path, "path_type": kind}
    if kind != "directory":
        stated |= {"sha256": hashlib.sha256(content).hexdigest(), "size_in_bytes": len(content)}
    if item.prefix is not None:
        stated |= {"file_mode": item.prefix, "prefix_placeholder": item.placeholder}
    if item.no_link:
        stated["no_link"] = True
    return {key: value for key, value in (stated | dict(item.stated)).items() if value is not None}


def _old_info(paths: Mapping[str, Item]) -> dict[str, bytes | None]:
    lines = [
        f"{item.placeholder} {item.prefix} {path}\n"
        for path, item in paths.items()
        if item.prefix is not None
    ]
    unlinked = [f"{path}\n" for path, item in paths.items() if item.no_link]
    return {
        "has_prefix": "".join(lines).encode() if lines else None,
        "no_link": "".join(unlinked).encode() if unlinked else None,
    }


def tar_of(items: Mapping[str, Item]) -> bytes:
    """Write a tar of the paths, in their order."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path, item in items.items():
            info = tarfile.TarInfo(path)
            info.mode = item.mode
            if item.symlink is not None:
                info.type, info.linkname, info.mode = tarfile.SYMTYPE, item.symlink, 0o777
                archive.addfile(info)
            elif item.hardlink is not None:
                info.type, info.linkname = tarfile.LNKTYPE, item.hardlink
                archive.addfile(info)
            elif item.directory:
                info.type, info.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(info)
            else:
                info.size = len(item.content)
                archive.addfile(info, io.BytesIO(item.content))
    return out.getvalue()


def conda_of(stem: str, info: bytes, content: bytes, *, members: Mapping[str, bytes] | None = None) -> bytes:
    """Write a .conda: a stored zip of two zstd tars; `members` takes the place of what is in it."""
    compressor = zstandard.ZstdCompressor(level=3)
    found = {
        "metadata.json": b'{"conda_pkg_format_version": 2}',
        f"pkg-{stem}.tar.zst": compressor.compress(content),
        f"info-{stem}.tar.zst": compressor.compress(info),
        **(members or {}),
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, data in found.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return out.getvalue()


@dataclass
class Channel:
    """A channel: a folder, and a server of it.

    Attributes:
        folder: the channel's.
        url: without subdir and slash.
        built: packages by filename.
        asked: how often each path was asked for, without `/channel`.
        instead: another answer to a path: its bytes, or a status.
        cut: after how many bytes the connection ends, by path.
        credentials: `user:password` that everything needs; empty: none.

    """

    folder: Path
    url: str = ""
    built: dict[str, Built] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    instead: dict[str, bytes | int] = field(default_factory=dict)
    cut: dict[str, int] = field(default_factory=dict)
    credentials: str = ""

    def add(self, *packages: Built) -> None:
        """Put packages into their subdirs; `index` tells the clients of them."""
        for built in packages:
            place = self.folder / built.subdir
            place.mkdir(parents=True, exist_ok=True)
            (place / built.filename).write_bytes(built.content)
            self.built[built.filename] = built

    def remove(self, filename: str) -> None:
        """Take a package out."""
        (self.folder / self.built.pop(filename).subdir / filename).unlink()

    def index(self) -> None:
        """Write repodata.json of every subdir, by rattler's own indexer."""
        from rattler.index import index_fs

        for subdir in ("noarch", "linux-64"):
            (self.folder / subdir).mkdir(parents=True, exist_ok=True)
        asyncio.run(index_fs(self.folder, write_zst=True, write_shards=False, force=True))

    def find(self, name: str) -> Built:
        """The one package of a name."""
        (found,) = (built for built in self.built.values() if built.index["name"] == name)
        return found

    def locked(self, name: str, **changes: Any) -> CondaPackage:
        """What a lock says of the one package of a name."""
        return self.find(name).locked(self.url, **changes)

    def answer(self, path: str) -> tuple[int, bytes]:
        """What the server says to a path below `/channel`."""
        self.asked[path] += 1
        other = self.instead.get(path)
        if isinstance(other, int):
            return other, b"no"
        if other is not None:
            return 200, other
        place = (self.folder / path.lstrip("/")).resolve()
        if place.is_relative_to(self.folder.resolve()) and place.is_file():
            return 200, place.read_bytes()
        return 404, b"not here"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Listener

    def do_GET(self) -> None:
        channel = self.server.channel
        path = unquote(self.path.partition("?")[0])
        wanted = "Basic " + base64.b64encode(channel.credentials.encode()).decode()
        if channel.credentials and self.headers.get("Authorization") != wanted:
            self._send(401, b"who are you?", {"WWW-Authenticate": 'Basic realm="channel"'})
        elif not path.startswith(f"{NAME}/"):
            self._send(404, b"not here")
        else:
            path = path.removeprefix(NAME)
            self._send(*channel.answer(path), cut=channel.cut.get(path))

    do_HEAD = do_GET  # noqa: N815 - http.server's name

    def _send(
        self, status: int, body: bytes, headers: Mapping[str, str] | None = None, *, cut: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[:cut])
        self.close_connection |= cut is not None

    def log_message(self, *_: object) -> None:
        """Keep the tests' output clean."""


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    channel: Channel

    def handle_error(self, *_: object) -> None:
        """Clients leave early on purpose."""


@contextmanager
def serve(folder: Path) -> Iterator[Channel]:
    """Serve a channel whose files are in `folder`, on loopback, until the block ends."""
    folder.mkdir(parents=True, exist_ok=True)
    with _Listener(("127.0.0.1", 0), _Handler) as server:
        server.channel = Channel(folder, f"http://127.0.0.1:{server.server_address[1]}{NAME}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server.channel
        finally:
            server.shutdown()
            thread.join()


def every_kind() -> list[Built]:
    """Packages of every kind that go side by side, without empty folders, which rattler refuses.

    `python` is one in shape only: a script in place of the interpreter.
    """
    binary = b"\x7fELF" + bytes(60)
    in_binary = f"{PLACEHOLDER}/lib:{PLACEHOLDER}/lib64".encode() + b"\0tail\0" + PLACEHOLDER.encode() + b"\0"
    return [
        package(
            "python",
            "3.13.5",
            "h0_0_cp313",
            depends=["zlib >=1.0"],
            paths={
                "bin/python3.13": Item(b"#!/bin/sh\n" + binary + in_binary, 0o755, prefix="binary"),
                "bin/python3": Item(symlink="python3.13"),
                "bin/python": Item(symlink="python3.13"),
                "bin/idle": Item(
                    f"#!{PLACEHOLDER}/bin/python3.13 -s\nx = 1\n".encode(), 0o755, prefix="text"
                ),
                "lib/python3.13/os.py": Item(b"name = 'posix'\n"),
                "lib/python3.13/site-packages/README.txt": Item(b"packages go here\n"),
            },
        ),
        package(
            "zlib",
            "1.3.1",
            "hb9d3cd8_2",
            build_number=2,
            constrains=["zlib-ng <2"],
            paths={
                "lib/libz.so.1.3.1": Item(binary + in_binary + bytes(3_000), 0o755, prefix="binary"),
                "lib/libz.so.1": Item(symlink="libz.so.1.3.1"),
                "lib/libz.so": Item(symlink="libz.so.1.3.1"),
                "lib/libz.a": Item(binary * 100),
                "lib/copy-of-libz.a": Item(hardlink="lib/libz.a"),
                "lib/pkgconfig/zlib.pc": Item(
                    f"prefix={PLACEHOLDER}\nlibdir={PLACEHOLDER}/lib\n".encode(), prefix="text"
                ),
                "share/doc/zlib/README": Item(b"read me\n", no_link=True),
                "share/zlib/nothing": Item(b""),
                "etc/conda/activate.d/zlib.sh": Item(f"export Z={PLACEHOLDER}\n".encode(), prefix="text"),
            },
        ),
        package(
            "tools",
            "2.0",
            "old_0",
            legacy=True,
            depends=["zlib"],
            paths={
                "bin/tool": Item(f"#!{PLACEHOLDER}/bin/perl -w\nprint;\n".encode(), 0o755, prefix="text"),
                "bin/tool-again": Item(hardlink="bin/tool", mode=0o755, prefix="text"),
                "share/tools/data.bin": Item(bytes(range(256)) * 20),
                "share/tools/link": Item(symlink="../../lib/libz.so"),
            },
        ),
        package(
            "ancient",
            "0.1",
            "1",
            legacy=True,
            old_info=True,
            paths={
                "bin/ancient": Item(f"#!{PLACEHOLDER}/bin/sh\n".encode(), 0o755, prefix="text"),
                "lib/libancient.so": Item(binary + in_binary, prefix="binary"),
                "lib/libancient.so.0": Item(symlink="libancient.so"),
                "share/ancient": Item(b"unlinked\n", no_link=True),
            },
        ),
        package(
            "pure",
            "3.1",
            "pyh_0",
            noarch="python",
            depends=["python >=3.9"],
            entry_points=["pure = pure.cli:main", "pure-admin=pure.cli:Admin.run"],
            paths={
                "site-packages/pure/__init__.py": Item(b"__version__ = '3.1'\n"),
                "site-packages/pure/cli.py": Item(b"def main():\n    print('pure')\n"),
                "site-packages/pure/where.py": Item(f"where = '{PLACEHOLDER}'\n".encode(), prefix="text"),
                "site-packages/pure-3.1.dist-info/METADATA": Item(
                    b"Metadata-Version: 2.1\nName: pure\nVersion: 3.1\n"
                ),
                "site-packages/pure-3.1.dist-info/RECORD": Item(b"pure/__init__.py,,\n"),
                "site-packages/pure-3.1.dist-info/INSTALLER": Item(b"conda"),
                "python-scripts/pure-script": Item(
                    f"#!{PLACEHOLDER}/bin/python\nprint(1)\n".encode(), 0o755, prefix="text"
                ),
                "share/pure/data.txt": Item(b"data\n"),
            },
        ),
        package(
            "data",
            "2026a",
            "h1_0",
            noarch="generic",
            paths={
                "share/data/\N{LATIN SMALL LETTER U WITH DIAERESIS}.txt": Item(b"umlaut\n"),
                "share/data/" + "long/" * 30 + "path.txt": Item(b"long\n"),
            },
        ),
        package("meta", "1", "0", noarch="generic", depends=["data", "zlib"]),
    ]


def with_scripts() -> Built:
    """A package with link scripts."""
    return package(
        "scripted",
        paths={
            "bin/.scripted-post-link.sh": Item(b"#!/bin/sh\ntouch /ran\n", 0o755),
            "bin/.scripted-pre-unlink.sh": Item(b"#!/bin/sh\n", 0o755),
            "bin/scripted": Item(b"#!/bin/sh\n", 0o755),
        },
    )
