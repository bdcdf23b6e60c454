"""Small real images to compare: tars by the standard library."""

from __future__ import annotations

import gzip
import io
import tarfile

import pytest

from envfreeze.digest import Digest
from envfreeze.oci import media
from envfreeze.oci.image import FileLayer, ImageValue
from envfreeze.oci.manifest import config_json, manifest_json
from envfreeze.oci.platform import Platform


def member(path, content=b"", *, kind=tarfile.REGTYPE, **changes):
    info = tarfile.TarInfo(path)
    info.type, info.size, info.mode = kind, len(content), 0o644
    for key, value in changes.items():
        setattr(info, key, value)
    return info, content


@pytest.fixture
def entry():
    """`entry(path, content, kind=..., mode=...)`: a member for `layer`."""
    return member


@pytest.fixture
def layer(tmp_path):
    """`layer({path: content})` or `layer([entry, ...])`, sorted or as listed."""

    def make(content, *, level=9, form=tarfile.PAX_FORMAT):
        if isinstance(content, dict):
            content = [member(path, data) for path, data in sorted(content.items())]
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
            for info, data in content:
                tar.addfile(info, io.BytesIO(data))
        blob = gzip.compress(buffer.getvalue(), level, mtime=0)
        digest = Digest.of(blob)
        path = tmp_path / digest.hex
        path.write_bytes(blob)
        return FileLayer(digest, Digest.of(buffer.getvalue()), len(blob), media.LAYER_GZIP, path)

    return make


@pytest.fixture
def image():
    """`image([("name", layer), ...], env=..., cmd=...)`."""

    def make(layers, **changes):
        arguments = {
            "platform": Platform("linux", "amd64"),
            "env": ["PATH=/usr/bin", "LANG=C.UTF-8"],
            "labels": {},
            "user": None,
            "workdir": "/",
            "entrypoint": None,
            "cmd": None,
        }
        config = config_json(**(arguments | changes), layers=[(one.diff_id, name) for name, one in layers])
        blobs = tuple(one for _, one in layers)
        return ImageValue(manifest_json(config, blobs), config, blobs)

    return make
