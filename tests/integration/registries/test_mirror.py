"""A base whose registry is gone comes from the project's own, whoever made that one."""

from __future__ import annotations

import json
import shutil

import pytest

from envfreeze.locking import files
from envfreeze.oci import canonical
from envfreeze.oci.image import ImageValue
from envfreeze.oci.manifest import manifest_json
from envfreeze.oci.registry import Registries
from envfreeze.oci.registry.push import push

CUDA = {
    "Env": [
        "PATH=/usr/local/cuda/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "CUDA_VERSION=12.8.1",
        "NVIDIA_REQUIRE_CUDA=cuda>=12.8",
    ]
}


@pytest.fixture(scope="module")
def cuda(digits):
    """A lookalike of nvidia/cuda, on what envfreeze assembled for examples/digits."""
    (image,) = digits.images
    document = json.loads(image.config)
    kept = [
        (layer, entry)
        for layer, entry in zip(image.layers, document["history"], strict=True)
        if entry["created_by"].startswith(("deb", "system"))
    ]
    layers = tuple(layer for layer, _ in kept)
    document["rootfs"]["diff_ids"] = [str(layer.diff_id) for layer in layers]
    document["history"] = [entry for _, entry in kept]
    document["config"] = CUDA
    config = canonical.dump(document)
    return ImageValue(manifest_json(config, layers), config, layers)


@pytest.mark.network
def test_what_its_registry_has_no_more_comes_from_the_copy(
    cuda, peer, registry_at, envfreeze, tmp_path, big, request
):
    root = tmp_path / "on-cuda"
    root.mkdir()
    (root / "requirements.txt").write_text("certifi\n")
    (root / "train.py").write_text("print('train')\n")
    cache = big / f"mirror-{request.node.name}"
    login = peer.config(tmp_path / "login")
    with registry_at(tmp_path / "gone") as vendor:
        with Registries() as registries:
            push(cuda, f"{vendor.host}/nvidia/cuda:12.8.1", registries=registries)
        base = f'[image]\nbase = "{vendor.host}/nvidia/cuda:12.8.1"\ninclude = ["train.py"]\n'
        (root / "envfreeze.toml").write_text(base)
        envfreeze("lock", at=root, cache=cache)
        before = envfreeze("build", "--no-record", at=root, cache=cache)
        envfreeze("base", "mirror", f"{peer.host}/mirrors/cuda", at=root, cache=cache, env=login)
    (target,) = files.read(root).targets
    assert target.image.places == (f"{peer.host}/mirrors/cuda", f"{vendor.host}/nvidia/cuda")
    assert target.image.manifest == cuda.digest
    shutil.rmtree(cache)
    assert envfreeze("lock", at=root, cache=cache, env=login) == "unchanged"
    assert envfreeze("build", "--no-record", at=root, cache=cache, env=login) == before
    # And a machine with nothing pushes what is built on it without a byte of the base.
    empty = big / f"mirror-empty-{request.node.name}"
    where = f"{peer.host}/team/on-cuda"
    envfreeze("build", "--no-record", "--push", f"{where}:v1", at=root, cache=cache, env=login)
    shutil.rmtree(cache)
    document = json.loads(
        envfreeze(
            *("--json", "build", "--no-record", "--push", f"{where}:v2", "--cache-from", f"{where}:v1"),
            at=root,
            cache=empty,
            env=login,
        )
    )
    assert (document["digest"], document["layers_built"]) == (before, 0)
    size = sum(path.stat().st_size for path in (empty / "blobs").rglob("*") if path.is_file())
    assert size < 200_000
    shutil.rmtree(empty)
