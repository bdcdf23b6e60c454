"""`writer-1.md`: entries, and the bytes of a layer that holds them."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import deflate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MOMENT = 315_619_200  # 1980-01-02T00:00:00Z
MEBIBYTE = 1_048_576
FILE, SYMLINK, DIRECTORY = "0", "2", "5"


@dataclass(eq=False)
class Content:
    """What a file holds. Hard links to one file share one of these."""

    data: bytes | memoryview = b""
    splice: bytes | None = None  # the zip's own DEFLATE stream
    stored: bool = False  # stored in the zip


@dataclass(frozen=True)
class Entry:
    kind: str
    mode: int
    uid: int = 0
    gid: int = 0
    link: str = ""
    content: Content = field(default_factory=Content)

    def same(self, other: Entry) -> bool:
        mine, others = replace(self, content=None), replace(other, content=None)
        return mine == others and self.content.data == other.content.data


def file(content: bytes | Content = b"", mode: int = 0o644, gid: int = 0) -> Entry:
    return Entry(FILE, mode, 0, gid, "", content if isinstance(content, Content) else Content(content))


def symlink(target: str) -> Entry:
    return Entry(SYMLINK, 0o777, link=target)


def directory(mode: int = 0o755, uid: int = 0, gid: int = 0) -> Entry:
    return Entry(DIRECTORY, mode, uid, gid)


@dataclass
class Layer:
    """A layer's digests, and the same of its headers alone, to tell what differs."""

    name: str
    digest: str
    diff_id: str
    size: int


class Blob:
    """Hashes a layer while it is written."""

    def __init__(self) -> None:
        self.blob, self.tar, self.size = hashlib.sha256(), hashlib.sha256(), 0
        self.headers = bytearray()

    def emit(self, part: bytes) -> None:
        self.blob.update(part)
        self.size += len(part)

    def member(self, stream: bytes, data: bytes | memoryview) -> None:
        self.emit(bytes.fromhex("1f8b08000000000000ff"))
        self.emit(stream)
        self.emit(zlib.crc32(data).to_bytes(4, "little") + (len(data) % (1 << 32)).to_bytes(4, "little"))
        self.tar.update(data)

    def flush(self) -> None:
        self.member(stored_blocks(self.headers), self.headers)
        self.headers = bytearray()

    def header(self, header: bytes) -> None:
        self.headers += header
        if len(self.headers) >= MEBIBYTE:
            self.flush()

    def content(self, content: Content) -> None:
        data = content.data
        if not data:
            return
        if self.headers:
            self.flush()
        if content.splice is not None:
            self.member(content.splice, data)
        elif content.stored:
            self.member(stored_blocks(data), data)
        else:
            for start in range(0, len(data), MEBIBYTE):
                chunk = bytes(data[start : start + MEBIBYTE])
                self.member(bytes(deflate.deflate_compress(chunk, 6)), chunk)
        self.headers += bytes(-len(data) % 512)


def stored_blocks(data: bytes | bytearray | memoryview) -> bytes:
    out = bytearray()
    for start in range(0, len(data), 65_535):
        block = data[start : start + 65_535]
        final = start + 65_535 >= len(data)
        out += bytes([final]) + len(block).to_bytes(2, "little") + (len(block) ^ 0xFFFF).to_bytes(2, "little")
        out += block
    return bytes(out)


def write_layer(name: str, entries: Mapping[str, Entry]) -> Layer:
    whole = dict(entries)
    for path in entries:
        for above in parents(path):
            whole.setdefault(above, directory())
    blob = Blob()
    first: dict[Content, str] = {}
    for path in sorted(whole, key=str.encode):
        entry = whole[path]
        if entry.kind == FILE and entry.content in first:
            blob.header(tar_header(path, "1", entry, link=first[entry.content]))
            continue
        blob.header(tar_header(path, entry.kind, entry, size=len(entry.content.data), link=entry.link))
        if entry.kind == FILE:
            first[entry.content] = path
            blob.content(entry.content)
    blob.headers += bytes(1024)
    blob.flush()
    return Layer(name, "sha256:" + blob.blob.hexdigest(), "sha256:" + blob.tar.hexdigest(), blob.size)


def parents(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def tar_header(path: str, typeflag: str, entry: Entry, *, size: int = 0, link: str = "") -> bytes:
    if typeflag == DIRECTORY:
        path += "/"
    records = {}
    name, prefix = path, ""
    if not path.isascii() or len(path) > 100:
        cuts = [at for at in range(1, len(path) - 1) if path[at] == "/" and len(path) - at - 1 <= 100]
        if path.isascii() and cuts and cuts[0] <= 155:
            prefix, name = path[: cuts[0]], path[cuts[0] + 1 :]
        else:
            records["path"], name = path, shortened(path)
    if not link.isascii() or len(link) > 100:
        records["linkpath"], link = link, shortened(link)
    if size > 0o77777777777:
        records["size"], size = str(size), 0
    before = b""
    if records:
        pax = b"".join(pax_record(key, value) for key, value in records.items())
        before = ustar("././@PaxHeader", "x", Entry("x", 0o644), len(pax)) + pax + bytes(-len(pax) % 512)
    return before + ustar(name, typeflag, entry, size, link, prefix)


def shortened(text: str) -> str:
    return text.encode()[:100].decode("ascii", "replace").replace("\N{REPLACEMENT CHARACTER}", "?")


def pax_record(key: str, value: str) -> bytes:
    rest = f" {key}={value}\n".encode()
    length = len(rest)
    while length != len(rest) + len(str(length)):
        length = len(rest) + len(str(length))
    return str(length).encode() + rest


def ustar(name: str, typeflag: str, entry: Entry, size: int, link: str = "", prefix: str = "") -> bytes:
    fields = [
        name.encode().ljust(100, b"\0"),
        *(b"%07o\0" % number for number in (entry.mode, entry.uid, entry.gid)),
        b"%011o\0" % size,
        b"%011o\0" % MOMENT,
        b" " * 8,
        typeflag.encode(),
        link.encode().ljust(100, b"\0"),
        b"ustar\00000",
        bytes(64),
        b"0000000\0" * 2,
        prefix.encode().ljust(155, b"\0"),
        bytes(12),
    ]
    fields[6] = b"%06o\0 " % sum(b"".join(fields))
    return b"".join(fields)
