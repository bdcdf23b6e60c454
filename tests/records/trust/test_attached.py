"""Envelopes beside images in registries: as referrers, and as cosign has them."""

from __future__ import annotations

import json
import threading

import pytest

from envfreeze.digest import Digest
from envfreeze.errors import UntrustedError
from envfreeze.oci import canonical
from envfreeze.oci.reference import Reference
from envfreeze.oci.registry.attestations import att_tag_of, listed_att
from envfreeze.oci.registry.connection import Registries
from envfreeze.oci.registry.referrers import tag_of
from envfreeze.records.registry_shelf import RegistryShelf
from envfreeze.records.trust import attached, envelope, keys
from envfreeze.store.cache import Cache

NAME = "team/train"
PAIR = keys.generate()


@pytest.fixture(params=[True, False], ids=["referrers API", "tag of referrers"])
def registry(registry_server, request):
    with registry_server.serve() as served:
        served.referrers = request.param
        yield served


@pytest.fixture
def registries():
    with Registries() as opened:
        yield opened


@pytest.fixture
def image(registry, registry_server):
    made = registry_server.image_of([{"etc/os-release": b"ID=debian\n"}])
    return Reference.parse(f"{registry.host}/{NAME}@{registry.push(made, NAME, 'v1')}")


def put(image, registries, payload=b"{}", **options):
    signed = envelope.sign(payload, PAIR)
    attached.put(image, [image.digest], signed, [b"lock"], registries=registries, **options)
    return signed


def test_what_is_put_is_found_once(image, registries):
    signed = put(image, registries)
    assert put(image, registries) == signed
    assert [one.content for one in attached.found(image, registries=registries)] == [signed.render()]
    second = put(image, registries, b'{"second": 1}')
    contents = {one.content for one in attached.found(image, registries=registries)}
    assert contents == {signed.render(), second.render()}


def test_it_is_found_where_cosign_alone_would_look(image, registry, registries):
    signed = put(image, registries)
    tag = att_tag_of(image.digest)
    manifest = json.loads(registry.manifests[NAME][tag][1])
    assert tag == f"sha256-{image.digest.hex}.att"
    (layer,) = manifest["layers"]
    assert layer["mediaType"] == "application/vnd.dsse.envelope.v1+json"
    assert layer["annotations"]["predicateType"] == "https://slsa.dev/provenance/v1"
    config = json.loads(registry.blobs[NAME][manifest["config"]["digest"]])
    assert config["rootfs"]["diff_ids"] == [layer["digest"]]
    registry.manifests[NAME].pop(tag_of(image.digest), None)
    contents = [one.content for one in attached.found(image, registries=registries)]
    assert signed.render() in contents


def test_many_at_once_lose_nothing(image, registries, tmp_path):
    with Cache.open(tmp_path / "cache") as cache:
        threads = [
            threading.Thread(
                target=put, args=(image, registries, b"%d" % number), kwargs={"cache": cache}, daemon=True
            )
            for number in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert len(listed_att(image, registries=registries)) == 4


def test_what_is_malformed_under_the_tag_is_told_and_not_added_to(image, registry, registries):
    signed = put(image, registries)
    for layers in (None, [{}], [{"mediaType": "x", "digest": "sha256:0", "size": 1}]):
        raw = json.dumps({"schemaVersion": 2, "config": {}, "layers": layers}).encode()
        registry.document(raw, "application/vnd.oci.image.manifest.v1+json", NAME, att_tag_of(image.digest))
        sound = attached.found(image, registries=registries)
        assert [one.content for one in sound if not one.damage] == [signed.render()]  # the referrer
        assert [one.where for one in sound if one.damage] == [f"{image.name}:{att_tag_of(image.digest)}"]
        with pytest.raises(UntrustedError):
            put(image, registries)


def test_the_tag_is_no_image_to_look_for_records_at(image, registries, registry):
    put(image, registries)
    shelf = RegistryShelf(image.name, registries, None, None)
    before = len(registry.paths(f"{image.digest.hex}.att"))
    shelf.texts()
    assert len(registry.paths(f"{image.digest.hex}.att")) == before


def test_an_index_and_its_images_all_have_it(registry, registry_server, registries):
    made = [registry_server.image_of([{"etc/name": name}]) for name in (b"one", b"two")]
    digests = [registry.push(one, NAME) for one in made]
    at = Reference.parse(f"{registry.host}/{NAME}@{digests[0]}")
    signed = envelope.sign(b"{}", PAIR)
    attached.put(at, digests, signed, [b"lock"], registries=registries)
    for digest in digests:
        (found,) = attached.found(at.at(digest), registries=registries)
        assert found.content == signed.render()
        lock = Digest.of(b"lock")
        assert attached.locks(at.at(digest), [lock], registries=registries) == {lock: b"lock"}
        assert attached.locks(at.at(digest), [Digest.of(b"another")], registries=registries) == {}


def test_a_damaged_envelope_does_not_hide_a_sound_one(image, registry, registries):
    signed, second = put(image, registries), put(image, registries, b'{"second": 1}')
    blobs = registry.blobs[NAME]
    digest = str(Digest.of(signed.render()))
    blobs[digest] = blobs[digest].replace(b"e30=", b"e31=")
    sound = [one for one in attached.found(image, registries=registries) if not one.damage]
    damaged = [one for one in attached.found(image, registries=registries) if one.damage]
    assert [one.content for one in sound] == [second.render()]
    assert damaged
    assert all("digest" in one.damage for one in damaged)


def test_what_was_deleted_does_not_hide_what_is_there(image, registry, registries):
    registry.referrers = False  # whose list says still what was deleted
    signed, second = put(image, registries), put(image, registries, b'{"second": 1}')
    listed = json.loads(registry.manifests[NAME][tag_of(image.digest)][1])["manifests"]
    del registry.manifests[NAME][listed[0]["digest"]]
    del registry.blobs[NAME][str(Digest.of(signed.render()))]
    found = attached.found(image, registries=registries)
    assert [one.content for one in found if not one.damage] == [second.render()]
    assert attached.locks(image, [Digest.of(b"lock")], registries=registries)


def test_a_blob_that_is_too_large_does_not_hide_what_is_sound(image, registry, registries):
    signed = put(image, registries)
    blob = b"x" * (canonical.LIMIT + 1)
    registry.blobs[NAME][str(Digest.of(blob))] = blob
    layer = {"mediaType": envelope.MEDIA_TYPE, "digest": str(Digest.of(blob)), "size": 9}
    manifest = {"schemaVersion": 2, "config": {}, "layers": [layer]}
    registry.document(
        json.dumps(manifest).encode(),
        "application/vnd.oci.image.manifest.v1+json",
        NAME,
        att_tag_of(image.digest),
    )
    found = attached.found(image, registries=registries)
    assert [one.content for one in found if not one.damage] == [signed.render()]
    assert [one.damage for one in found if one.damage]


def test_each_lock_is_found_by_itself(image, registries):
    """Two builds that were signed of one image may have been locked at two times."""
    for number in (b"1", b"2"):
        attached.put(image, [image.digest], envelope.sign(number, PAIR), [number], registries=registries)
    wanted = [Digest.of(one) for one in (b"1", b"2", b"gone")]
    assert attached.locks(image, wanted, registries=registries) == {wanted[0]: b"1", wanted[1]: b"2"}
