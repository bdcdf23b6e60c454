"""`os-layers.md`, "The loader's cache": what `ldconfig` would write."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, NamedTuple

from second.layer import FILE, SYMLINK, Entry, file, symlink

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MACHINES = {"amd64": ("x86_64-linux-gnu", 62, 0x0303), "arm64": ("aarch64-linux-gnu", 183, 0x0A03)}


class Listed(NamedTuple):
    key: bytes
    path: bytes
    part: bytes


class Loader:
    """The cache and the links that belong to it, over a file system given as its entries."""

    def __init__(self, entries: Mapping[str, Entry], architecture: str) -> None:
        self.entries = entries
        self.triplet, self.machine, self.flags = MACHINES[architecture]
        self.names: dict[str, set[str]] = {}
        for path in entries:
            parts = path.split("/")
            for count in range(len(parts)):
                self.names.setdefault("/".join(parts[:count]), set()).add(parts[count])
        self.made: dict[str, Entry] = {}
        found = [
            listed for path, place, part in self.folders() for listed in self.libraries(path, place, part)
        ]
        found.sort(key=lambda listed: (not listed.part, listed.part))
        found.sort(key=lambda listed: order(listed.key), reverse=True)
        self.made["etc/ld.so.cache"] = file(self.rendered(found))

    def follow(self, path: str) -> str | None:
        done, rest, links = "", path, 0
        while rest:
            part, _, rest = rest.partition("/")
            if part == "..":
                done = done.rpartition("/")[0]
            elif part not in {"", "."}:
                entry = self.entries.get(f"{done}/{part}".lstrip("/"))
                if entry and entry.kind == SYMLINK:
                    links += 1
                    if links > 40:
                        return None
                    done = "" if entry.link.startswith("/") else done
                    rest = f"{entry.link}/{rest}"
                else:
                    done = f"{done}/{part}".lstrip("/")
        return done if done in self.names or done in self.entries else None

    def listing(self, folder: str) -> list[str]:
        return sorted(self.names.get(folder, ()), key=str.encode)

    def data(self, path: str) -> bytes | memoryview | None:
        place = self.follow(path)
        entry = self.entries.get(place) if place else None
        return entry.content.data if entry and entry.kind == FILE else None

    def folders(self) -> Iterator[tuple[str, str, str]]:
        paths = []
        for name in self.listing("etc/ld.so.conf.d"):
            data = self.data(f"etc/ld.so.conf.d/{name}")
            if data is not None and re.fullmatch(r"[^.].*\.conf", name, re.DOTALL):
                lines = bytes(data).decode(errors="replace").split("\n")
                paths += [re.split("[#=]", line)[0].strip(" \t\r\v\f").rstrip("/") for line in lines]
        paths += [f"/lib/{self.triplet}", f"/usr/lib/{self.triplet}", "/lib", "/usr/lib"]
        seen = {"", None}
        for path in paths:
            place = self.follow(path)
            if not path.startswith("/") or place in seen:
                continue
            seen.add(place)
            yield path, place or "", ""
            top = self.follow(f"{place}/glibc-hwcaps")
            for part in self.listing(top) if top else ():
                below = self.follow(f"{top}/{part}")
                if part[0] != "." and ":" not in part and below not in seen:
                    seen.add(below)
                    yield f"{path}/glibc-hwcaps/{part}", below or "", part

    def libraries(self, path: str, place: str, part: str) -> Iterator[Listed]:
        chosen: dict[str, list[tuple[bool, list[tuple[int, int]], bytes, str]]] = {}
        for name in self.listing(place):
            data = self.data(f"{place}/{name}") if re.match(r"(lib|ld-).*\.so", name, re.DOTALL) else None
            try:
                soname = soname_of(data, self.machine) if data else None
            except (struct.error, StopIteration):
                continue
            if soname is None:
                continue
            said = soname.decode(errors="surrogateescape") if soname else name
            if not fit(said):
                continue
            link = self.entries[f"{place}/{name}"].kind == SYMLINK
            own = link and (name == said or (name.endswith(".so") and said.startswith(name)))
            rank = (not own, order(name.encode()), name.encode(), name)
            chosen.setdefault(name if own else said, []).append(rank)
        for soname_ in sorted(chosen, key=str.encode):
            name = max(chosen[soname_])[-1]
            yield Listed(soname_.encode(), f"{path}/{name if part else soname_}".encode(), part.encode())
            if not part and f"{place}/{soname_}" not in self.entries and soname_ not in self.names[place]:
                self.made[f"{place}/{soname_}"] = symlink(name)

    def rendered(self, found: list[Listed]) -> bytes:
        parts = sorted({listed.part for listed in found} - {b""})
        texts = dict.fromkeys([text for listed in found for text in listed[:2]] + parts)
        places, at = {}, 48 + 24 * len(found)
        for text in texts:
            places[text] = at
            at += len(text) + 1
        strings = b"".join(text + b"\0" for text in texts)
        more = b""
        start = (at + 3) // 4 * 4 if parts else 0
        if parts:
            numbers = [0xEAA42174, 1, 1, 0, start + 24, 4 * len(parts), *(places[part] for part in parts)]
            more = bytes(start - at) + struct.pack(f"<{len(numbers)}I", *numbers)
        head = struct.pack(
            "<20sIIIIIII", b"glibc-ld.so.cache1.1", len(found), len(strings), 2, start, 0, 0, 0
        )
        rows = [
            struct.pack(
                "<IIIIQ",
                self.flags,
                places[listed.key],
                places[listed.path],
                0,
                (1 << 62) + parts.index(listed.part) if listed.part else 0,
            )
            for listed in found
        ]
        return head + b"".join(rows) + strings + more


def fit(soname: str) -> bool:
    try:
        soname.encode()
    except UnicodeEncodeError:
        return False
    return soname not in {"", ".", ".."} and not soname.startswith(".wh.") and not set(soname) & {"/", "\\"}


def order(name: bytes) -> list[tuple[int, int]]:
    found = re.findall(rb"[0-9]+|.", name, re.DOTALL)
    return [(1, signed(int(run))) if run[:1] in b"0123456789" else (0, run[0]) for run in found]


def signed(number: int) -> int:
    number %= 1 << 32
    return number - (1 << 32) if number >= 1 << 31 else number


def soname_of(data: bytes | memoryview, machine: int) -> bytes | None:
    """A shared object's soname, empty if it has none; None for what is no library."""
    if bytes(data[:6]) != b"\x7fELF\2\1" or struct.unpack_from("<HH", data, 16) != (3, machine):
        return None
    (first,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    if size != 56 or first + size * count > len(data):
        return None
    headers = [struct.unpack_from("<IIQQQQQQ", data, first + size * index) for index in range(count)]
    at, length = next((place, filled) for kind, _, place, _, _, filled, _, _ in headers if kind == 2)
    if at + length > len(data):
        return None
    tags: dict[int, int] = {}
    for index in range(length // 16):
        tag, value = struct.unpack_from("<QQ", data, at + 16 * index)
        if tag == 0:
            break
        tags.setdefault(tag, value)
    if 14 not in tags:
        return b"" if 5 in tags else None
    strings = tags.get(5, -1)
    loaded = (head for head in headers if head[0] == 1 and head[3] <= strings < head[3] + head[5])
    _, _, place, address, *_ = next(loaded)
    start = place + strings - address + tags[14]
    name, end, _ = bytes(data[start : start + 256]).partition(b"\0")
    return (name or b"/") if end else None
