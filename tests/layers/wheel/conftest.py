"""Wheels that the tests make, good ones and hostile ones."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile

import pytest

from envfreeze.digest import Digest
from envfreeze.locking.model import Wheel


def record_row(name: str, content: bytes) -> str:
    hashed = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    quoted = f'"{name}"' if "," in name else name
    return f"{quoted},sha256={hashed},{len(content)}"


@pytest.fixture
def make_wheel(tmp_path):
    """Make a wheel from its files; `members` are appended as they are, `change` alters the finished bytes."""

    def make(
        files=None,
        *,
        name="demo",
        version="1.0",
        members=(),
        change=None,
        modes=None,
        metadata=True,
        digest=None,
    ):
        stem = f"{name.replace('-', '_')}-{version}"
        files = dict(files or {"demo/__init__.py": b"value = 1\n"})
        if metadata:
            files.setdefault(f"{stem}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\n".encode())
            files.setdefault(f"{stem}.dist-info/WHEEL", b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\n")
            rows = [record_row(path, content) for path, content in files.items()]
            files[f"{stem}.dist-info/RECORD"] = "\n".join([*rows, f"{stem}.dist-info/RECORD,,\n"]).encode()
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, content in files.items():
                info = zipfile.ZipInfo(path)
                info.compress_type = zipfile.ZIP_DEFLATED
                info.external_attr = (modes or {}).get(path, 0o100644) << 16
                archive.writestr(info, content)
            for info, content in members:
                archive.writestr(info, content)
        data = out.getvalue()
        if change is not None:
            data = change(data)
        filename = f"{stem}-py3-none-any.whl"
        path = tmp_path / filename
        path.write_bytes(data)
        wheel = Wheel(name, version, filename, digest or Digest.of(data), len(data), path.as_uri())
        return path, wheel

    return make
