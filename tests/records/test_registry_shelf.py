"""Records attached to images in a registry."""

from __future__ import annotations

import json

import pytest

from envfreeze.digest import Digest
from envfreeze.errors import NetworkError, UntrustedError
from envfreeze.oci.registry.connection import Registries
from envfreeze.oci.registry.referrers import Part, attach, tag_of
from envfreeze.records import lines, statement
from envfreeze.records.model import Record, RecordedImage, Verification
from envfreeze.records.registry_shelf import TYPE, RegistryShelf
from envfreeze.records.store import open_store
from envfreeze.replacing import replace
from envfreeze.store.retry import Retry

NAME = "team/train"


@pytest.fixture(params=[True, False], ids=["referrers API", "tag of referrers"])
def registry(registry_server, request):
    with registry_server.serve() as served:
        served.referrers = request.param
        yield served


@pytest.fixture
def shelf(registry, work):
    with Registries(retry=Retry(attempts=1)) as registries:
        yield RegistryShelf(f"{registry.host}/{NAME}", registries, None, work.warnings)


@pytest.fixture
def pushed(registry, registry_server, work, lock):
    """The record of an image that was pushed, built of a lock that no commit has."""
    image = registry_server.image_of([{"etc/os-release": b"ID=debian\n"}])
    registry.push(image, NAME, "v1")
    store = work.store()
    source = store.snapshot(lock, [])
    made = RecordedImage(image.platform, image.digest, Digest.of(image.config), ())
    return Record("2026-01-01T00:00:00Z", "native", "0.1.0", 1, image.digest, (made,), source)


def test_a_record_is_found_with_its_lock_from_the_digest_alone(shelf, pushed, lock, tmp_path):
    shelf.attach(pushed, lock.values())
    store = replace(open_store(tmp_path), registry=shelf)
    assert store.find(pushed.digest) == ()
    for digest in (pushed.digest, pushed.manifests[0].config):
        assert store.find_in_registry(digest) == (pushed,)
    assert store.find_in_registry(Digest.of(b"another")) == ()
    attached = store.attached(pushed)
    assert attached == {Digest.of(content): content for content in lock.values()}
    assert store.attached(replace(pushed, engine_version="0.2.0")) == {}


def test_a_clone_without_the_kept_lock_restores_with_the_attached_one(shelf, pushed, lock, work, tmp_path):
    shelf.attach(pushed, lock.values())
    work.git("for-each-ref", "--format=%(refname)", "refs/envfreeze")
    work.git("clone", "-q", work.root.as_uri(), str(tmp_path / "clone"))
    store = replace(open_store(tmp_path / "clone"), registry=shelf)
    (record,) = store.find_in_registry(pushed.digest)
    folder = store.restore(record, tmp_path / "restored", store.attached(record))
    assert (folder / "train.py").is_file()
    for name, content in lock.items():
        assert (folder / name).read_bytes() == content


def test_it_is_a_statement_that_others_can_read(registry, shelf, pushed, lock):
    shelf.attach(pushed, lock.values())
    (text,) = shelf.texts(pushed.digest)
    manifest = json.loads(registry.manifests[NAME][f"sha256:{text.id}"][1])
    assert manifest["artifactType"] == TYPE
    assert manifest["layers"][0]["mediaType"] == "application/vnd.in-toto+json"
    said = json.loads(registry.blobs[NAME][manifest["layers"][0]["digest"]])
    assert said["_type"] == "https://in-toto.io/Statement/v1"
    assert said["subject"] == [{"digest": {"sha256": pushed.digest.hex}}]
    assert said["predicate"] == json.loads(lines.render(pushed))
    assert statement.line_of(json.dumps(said).encode()) == lines.render(pushed)


def test_a_verification_is_attached_and_all_is_listed(shelf, pushed, lock, work):
    shelf.attach(pushed, lock.values())
    shelf.attach(pushed, lock.values())  # which changes nothing
    store = replace(open_store(work.root, stores=("registry",)), registry=shelf)
    done = Verification("2026-01-02T00:00:00Z", "0.1.0", pushed.digest, "identical", pushed.commit)
    store.add_verification(done)
    listing = store.listing()
    assert [entry.digest for entry in listing.entries] == [pushed.digest]
    assert listing.levels == {pushed.digest: "identical"}
    assert store.read(listing.entries) == (pushed,)


def test_every_platform_has_the_record(registry, registry_server, shelf, pushed, lock):
    images = [registry_server.image_of([{"a": b"1"}], architecture=one) for one in ("amd64", "arm64")]
    index = registry.push_index(images, NAME, "both")
    made = tuple(RecordedImage(one.platform, one.digest, Digest.of(one.config), ()) for one in images)
    record = replace(pushed, digest=index, manifests=made)
    shelf.attach(record, lock.values())
    for digest in (index, images[0].digest, images[1].digest):
        assert [lines.parse(text) for text in shelf.read(shelf.texts(digest))] == [record]


def test_what_is_attached_and_is_no_record_is_said_where_it_is_wanted(shelf, pushed, work):
    reference = shelf._reference(pushed.digest)
    parts = [Part("text/plain", b"not a record of " + pushed.digest.hex.encode())]
    attach(reference, parts, artifact_type=TYPE, registries=shelf.registries)
    store = replace(open_store(work.root), registry=shelf)
    with pytest.raises(UntrustedError, match=r"attached to .*team/train"):
        store.find_in_registry(pushed.digest)


def test_an_image_that_was_not_pushed_there_is_a_warning(shelf, pushed, lock, work):
    store = replace(open_store(work.root, stores=("registry",), progress=work.warnings), registry=shelf)
    store.attach(replace(pushed, digest=Digest.of(b"never pushed")), lock)
    assert "not attached" in work.warnings.told[0]
    with pytest.raises(NetworkError):
        shelf.attach(replace(pushed, digest=Digest.of(b"never pushed")), ())


def test_a_registry_without_the_repository_has_no_records(registry, work):
    with Registries(retry=Retry(attempts=1)) as registries:
        other = RegistryShelf(f"{registry.host}/nobody/nothing", registries, None, work.warnings)
        assert other.texts() == []
        assert other.texts(Digest.of(b"image")) == []


def test_the_list_under_a_tag_is_what_a_registry_without_the_api_has(registry, shelf, pushed, lock):
    shelf.attach(pushed, lock.values())
    assert (tag_of(pushed.digest) in registry.manifests[NAME]) != registry.referrers
