"""Images with conda packages, assembled from locks that are made here."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from dataclasses import replace

import pytest

from envfreeze.engines.native import assemble
from envfreeze.layers.plan import plan
from envfreeze.locking.model import SCHEMA, WRITER, AptBase, Lock, Runtime, Target
from envfreeze.oci.platform import Platform
from envfreeze.oci.validate import validate
from envfreeze.progress import SILENT
from envfreeze.store.cache import Cache

BASE = AptBase("apt:debian/trixie", (), (), ())


@pytest.fixture
def channel(conda_channel, tmp_path):
    with conda_channel.serve(tmp_path / "channel") as served:
        served.add(*conda_channel.every_kind())
        yield served


@pytest.fixture
def cache(tmp_path):
    with Cache.open(tmp_path / "cache") as opened:
        yield opened


def lock_of(packages, wheels=(), **runtime):
    target = Target(
        platform=Platform.parse("linux/amd64"),
        python="3.13.5",
        glibc="2.41",
        manylinux="manylinux_2_40",
        base=BASE,
        wheels=tuple(wheels),
        conda=tuple(sorted(packages, key=lambda package: package.name)),
    )
    settings = {"include": (), "user": None, "workdir": "/app", "entrypoint": None, "cmd": None}
    return Lock(
        schema=SCHEMA,
        writer=WRITER,
        inputs={},
        exclude_newer=None,
        runtime=Runtime({}, {}, **settings | runtime),
        targets=(replace(target, layers=plan(target)),),
    )


@pytest.fixture
def build(cache, tmp_path):
    def make(lock, **options):
        assembly = assemble(lock, root=tmp_path, cache=cache, progress=SILENT, **options)
        for made in assembly.images:
            assert not validate(made.image)
        return assembly

    return make


def files(image):
    """Path to its member and content, the uppermost layer's."""
    found = {}
    for layer in image.layers:
        with layer.open() as blob:
            data = gzip.decompress(blob.read())
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            for member in tar:
                content = tar.extractfile(member).read() if member.isreg() else b""
                found[member.name] = member, content
    return found


def test_conda_packages_lie_between_the_system_and_the_wheels(channel, build):
    lock = lock_of(channel.locked(name) for name in ("python", "zlib", "pure"))
    assembly = build(lock)
    kinds = [layer.kind for layer in lock.targets[0].layers]
    assert kinds == sorted(kinds, key=["debs", "system", "conda", "wheels", "environment"].index)
    assert "conda" in kinds
    found = files(assembly.images[0].image)
    assert found["opt/conda/bin/python3.13"][0].mode == 0o755
    assert found["opt/conda/lib/libz.so"][0].linkname == "libz.so.1.3.1"
    assert found["opt/conda/bin/pure"][1].startswith(b"#!/opt/conda/bin/python3.13\n")
    assert b"placehold" not in b"".join(
        content for name, (_, content) in found.items() if "conda-meta" not in name
    )
    config = json.loads(assembly.images[0].image.config)
    texts = [entry["created_by"] for entry in config["history"]]
    assert any("zlib 1.3.1" in text and text.startswith("conda-") for text in texts)
