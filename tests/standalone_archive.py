"""Archives in the shape of python-build-standalone's `install_only`, and the list of builds that names them.

`archive` packs whatever a test likes, `small` what the least Python would be, and `real` a Python of this
machine, which is moved to `/install` as python-build-standalone's are built for it.
"""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.digest import Digest
from envfreeze.locking.model import StandalonePython

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

BUILD = "20260807"
MACHINES = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
LEFT_OUT = {"__pycache__", "ensurepip", "idlelib", "lib2to3", "site-packages", "test", "turtledemo"}


@dataclass(frozen=True)
class Item:
    """A member of an archive: a file, or what `kind` says of a link to `link`."""

    content: bytes = b""
    mode: int = 0o644
    kind: bytes = tarfile.REGTYPE
    link: str = ""


def link(target: str) -> Item:
    return Item(kind=tarfile.SYMTYPE, link=target, mode=0o777)


def hardlink(target: str) -> Item:
    return Item(kind=tarfile.LNKTYPE, link=target)


def folder(mode: int = 0o755) -> Item:
    return Item(kind=tarfile.DIRTYPE, mode=mode)


def archive(members: Iterable[tuple[str, Item]] | Mapping[str, Item]) -> bytes:
    """Pack members as they are, in their order."""
    out = io.BytesIO()
    pairs = members.items() if hasattr(members, "items") else members
    with (
        gzip.GzipFile(fileobj=out, mode="wb", compresslevel=1, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as tar,
    ):
        for path, item in pairs:
            info = tarfile.TarInfo(path)
            info.mode, info.type, info.linkname, info.size = (
                item.mode,
                item.kind,
                item.link,
                len(item.content),
            )
            info.uid, info.gid, info.uname, info.mtime = 1000, 1000, "builder", 1_700_000_000
            tar.addfile(info, io.BytesIO(item.content))
    return out.getvalue()


SETTINGS = """# system configuration generated and used by the sysconfig module
build_time_vars = {{'AR': '/tools/llvm/bin/llvm-ar',
 'BINDIR': '/install/bin',
 'CC': 'clang -pthread',
 'CFLAGS': '-O3 -I/install/include -I/tools/deps/include',
 'CONFIG_ARGS': "'--prefix=/install' "
                "'CC=clang'",
 'CXX': 'clang++ -pthread',
 'INSTALL': '/usr/bin/install -c',
 'LDFLAGS': '-L/install/lib -Wl,-rpath,/install/lib',
 'SRC': '/build/Python-{version}/install-sh',
 'prefix': '/install'}}
"""


def small(version: str = "3.12.13", further: Mapping[str, Item] | None = None) -> dict[str, Item]:
    """The members of the least Python, below `python/`."""
    minor = version.rpartition(".")[0]
    library = f"python/lib/python{minor}"
    return {
        f"python/bin/python{minor}": Item(b"\x7fELF" + version.encode() * 500, 0o755),
        "python/bin/python3": link(f"python{minor}"),
        "python/bin/python": link(f"python{minor}"),
        "python/bin/pip": Item(
            b"#!/bin/sh\n'''exec' \"$(dirname -- \"$0\")/python\" \"$0\" \"$@\"\n' '''\n", 0o775
        ),
        f"python/bin/python{minor}-config": Item(b"#!/bin/sh\nprefix=/install\nexec echo $prefix\n", 0o755),
        f"python/include/python{minor}/patchlevel.h": Item(f'#define PY_VERSION "{version}"\n'.encode()),
        f"{library}/os.py": Item(b"# the standard library\n" * 20, 0o664),
        f"{library}/__pycache__/os.cpython-312.opt-1.pyc": Item(b"compiled"),
        f"{library}/_sysconfigdata__linux_x86_64-linux-gnu.py": Item(
            SETTINGS.format(version=version).encode()
        ),
        f"{library}/config-{minor}-x86_64-linux-gnu/Makefile": Item(b"prefix=\t/install\nCC=\tclang\n"),
        f"{library}/lib-dynload/_ctypes.so": Item(b"\x7fELF ctypes", 0o755),
        "python/lib/pkgconfig/python3.pc": Item(b"prefix=/install\nexec_prefix=${prefix}\n"),
        "python/share/terminfo/x/xterm": Item(b"\x1a\x01"),
        **(further or {}),
    }


def filename(version: str, platform: str = "linux/amd64", build: str = BUILD) -> str:
    return f"cpython-{version}+{build}-{MACHINES[platform]}-unknown-linux-gnu-install_only_stripped.tar.gz"


def locked(
    content: bytes, version: str = "3.12.13", url: str = "file:///nowhere/x.tar.gz"
) -> StandalonePython:
    """An archive as a lock would name it."""
    return StandalonePython(version, BUILD, filename(version), Digest.of(content), len(content), (url,))


def index(builds: Mapping[str, bytes | str], urls: Mapping[str, str]) -> bytes:
    """Write a list of builds as uv has it: filename to content (or to a sha256), filename to URL."""
    rows = {}
    for name, content in builds.items():
        version = name.split("-")[1].partition("+")[0]
        major, minor, patch = version.split(".")
        machine = name.split("-")[2]
        rows[f"cpython-{version}-linux-{machine}-gnu-{name}"] = {
            "name": "cpython",
            "arch": {"family": machine.partition("_v")[0], "variant": None},
            "os": "linux",
            "libc": "gnu",
            "major": int(major),
            "minor": int(minor),
            "patch": int(patch),
            "prerelease": "",
            "url": urls[name],
            "sha256": content if isinstance(content, str) else Digest.of(content).hex,
            "variant": None,
        }
    return json.dumps(rows).encode()


def real(prefix: Path, version: str) -> bytes:
    """Pack a Python of this machine, with `/install` for the folder that it is in."""
    minor = version.rpartition(".")[0]
    library = prefix / f"lib/python{minor}"
    sources = [prefix / f"bin/python{minor}", *sorted(prefix.glob("lib/libpython*"))]
    sources += sorted((prefix / f"include/python{minor}").rglob("*.h"))
    sources += sorted(
        path
        for path in library.rglob("*")
        if not LEFT_OUT & set(path.relative_to(library).parts) and not path.is_dir()
    )
    members = {}
    for path in sources:
        name = f"python/{path.relative_to(prefix)}"
        if path.is_symlink():
            members[name] = link(str(path.readlink()))
            continue
        content = path.read_bytes()
        if b"\0" in content:
            # What a program says of where its libraries are: beside it, as python-build-standalone's do.
            wanted = f"{prefix}/lib\0".encode()
            content = content.replace(wanted, b"$ORIGIN/../lib".ljust(len(wanted), b"\0"))
        else:
            content = content.replace(str(prefix).encode(), b"/install")
        members[name] = Item(content, 0o755 if path.stat().st_mode & 0o100 else 0o644)
    for name in ("python", "python3"):
        members[f"python/bin/{name}"] = link(f"python{minor}")
    return archive(members)
