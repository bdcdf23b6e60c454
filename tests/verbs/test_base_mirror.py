"""`base mirror`: a copy of the base in a registry of one's own, which serves when the original is gone."""

from __future__ import annotations

import json

import pytest

from envfreeze.digest import Digest
from envfreeze.locking import files
from envfreeze.oci import layout
from envfreeze.replacing import replace

NAME = "nvidia/cuda"
RELEASE = b'ID=debian\nVERSION_ID="13"\nVERSION_CODENAME=trixie\nPRETTY_NAME="Debian GNU/Linux 13 (trixie)"\n'


def ok(ended):
    assert ended.code == 0, ended.stderr
    return ended


@pytest.fixture
def registry(registry_server):
    with registry_server.serve() as served:
        yield served


@pytest.fixture
def own(registry_server):
    with registry_server.serve() as served:
        yield served


@pytest.fixture
def work(small_project, registry, registry_server):
    """A locked project on an image that is made of what envfreeze assembles of the archive's packages."""
    below = small_project(where="base")
    ok(below.run("lock"))
    ok(below.run("build", "--no-record"))
    image = layout.read(below.root / ".envfreeze" / "image")
    layers = []
    for layer, entry in zip(image.layers, json.loads(image.config)["history"], strict=True):
        if entry["created_by"].startswith(("deb", "system")):
            with layer.open() as blob:
                layers.append(registry_server.MemoryLayer(blob.read(), layer.diff_id, layer.media_type))
    top = registry_server.layer_of({"etc/os-release": RELEASE})
    registry.push_index([registry_server.image_of([*layers, top])], NAME, "12.8")
    work = small_project()
    work.replace("envfreeze.toml", "[image]\n", f'[image]\nbase = "{registry.host}/{NAME}:12.8"\n')
    work.commit()
    ok(work.run("lock"))
    work.commit()
    return work


def fresh(work):
    return replace(work, cache=work.cache.with_name("empty"))


def test_the_copy_has_the_locked_digest_and_serves_when_the_original_is_gone(work, registry, own):
    (before,) = files.read(work.root).targets
    digest = ok(work.run("build")).stdout
    ended = ok(work.run("--json", "base", "mirror", f"{own.host}/mirrors/cuda"))
    document = json.loads(ended.stdout)
    assert document["pushed"]["reference"] == f"{own.host}/mirrors/cuda:12.8"
    assert document["pushed"]["digest"] == str(before.image.manifest)
    assert document["places"] == [f"{own.host}/mirrors/cuda", f"{registry.host}/{NAME}"]
    assert Digest.of(own.manifests["mirrors/cuda"]["12.8"][1]) == before.image.manifest
    (after,) = files.read(work.root).targets
    assert after == replace(before, image=replace(before.image, places=tuple(document["places"])))
    assert ok(work.run("lock")).stdout == "unchanged\n"
    assert ok(work.run("lock", "--check")).stdout == "current\n"
    registry.manifests.clear()
    registry.blobs.clear()
    assert ok(fresh(work).run("build")).stdout == digest


def test_a_second_time_nothing_is_sent_and_nothing_written(work, own):
    ok(work.run("base", "mirror", f"{own.host}/mirrors/cuda"))
    document = json.loads(ok(work.run("--json", "base", "mirror", f"{own.host}/mirrors/cuda")).stdout)
    assert document["pushed"]["sent"] == document["written"] == []


def test_a_copy_can_be_copied_when_the_original_is_gone(work, registry, own):
    ok(work.run("base", "mirror", f"{own.host}/mirrors/cuda"))
    registry.manifests.clear()
    ok(fresh(work).run("base", "mirror", f"{own.host}/second/cuda:mine"))
    assert "mine" in own.manifests["second/cuda"]


def test_a_base_that_is_gone_cannot_be_copied(work, registry, own, refused):
    registry.manifests.clear()
    assert "is not in the registry" in refused(work, 4, "base", "mirror", f"{own.host}/mirrors/cuda")
    assert not own.manifests


def test_a_base_of_packages_is_no_image(small_project, own, refused):
    work = small_project()
    work.lock()
    assert "base is no image" in refused(work, 2, "base", "mirror", f"{own.host}/mirrors/cuda")


def test_layers_of_a_base_that_the_registry_has_are_neither_fetched_nor_sent(work, registry, own):
    ok(work.run("base", "mirror", f"{own.host}/mirrors/cuda"))
    (target,) = files.read(work.root).targets
    below = {str(layer.digest) for layer in target.image.layers}
    first = json.loads(ok(work.run("--json", "build", "--push", f"{own.host}/team/train:main")).stdout)
    assert below <= set(first["pushed"]["mounted"])
    own.asked.clear()
    registry.asked.clear()
    again = ("--json", "build", "--push", f"{own.host}/team/other:v1")
    document = json.loads(ok(fresh(work).run(*again, "--cache-from", f"{own.host}/team/train:main")).stdout)
    assert document["digest"] == first["digest"]
    assert below <= set(document["pushed"]["mounted"])
    got = {path.rpartition("/")[2] for path in own.paths("/blobs/sha256", "GET")}
    assert not got & below
    assert not registry.paths("/blobs/")
