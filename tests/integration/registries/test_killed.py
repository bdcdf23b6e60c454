"""A push is killed in the middle of a blob; the next goes on or begins that blob again, and ends right."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys

import pytest

from envfreeze.oci import layout
from envfreeze.oci.platform import Platform
from envfreeze.oci.registry import Registries, resolve, upload
from envfreeze.oci.registry.push import push
from envfreeze.oci.validate import validate
from envfreeze.store.cache import Cache

PART = 100_000
PROGRAM = f"""
import sys
from pathlib import Path
from envfreeze.oci import layout
from envfreeze.oci.registry import upload
from envfreeze.oci.registry.push import push
from envfreeze.store.cache import Cache

upload.CHUNK = {PART}
push(layout.read(Path(sys.argv[1])), sys.argv[2], cache=Cache.open(Path(sys.argv[3])), workers=1)
"""


@pytest.fixture
def image(registry_server, tmp_path, request):
    """An image whose first blob to be sent has eleven parts; in a layout, too."""
    large = registry_server.layer_of(
        {"large": random.Random(request.node.name).randbytes(1_050_000)}, "plain"
    )
    made = registry_server.image_of([large])
    layout.write(made, tmp_path / "image")
    return made


@pytest.mark.parametrize("where", ["between two parts", "in a part"])
def test_the_next_push_ends_what_a_killed_one_began(
    peer, wires, image, where, tmp_path, monkeypatch, request
):
    environ = os.environ | peer.config(tmp_path / "login")
    name = f"killed/{where.replace(' ', '-')}"
    with wires.before(peer.host) as wire:
        host = wire.host
        environ |= peer.config(tmp_path / "login", peer.host, host)
        wire.hold, wire.besides = 4, 0 if where == "between two parts" else PART // 2
        process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                PROGRAM,
                str(tmp_path / "image"),
                f"{host}/{name}:v1",
                str(tmp_path / "cache"),
            ],
            env=environ,
        )
        assert wire.held.wait(30)
        process.send_signal(signal.SIGKILL)
        process.wait()
        wire.hold = wire.patches = 0
        monkeypatch.setattr(upload, "CHUNK", PART)
        with Cache.open(tmp_path / "cache") as cache, Registries(environ=environ) as registries:
            pushed = push(image, f"{host}/{name}:v1", registries=registries, cache=cache, workers=1)
            assert not list(cache.layout.uploads.iterdir())
        assert len(pushed.sent) == 2
        assert wire.patches == (8 if goes_on(request, where) else 11)
    with Registries(environ=environ) as registries:
        there = resolve(f"{peer.host}/{name}:v1", Platform("linux", "amd64"), registries=registries).image
        assert there.digest == image.digest
        assert not validate(there)


def goes_on(request, where):
    """Whether the registry goes on with an upload: docker-registry 2.8 only where no part of it broke."""
    maker = re.search(r"\[(\w+)", request.node.name)[1]
    return maker == "docker" and where == "between two parts"
