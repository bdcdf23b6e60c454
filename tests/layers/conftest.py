"""Debian packages made by hand, member for member, so that each test decides what is wrong with one."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import tarfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import pytest
import zstandard

from envfreeze.digest import Digest
from envfreeze.layers.deb import DebPackage, open_deb
from envfreeze.locking.model import Deb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
    ".bz2": bz2.compress,
    ".zst": lambda data: zstandard.ZstdCompressor().compress(data),
}


@dataclass
class Member:
    """A member of data.tar; the type decides what of it is used."""

    name: str
    data: bytes = b""
    type: bytes = tarfile.REGTYPE
    mode: int = 0o644
    link: str = ""
    uid: int = 0
    gid: int = 0
    pax: dict[str, str] = field(default_factory=dict)


def folder(name: str, mode: int = 0o755, **more: int) -> Member:
    return Member(name, type=tarfile.DIRTYPE, mode=mode, **more)


def link(name: str, target: str) -> Member:
    return Member(name, type=tarfile.SYMTYPE, mode=0o777, link=target)


def hard(name: str, target: str) -> Member:
    return Member(name, type=tarfile.LNKTYPE, link=target)


def tar(members: list[Member]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for member in members:
            info = tarfile.TarInfo(member.name)
            info.size, info.type, info.mode = len(member.data), member.type, member.mode
            info.linkname, info.uid, info.gid = member.link, member.uid, member.gid
            archive.addfile(info, io.BytesIO(member.data))
    return buffer.getvalue()


def ar(members: list[tuple[str, bytes]]) -> bytes:
    out = b"!<arch>\n"
    for name, data in members:
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode()
        out += data + b"\n" * (len(data) % 2)
    return out


class MakeDeb(Protocol):
    """Writes a .deb and gives its path and what a lock would say of it."""

    def __call__(
        self,
        members: list[Member],
        *,
        name: str = "demo",
        version: str = "1.0-1",
        architecture: str = "amd64",
        fields: str = "",
        control: dict[str, str | bytes] | None = None,
        suffix: str = ".xz",
        data: bytes | None = None,
        requested: bool = False,
    ) -> tuple[Path, Deb]: ...


@pytest.fixture
def make_deb(tmp_path: Path) -> MakeDeb:
    def make(
        members,
        *,
        name="demo",
        version="1.0-1",
        architecture="amd64",
        fields="",
        control=None,
        suffix=".xz",
        data=None,
        requested=False,
    ):
        stanza = (
            f"Package: {name}\nVersion: {version}\nArchitecture: {architecture}\n"
            f"Maintainer: A. Person <person@example.org>\n{fields}Description: made by hand\n For a test.\n"
        )
        files = {"control": stanza} | (control or {})
        controls = [
            Member(f"./{key}", value if isinstance(value, bytes) else value.encode())
            for key, value in files.items()
        ]
        inner = tar(members) if data is None else data
        content = ar(
            [
                ("debian-binary", b"2.0\n"),
                ("control.tar.gz", gzip.compress(tar([folder("./"), *controls]))),
                (f"data.tar{suffix}", COMPRESSORS[suffix](inner)),
            ]
        )
        path = tmp_path / f"{name}_{version}_{architecture}.deb"
        path.write_bytes(content)
        digest = Digest.of(content)
        return path, Deb(
            name, version, architecture, f"pool/{path.name}", digest, len(content), "debian", requested
        )

    return make


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    path = tmp_path / "scratch"
    path.mkdir()
    return path


@pytest.fixture
def opened(make_deb: MakeDeb, scratch: Path) -> Iterator[Callable[..., DebPackage]]:
    """Make a package and open it until the test is over."""
    with contextlib.ExitStack() as stack:

        def make(members: list[Member], **more: object) -> DebPackage:
            path, deb = make_deb(members, **more)  # type: ignore[arg-type]
            return stack.enter_context(open_deb(path, deb, scratch))

        yield make


class Kit:
    """The makers of members, for tests, which cannot import this file."""

    Member = Member
    COMPRESSORS = COMPRESSORS
    folder = staticmethod(folder)
    link = staticmethod(link)
    hard = staticmethod(hard)
    tar = staticmethod(tar)
    ar = staticmethod(ar)


@pytest.fixture
def kit() -> type[Kit]:
    return Kit
