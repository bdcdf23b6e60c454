"""The real size: torch with its CUDA, 3 GB in some thirty wheels; locked and built, not run.

Where the network or the disk is too small for it: `-k "not torch"`.
"""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest

from envfreeze.oci.validate import validate

pytestmark = pytest.mark.network

EXAMPLE = Path(__file__).parents[2] / "examples" / "torch-gpu"
ROOM = 18_000_000_000
"""Bytes of disk: the wheels, the layers made of them, downloads under way, and the layers in a registry."""
NO_INDEX = {
    "https_proxy": "http://127.0.0.1:9",
    "http_proxy": "http://127.0.0.1:9",
    "no_proxy": "127.0.0.1",
}
"""Surroundings in which nothing but this machine can be reached."""
OVERLAY_LIMIT = 127


@pytest.fixture(scope="module")
def torch(freeze, big, need):
    """The example torch-gpu, with a cache of its own that is gone afterwards."""
    free = shutil.disk_usage(big).free
    need("disk", free > ROOM, f"{free / 1e9:.0f} GB are free in {big}, {ROOM / 1e9:.0f} GB are needed")
    root, cache = big / "torch-gpu", big / "torch-cache"
    shutil.copytree(EXAMPLE, root)
    yield freeze(root, cache=cache)
    shutil.rmtree(root)
    shutil.rmtree(cache)


def test_the_lock_holds_cuda_as_wheels(torch):
    (target,) = torch.lock.targets
    names = {wheel.name for wheel in target.wheels}
    assert {"torch", "triton", "numpy", "nvidia-cudnn-cu13", "nvidia-nccl-cu13"} - names == set()
    assert any(name.startswith("nvidia-cuda-runtime") for name in names)
    assert any(name.startswith("nvidia-cublas") for name in names)


def test_the_image_is_sound(torch):
    (image,) = torch.images
    assert validate(image) == ()
    assert sum(layer.size for layer in image.layers) > 2_000_000_000


def test_large_wheels_have_layers_of_their_own_and_there_are_few(torch):
    (image,) = torch.images
    (target,) = torch.lock.targets
    assert len(image.layers) < OVERLAY_LIMIT / 2
    alone = {
        layer.packages[0] for layer in target.layers if layer.kind == "wheels" and len(layer.packages) == 1
    }
    assert {wheel.name for wheel in target.wheels if (wheel.size or 0) > 50_000_000} <= alone


def test_an_unchanged_rebuild_makes_no_layer(torch, envfreeze):
    document = json.loads(envfreeze("build", "--no-record", "--json", at=torch.root, cache=torch.cache))
    assert document["digest"] == torch.digest
    assert document["layers_built"] == 0
    assert document["layers_reused"] == len(torch.images[0].layers) - 1


def test_a_changed_script_makes_only_its_own_layer(torch, envfreeze):
    script = torch.root / "train.py"
    original = script.read_bytes()
    script.write_bytes(original + b"\n# another line\n")
    document = json.loads(envfreeze("build", "--no-record", "--json", at=torch.root, cache=torch.cache))
    script.write_bytes(original)
    assert document["layers_built"] == 0
    ours = [layer["digest"] for layer in document["images"][0]["layers"]]
    theirs = [str(layer.digest) for layer in torch.images[0].layers]
    assert ours[:-1] == theirs[:-1]
    assert ours[-1] != theirs[-1]


@pytest.fixture(scope="module")
def pushed(torch, registry_at, envfreeze, big):
    """A registry that has the image, gone afterwards."""
    data = big / "torch-registry"
    with registry_at(data) as served:
        where = f"{served.host}/team/torch:main"
        envfreeze("build", "--no-record", "--push", where, at=torch.root, cache=torch.cache)
        yield served
    shutil.rmtree(data)


@pytest.mark.parametrize("changed", [False, True], ids=["same", "script-changed"])
def test_an_empty_machine_rebuilds_it_from_the_registry_in_a_moment(
    torch, pushed, wires, envfreeze, big, changed
):
    root = big / f"torch-rebuilt-{changed}"
    shutil.copytree(torch.root, root, ignore=shutil.ignore_patterns(".envfreeze"))
    best = 1e9
    for turn in range(3):
        if changed:
            script = root / "train.py"
            script.write_text(script.read_text() + f"# {turn}\n")
        empty = big / f"torch-empty-{changed}-{turn}"
        with wires.before(pushed.host) as wire:
            name = f"{wire.host}/team/torch"
            command = ("--json", "build", "--push", f"{name}:again-{changed}", "--cache-from", f"{name}:main")
            started = time.monotonic()
            document = json.loads(envfreeze(*command, at=root, cache=empty, env=NO_INDEX))
            best = min(best, time.monotonic() - started)
        assert (document["digest"] == torch.digest) is not changed
        assert document["layers_built"] == 0
        assert document["layers_ready"] == len(torch.images[0].layers) - 1
        assert wire.moved < 200_000
        shutil.rmtree(empty)
    assert best < 3
