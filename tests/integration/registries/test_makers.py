"""Images go into the registries of three makers and come out of them; other programs read what was pushed."""

from __future__ import annotations

import json
import random

import pytest

from envfreeze.digest import Digest
from envfreeze.oci import layout
from envfreeze.oci.image import ImageIndex
from envfreeze.oci.manifest import index_json
from envfreeze.oci.platform import Platform
from envfreeze.oci.registry import Registries, resolve, tags, upload
from envfreeze.oci.registry.push import push
from envfreeze.oci.registry.referrers import Part, attach, fetch, listed
from envfreeze.oci.validate import validate

AMD64 = Platform("linux", "amd64")
SBOM, SIGNATURE = "application/vnd.cyclonedx+json", "application/vnd.example.signature"


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch):
    monkeypatch.setattr(upload, "CHUNK", 100_000)


@pytest.fixture
def login(peer, tmp_path, monkeypatch):
    """Let every program know the login."""
    environ = peer.config(tmp_path / "login")
    monkeypatch.setenv("DOCKER_CONFIG", environ["DOCKER_CONFIG"])
    monkeypatch.setenv("REGISTRY_AUTH_FILE", environ["DOCKER_CONFIG"] + "/config.json")
    return environ


@pytest.fixture
def registries(login):
    with Registries(environ=login) as opened:
        yield opened


@pytest.fixture
def image(registry_server, request):
    """An image that no other test has pushed, with a blob of several parts."""
    seed = request.node.name
    large = registry_server.layer_of({"large": random.Random(seed).randbytes(350_000)})
    return registry_server.image_of([large, {"etc/name": seed.encode()}, {"etc/other": b"2" * 999}])


def test_an_image_comes_out_as_it_went_in(peer, registries, image):
    pushed = push(image, f"{peer.host}/makers/in-out:v1", registries=registries)
    assert len(pushed.sent) == 4
    pulled = resolve(f"{peer.host}/makers/in-out:v1", AMD64, registries=registries)
    assert (pulled.image.digest, pulled.image.manifest) == (image.digest, image.manifest)
    assert not validate(pulled.image)
    assert tags(f"{peer.host}/makers/in-out", registries=registries) == ("v1",)


def test_a_second_push_sends_nothing_and_a_changed_layer_alone(peer, login, image, registry_server):
    where = f"{peer.host}/makers/again"
    with Registries(environ=login) as registries:
        push(image, f"{where}:v1", registries=registries)
    with Registries(environ=login) as registries:
        assert push(image, f"{where}:v2", registries=registries).sent == ()
    changed = registry_server.image_of([*image.layers[:2], {"etc/changed": b"3"}])
    with Registries(environ=login) as registries:
        sent = push(changed, f"{where}:v1", registries=registries).sent
    assert set(sent) == {changed.layers[2].digest, Digest.of(changed.config)}


def test_an_index_and_its_images(peer, registries, image, registry_server):
    arm = registry_server.image_of([{"etc/arm": b"1"}], architecture="arm64")
    index = ImageIndex(index_json((image, arm)), (image, arm))
    push(index, f"{peer.host}/makers/index:v1", registries=registries)
    for platform, one in (("linux/amd64", image), ("linux/arm64", arm)):
        pulled = resolve(f"{peer.host}/makers/index:v1", Platform.parse(platform), registries=registries)
        assert (pulled.image.digest, pulled.index) == (one.digest, index.digest)


def test_what_is_attached_is_listed_and_fetched(peer, registries, image):
    pushed = push(image, f"{peer.host}/makers/attached:v1", registries=registries)
    at = pushed.reference.at(pushed.digest)
    parts = {SBOM: b"an SBOM", SIGNATURE: b"a signature"}
    made = {
        attach(at, [Part(kind, content)], artifact_type=kind, registries=registries)
        for kind, content in parts.items()
    }
    assert {one.descriptor.digest for one in listed(at, registries=registries)} == made
    for kind, content in parts.items():
        (found,) = listed(at, registries=registries, artifact_type=kind)
        assert fetch(at, found, registries=registries) == (Part(kind, content),)


def test_oras_finds_what_was_attached(peer, registries, image, oras, run):
    pushed = push(image, f"{peer.host}/makers/oras:v1", registries=registries)
    at = pushed.reference.at(pushed.digest)
    digest = attach(at, [Part(SBOM, b"an SBOM")], artifact_type=SBOM, registries=registries)
    said = json.loads(run(oras, "discover", "--plain-http", "--format", "json", str(at)))
    (found,) = said.get("referrers") or said["manifests"]
    assert (found["digest"], found["artifactType"]) == (str(digest), SBOM)


def test_skopeo_copies_what_was_pushed(peer, registries, image, skopeo, run, tmp_path):
    push(image, f"{peer.host}/makers/skopeo:v1", registries=registries)
    copy = (skopeo, "copy", "--quiet", "--preserve-digests", "--src-tls-verify=false")
    run(*copy, f"docker://{peer.host}/makers/skopeo:v1", f"oci:{tmp_path}/copied")
    copied = layout.read(tmp_path / "copied")
    assert copied.digest == image.digest
    assert not validate(copied)


def test_crane_finds_what_was_pushed_valid(peer, registries, image, crane, run):
    reference = f"{peer.host}/makers/crane:v1"
    push(image, reference, registries=registries)
    assert run(crane, "digest", reference).strip() == str(image.digest)
    assert json.loads(run(crane, "manifest", reference)) == json.loads(image.manifest)
    assert run(crane, "validate", "--remote", reference).startswith("PASS: ")
