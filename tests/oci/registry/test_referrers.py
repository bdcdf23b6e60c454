"""What is attached to images: listed, fetched and added to, with the API for it and without."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from envfreeze.digest import Digest
from envfreeze.errors import NetworkError, UntrustedError
from envfreeze.oci import media
from envfreeze.oci.reference import Reference
from envfreeze.oci.registry.referrers import Part, attach, fetch, listed, tag_of
from envfreeze.replacing import replace

NAME = "team/train"
SBOM, SIGNATURE = "application/vnd.cyclonedx+json", "application/vnd.example.signature"


@pytest.fixture(params=[True, False], ids=["api", "tag"])
def api(request, registry):
    registry.referrers = request.param
    return request.param


@pytest.fixture
def subject(registry, registry_server):
    digest = registry.push(registry_server.image_of([{"a": b"1"}]), NAME, "1")
    return Reference.parse(f"{registry.host}/{NAME}@{digest}")


@pytest.fixture
def add(subject, connect, cache):
    def call(content, kind=SBOM, keep=cache):
        part = Part(kind, content)
        return attach(subject, [part], artifact_type=kind, registries=connect(), cache=keep)

    return call


def test_what_is_attached_is_listed_and_fetched(api, subject, add, connect, registry):
    digests = {add(b"one"), add(b"two"), add(b"three"), add(b"sig", SIGNATURE)}
    found = listed(subject, registries=connect())
    assert {one.descriptor.digest for one in found} == digests
    (signature,) = listed(subject, registries=connect(), artifact_type=SIGNATURE)
    assert fetch(subject, signature, registries=connect()) == (Part(SIGNATURE, b"sig"),)
    assert (tag_of(subject.digest) in registry.manifests[NAME]) is not api


def test_nothing_is_attached(api, subject, connect):
    assert api in {True, False}
    assert listed(subject, registries=connect()) == ()


def test_the_same_again_changes_nothing(api, subject, add, connect):
    assert add(b"one") == add(b"one")
    assert len(listed(subject, registries=connect())) == 1
    assert api in {True, False}


@pytest.mark.parametrize("apart", [False, True], ids=["one-machine", "many-machines"])
def test_many_at_once_lose_nothing(subject, add, connect, cache, apart):
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda n: add(b"%d" % n, keep=None if apart else cache), range(4)))
    assert {one.descriptor.digest for one in listed(subject, registries=connect())} == set(done)


def test_entries_of_others_stay_as_they_are(registry, subject, add):
    theirs = {
        "mediaType": media.MANIFEST,
        "digest": str(Digest.of(b"theirs")),
        "size": 6,
        "artifactType": SIGNATURE,
        "data": "e30=",
    }
    index = {"schemaVersion": 2, "mediaType": media.INDEX, "manifests": [theirs]}
    registry.document(json.dumps(index).encode(), media.INDEX, NAME, tag_of(subject.digest))
    registry.document(b"theirs", media.MANIFEST, NAME)
    add(b"ours")
    assert json.loads(registry.manifests[NAME][tag_of(subject.digest)][1])["manifests"][0] == theirs


def test_what_is_attached_to_something_else_is_refused(registry, subject, add, connect):
    registry.referrers = True
    add(b"one")
    (found,) = listed(subject, registries=connect())
    other = replace(subject, digest=Digest.of(b"another"))
    with pytest.raises(UntrustedError, match="not attached to it"):
        fetch(other, found, registries=connect())


def test_a_list_that_is_none_is_said(registry, registry_server, subject, connect):
    registry.faults[f"/v2/{NAME}/referrers/{subject.digest}"] = [
        registry_server.Fault(status=200, body=b"<html>")
    ]
    with pytest.raises(NetworkError, match="what it answered is no list of referrers"):
        listed(subject, registries=connect())


def test_a_malformed_entry_is_refused(registry, registry_server, subject, connect):
    body = json.dumps({"manifests": [{"digest": "md5:1"}]}).encode()
    registry.faults[f"/v2/{NAME}/referrers/{subject.digest}"] = [registry_server.Fault(status=200, body=body)]
    with pytest.raises(UntrustedError, match="entry 1 of the referrers"):
        listed(subject, registries=connect())


def test_a_tag_has_nothing_attached(subject, connect):
    with pytest.raises(ValueError, match="has no digest"):
        listed(replace(subject, tag="1", digest=None), registries=connect())
