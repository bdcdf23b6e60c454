"""The canonical form of a built wheel: the same files in it, the same bytes of it.

A build backend writes the zip in an order, with times, permissions and a compressor of its own. Here it is
written anew (docs/formats/lock-1.md, "Wheels that are built"): members sorted by the bytes of their names,
each one raw DEFLATE stream of the pinned libdeflate, one time, modes 0644 or 0755, RECORD made anew.
"""

from __future__ import annotations

import base64
import hashlib
import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import deflate
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from envfreeze.digest import Digest
from envfreeze.errors import UntrustedError
from envfreeze.oci import gzip
from envfreeze.oci.paths import path_problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END = struct.Struct("<4sHHHHIIH")
_VERSION = 20
_UNIX = 3 << 8
_UTF8 = 0x800
_DEFLATED = 8
_TIME, _DATE = 0, 0x22  # 1980-01-02 00:00:00, the day of every layer
_LARGEST = 0xFFFFFFFF
_SIGNATURES = ("RECORD.jws", "RECORD.p7s")


@dataclass(frozen=True, slots=True)
class Built:
    """A built wheel in its canonical form.

    Attributes:
        filename: as the backend named it.
        content: the wheel.
        members: name of each member but RECORD to the sha256 of its content.
        metadata: its METADATA file.

    """

    filename: str
    content: bytes
    members: Mapping[str, str]
    metadata: bytes

    @property
    def digest(self) -> Digest:
        """The sha256 of the wheel."""
        return Digest.of(self.content)

    def differs_from(self, other: Built) -> tuple[str, ...]:
        """Name the members that the two do not have alike, sorted; a name of the wheel comes first."""
        names = sorted(
            name
            for name in self.members.keys() | other.members.keys()
            if self.members.get(name) != other.members.get(name)
        )
        return (*(() if self.filename == other.filename else (self.filename,)), *names)


def repack(wheel: Path) -> Built:
    """Read a wheel that a backend wrote and give its canonical form.

    Raises:
        UntrustedError: it is no wheel, or has members that no wheel may have.

    """
    gzip.check_compressor()
    try:
        parse_wheel_filename(wheel.name)
        files = dict(_read(wheel))
    except (InvalidWheelFilename, zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError) as error:
        raise UntrustedError(f"{wheel.name}: what the build made is not a wheel: {error}") from error
    folder = _dist_info(wheel.name, files)
    record = f"{folder}/RECORD"
    for name in (record, *(f"{folder}/{name}" for name in _SIGNATURES)):
        files.pop(name, None)
    rows = [f"{_field(name)},{_row(content)}\n" for name, (content, _) in _in_order(files)]
    members = {name: hashlib.sha256(content).hexdigest() for name, (content, _) in _in_order(files)}
    metadata = files[f"{folder}/METADATA"][0]
    files[record] = ("".join((*rows, f"{_field(record)},,\n")).encode(), False)
    return Built(wheel.name, _zip(files, wheel.name), members, metadata)


def metadata_of(wheel: Path) -> bytes:
    """Read the METADATA file of a wheel in its canonical form."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return archive.read(name)


def _read(wheel: Path) -> Iterator[tuple[str, tuple[bytes, bool]]]:
    seen: set[str] = set()
    with zipfile.ZipFile(wheel) as archive:
        for info in archive.infolist():
            name = info.orig_filename
            kind = stat.S_IFMT(info.external_attr >> 16)
            problem = path_problem(name.removesuffix("/"))
            if problem is None and any(ord(letter) < ord(" ") for letter in name):
                problem = "holds a control character"
            if problem is None and kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
                problem = "is neither a file nor a folder"
            if problem is None and name in seen:
                problem = "stands in it twice"
            if problem is not None:
                raise UntrustedError(f"{wheel.name}: the member {name!r} of the built wheel {problem}")
            seen.add(name)
            if not info.is_dir():
                yield name, (archive.read(info), bool(info.external_attr >> 16 & 0o111))


def _dist_info(filename: str, files: Mapping[str, tuple[bytes, bool]]) -> str:
    folders = sorted(
        {name.split("/")[0] for name in files if name.split("/")[0].endswith(".dist-info") and "/" in name}
    )
    if len(folders) != 1:
        raise UntrustedError(f"{filename}: the built wheel has {len(folders)} .dist-info folders, not one")
    for name in ("METADATA", "WHEEL"):
        if f"{folders[0]}/{name}" not in files:
            raise UntrustedError(f"{filename}: the built wheel has no {name} file")
    return folders[0]


def _in_order(files: Mapping[str, tuple[bytes, bool]]) -> list[tuple[str, tuple[bytes, bool]]]:
    return sorted(files.items(), key=lambda item: item[0].encode())


def _row(content: bytes) -> str:
    hashed = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"sha256={hashed},{len(content)}"


def _field(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if "," in text or '"' in text else text


def _zip(files: Mapping[str, tuple[bytes, bool]], filename: str) -> bytes:
    """Write a zip (APPNOTE.TXT 4.3.7, 4.3.12, 4.3.16)."""
    body, directory = bytearray(), bytearray()
    for name, (content, executable) in _in_order(files):
        stream = deflate.deflate_compress(content, gzip.LEVEL)
        if len(body) + len(stream) > _LARGEST or len(content) > _LARGEST:
            raise UntrustedError(f"{filename}: the built wheel is larger than 4 GiB")
        encoded = name.encode()
        shared = (_VERSION, _UTF8, _DEFLATED, _TIME, _DATE, gzip.crc32(content), len(stream), len(content))
        mode = stat.S_IFREG | (0o755 if executable else 0o644)
        directory += _CENTRAL.pack(
            b"PK\1\2", _UNIX | _VERSION, *shared, len(encoded), 0, 0, 0, 0, mode << 16, len(body)
        )
        directory += encoded
        body += _LOCAL.pack(b"PK\3\4", *shared, len(encoded), 0) + encoded + stream
    if len(files) > 0xFFFE:  # noqa: PLR2004 - the most that a zip without zip64 counts
        raise UntrustedError(f"{filename}: the built wheel has {len(files)} files; at most 65534 are written")
    return bytes(
        body + directory + _END.pack(b"PK\5\6", 0, 0, len(files), len(files), len(directory), len(body), 0)
    )
