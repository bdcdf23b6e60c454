"""Small real images: tars by the standard library, compressed by the standard library."""

from __future__ import annotations

import gzip
import io
import subprocess
import tarfile
from pathlib import Path
from typing import Protocol

import pytest

from envfreeze.digest import Digest
from envfreeze.oci import media
from envfreeze.oci.image import FileLayer, ImageIndex, ImageValue
from envfreeze.oci.manifest import config_json, index_json, manifest_json
from envfreeze.oci.platform import Platform

AMD64 = Platform("linux", "amd64")
ARM64 = Platform("linux", "arm64")


class MakeLayer(Protocol):
    def __call__(self, tar: bytes | dict[str, bytes], media_type: str = ...) -> FileLayer: ...


class MakeImage(Protocol):
    def __call__(self, *contents: dict[str, bytes], platform: Platform = ...) -> ImageValue: ...


def pack(*infos: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """A tar of members as given, in the order given."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, content in infos:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def tree(files: dict[str, bytes]) -> bytes:
    """A sound tar: sorted, every parent there."""
    folders = {str(above) for path in files for above in Path(path).parents} - {"."}
    members = []
    for path in sorted(folders | files.keys()):
        info = tarfile.TarInfo(path)
        info.type = tarfile.DIRTYPE if path in folders else tarfile.REGTYPE
        info.mode = 0o755 if path in folders else 0o644
        members.append((info, files.get(path, b"")))
    return pack(*members)


@pytest.fixture
def make_layer(tmp_path_factory: pytest.TempPathFactory) -> MakeLayer:
    """A layer of files, or of a tar as it is, in a read-only file as the cache has it."""
    folder = tmp_path_factory.mktemp("cache")

    def make(tar: bytes | dict[str, bytes], media_type: str = media.LAYER_GZIP) -> FileLayer:
        data = tree(tar) if isinstance(tar, dict) else tar
        blob = data
        if media_type in media.GZIP:
            blob = gzip.compress(data, mtime=0)
        elif media_type in media.ZSTD:
            import zstandard

            blob = zstandard.ZstdCompressor().compress(data)
        digest = Digest.of(blob)
        path = folder / digest.hex
        if not path.exists():
            path.write_bytes(blob)
            path.chmod(0o444)
        return FileLayer(digest, Digest.of(data), len(blob), media_type, path)

    return make


@pytest.fixture
def make_image(make_layer: MakeLayer) -> MakeImage:
    """An image with one layer for each dictionary of files."""

    def make(*contents: dict[str, bytes], platform: Platform = AMD64) -> ImageValue:
        return image_of(tuple(make_layer(files) for files in contents), platform)

    return make


def image_of(layers: tuple[FileLayer, ...], platform: Platform = AMD64) -> ImageValue:
    config = config_json(
        platform=platform,
        env=["PATH=/usr/bin"],
        labels={"org.example.kind": "test"},
        user=None,
        workdir="/work",
        entrypoint=None,
        cmd=["/hello"],
        layers=[(layer.diff_id, f"layer-{number}") for number, layer in enumerate(layers)],
    )
    return ImageValue(manifest_json(config, layers), config, layers)


@pytest.fixture
def as_image():
    return image_of


@pytest.fixture
def pack_tar():
    return pack


@pytest.fixture
def run():
    """Run a program; its words are the test's failure where it fails."""

    def call(*command: str) -> str:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return call


@pytest.fixture
def image(make_image: MakeImage) -> ImageValue:
    return make_image({"etc/hostname": b"one\n", "hello": b"#!/bin/sh\n"}, {"opt/data/a": b"a" * 100_000})


@pytest.fixture
def index(make_image: MakeImage) -> ImageIndex:
    shared = {"usr/share/notes": b"for all\n"}
    images = (
        make_image(shared, {"bin/a": b"x86"}),
        make_image(shared, {"bin/a": b"arm"}, platform=ARM64),
    )
    return ImageIndex(index_json(images), images)
