"""`writer-1.md`: what of a wheel lies where."""

from __future__ import annotations

import base64
import configparser
import csv
import hashlib
import io
import posixpath
import zipfile
from typing import TYPE_CHECKING

from second.layer import Content, Entry, file

if TYPE_CHECKING:
    from pathlib import Path


class Wheel:
    """A wheel's files as they lie in the image.

    Args:
        path: the wheel.
        python: version of the environment's Python, as `3.13`.
        prefix: the environment, `opt/venv` or `opt/conda`.

    """

    def __init__(self, path: Path, python: str, prefix: str) -> None:
        self.prefix = prefix
        self.interpreter = f"/{prefix}/bin/python" + (python if prefix == "opt/conda" else "")
        self.archive = zipfile.ZipFile(path)
        self.raw = path.read_bytes()
        members = [member for member in self.archive.infolist() if not member.filename.endswith("/")]
        infos = {member.filename.split("/")[0] for member in members}
        (self.info,) = (name for name in infos if name.endswith(".dist-info"))
        self.site = f"{prefix}/lib/python{python}/site-packages"
        self.schemes = {
            "purelib": self.site,
            "platlib": self.site,
            "scripts": f"{prefix}/bin",
            "data": prefix,
            "headers": f"{prefix}/include/site/python{python}/{self.info.split('-')[0]}",
        }
        self.stated = self._stated()
        self.entries: dict[str, Entry] = {}
        self.rows: dict[str, tuple[str, str]] = {}
        self._entry_points()
        for member in members:
            self._member(member)
        self._made(f"{self.site}/{self.info}/INSTALLER", b"envfreeze\n")
        self._record()

    def _stated(self) -> dict[str, tuple[str, str]]:
        record = self.archive.read(f"{self.info}/RECORD").decode()
        return {row[0]: (row[1], row[2]) for row in csv.reader(io.StringIO(record)) if row}

    def _member(self, member: zipfile.ZipInfo) -> None:
        name = member.filename
        left_out = ("INSTALLER", "RECORD", "REQUESTED", "direct_url.json", "RECORD.jws", "RECORD.p7s")
        if name in {f"{self.info}/{file}" for file in left_out}:
            return
        path, script = f"{self.site}/{name}", False
        data = self.info.removesuffix(".dist-info") + ".data/"
        if name.startswith(data):
            scheme, rest = name.removeprefix(data).split("/", 1)
            path, script = f"{self.schemes[scheme]}/{rest}", scheme == "scripts"
        if script and path in self.entries:
            return
        content = self.archive.read(member)
        if script and content.startswith(b"#!python"):
            _, _, rest = content.partition(b"\n")
            self._made(path, f"#!{self.interpreter}\n".encode() + rest, 0o755)
            return
        mode = 0o755 if script or member.external_attr >> 16 & 0o111 else 0o644
        deflated = member.compress_type == zipfile.ZIP_DEFLATED
        own = Content(content, self._stream(member) if deflated else None, stored=not deflated)
        self.entries[path] = file(own, mode)
        hashed, size = self.stated.get(name, ("", ""))
        self.rows[path] = (hashed, size) if hashed else row_of(content)

    def _stream(self, member: zipfile.ZipInfo) -> bytes:
        start = member.header_offset
        name, extra = (int.from_bytes(self.raw[start + at : start + at + 2], "little") for at in (26, 28))
        start += 30 + name + extra
        return self.raw[start : start + member.compress_size]

    def _made(self, path: str, content: bytes, mode: int = 0o644) -> None:
        self.entries[path] = file(content, mode)
        self.rows[path] = row_of(content)

    def _entry_points(self) -> None:
        if f"{self.info}/entry_points.txt" not in self.archive.namelist():
            return
        parser = configparser.ConfigParser(delimiters=("=",), interpolation=None, strict=False)
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        parser.read_string(self.archive.read(f"{self.info}/entry_points.txt").decode())
        for section in ("console_scripts", "gui_scripts"):
            for name, value in parser.items(section) if parser.has_section(section) else ():
                module, _, attribute = value.partition("[")[0].partition(":")
                module, attribute = module.strip(), attribute.strip()
                text = (
                    f"#!{self.interpreter}\nimport sys\n"
                    f"from {module} import {attribute.split('.')[0]}\n"
                    f'if __name__ == "__main__":\n    sys.exit({attribute}())\n'
                )
                self._made(f"{self.prefix}/bin/{name}", text.encode(), 0o755)

    def _record(self) -> None:
        own = f"{self.site}/{self.info}/RECORD"
        rows = self.rows | {own: ("", "")}
        table = [(posixpath.relpath(path, self.site), *row) for path, row in rows.items()]
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows(sorted(table, key=lambda row: row[0].encode()))
        self.entries[own] = file(out.getvalue().encode())


def row_of(content: bytes) -> tuple[str, str]:
    hashed = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"sha256={hashed}", str(len(content))
