"""Images are read from registries by tag and digest, for a platform; what comes is held to its digest."""

from __future__ import annotations

import io
import random

import pytest

from envfreeze.digest import Digest
from envfreeze.errors import NetworkError, UntrustedError, UsageError
from envfreeze.oci import media
from envfreeze.oci.descriptor import Descriptor
from envfreeze.oci.platform import Platform
from envfreeze.oci.registry import resolve, tags
from envfreeze.oci.validate import validate
from envfreeze.store.cache import Cache
from envfreeze.store.download import NotFoundError

AMD64 = Platform("linux", "amd64")


@pytest.mark.parametrize("packing", ["gzip", "zstd", "plain", "docker"])
def test_an_image_by_tag_is_that_image_from_end_to_end(registry_server, registry, connect, cache, packing):
    made = registry_server.image_of([{"etc/a": b"a"}, {"etc/b": b"b" * 100_000}], packing=packing)
    digest = registry.push(made, "team/base", "1")
    pulled = resolve(f"{registry.host}/team/base:1", AMD64, registries=connect(), cache=cache)
    assert (pulled.image.digest, pulled.index) == (digest, None)
    assert (pulled.image.manifest, pulled.image.config) == (made.manifest, made.config)
    assert not validate(pulled.image)


@pytest.mark.parametrize("docker", [False, True])
def test_of_an_index_the_platform_is_taken_and_no_attestation(
    registry_server, registry, connect, cache, docker
):
    packing = "docker" if docker else "gzip"
    arm = registry_server.image_of([{"a": b"arm"}], architecture="arm64", packing=packing)
    amd = registry_server.image_of([{"a": b"amd"}], packing=packing)
    index = registry.push_index([arm, amd], "team/base", "1", docker=docker)
    for platform, image in (("linux/amd64", amd), ("linux/arm64", arm)):
        pulled = resolve(
            f"{registry.host}/team/base:1", Platform.parse(platform), registries=connect(), cache=cache
        )
        assert (pulled.image.digest, pulled.index) == (image.digest, index)


def test_a_platform_that_an_index_or_an_image_is_not_for_is_refused(registry_server, registry, connect):
    arm = registry_server.image_of([{"a": b"arm"}], architecture="arm64")
    registry.push_index([arm], "team/base", "index")
    registry.push(arm, "team/base", "image")
    with pytest.raises(UsageError, match="has no image for linux/amd64, only for linux/arm64"):
        resolve(f"{registry.host}/team/base:index", AMD64, registries=connect())
    with pytest.raises(UsageError, match="is an image for linux/arm64, not for linux/amd64"):
        resolve(f"{registry.host}/team/base:image", AMD64, registries=connect())


def test_a_digest_counts_where_there_is_a_tag_too(registry_server, registry, connect):
    old = registry.push(registry_server.image_of([{"a": b"old"}]), "team/base", "1")
    registry.push(registry_server.image_of([{"a": b"new"}]), "team/base", "1")
    pulled = resolve(f"{registry.host}/team/base:1@{old}", AMD64, registries=connect())
    assert pulled.image.digest == old


def test_a_manifest_that_is_not_what_its_digest_says_is_refused(registry_server, registry, connect):
    digest = registry.push(registry_server.image_of([{"a": b"a"}]), "team/base", "1")
    registry.faults[f"/v2/team/base/manifests/{digest}"] = [registry_server.Fault(flip=True)]
    with pytest.raises(UntrustedError, match=f"team/base@{digest}: what came has the digest"):
        resolve(f"{registry.host}/team/base@{digest}", AMD64, registries=connect())
    registry.faults["/v2/team/base/manifests/1"] = [registry_server.Fault(flip=True)]
    with pytest.raises(UntrustedError, match="promises"):
        resolve(f"{registry.host}/team/base:1", AMD64, registries=connect())


def test_a_config_that_is_not_what_its_digest_says_is_refused(registry_server, registry, connect):
    image = registry_server.image_of([{"a": b"a"}])
    registry.push(image, "team/base", "1")
    path = f"/v2/team/base/blobs/{Digest.of(image.config)}"
    registry.faults[path] = [registry_server.Fault(flip=True)]
    with pytest.raises(UntrustedError, match="what came has the digest"):
        resolve(f"{registry.host}/team/base:1", AMD64, registries=connect())


def test_a_blob_goes_on_where_it_was_cut(registry_server, registry, connect, cache):
    layer = registry_server.layer_of({"a": bytes(range(256)) * 4000}, "plain")
    registry.push(registry_server.image_of([layer]), "team/base", "1")
    path = f"/v2/team/base/blobs/{layer.digest}"
    registry.faults[path] = [registry_server.Fault(cut=500_000), registry_server.Fault(status=502)]
    pulled = resolve(f"{registry.host}/team/base:1", AMD64, registries=connect(), cache=cache)
    with pulled.image.layers[0].open() as blob:
        assert blob.read() == layer.blob
    asked = [one.headers.get("range") for one in registry.asked if one.path == path]
    assert asked == [None, "bytes=500000-", "bytes=500000-"]


def test_a_blob_that_stays_wrong_never_enters_the_cache(registry_server, registry, connect, cache):
    layer = registry_server.layer_of({"a": b"a" * 1000})
    registry.push(registry_server.image_of([layer]), "team/base", "1")
    registry.faults[f"/v2/team/base/blobs/{layer.digest}"] = [registry_server.Fault(flip=True)] * 9
    blob = Descriptor(layer.media_type, layer.digest, layer.size)
    with pytest.raises(UntrustedError, match=f"team/base@{layer.digest}"):
        connect().fetch(cache, (f"{registry.host}/team/base",), [blob])
    assert cache.find(layer.digest) is None


def test_the_tags_of_all_pages_are_listed(registry_server, registry, connect):
    image = registry_server.image_of([{"a": b"a"}])
    wanted = sorted(f"12.{minor}.{patch}-base" for minor in range(5) for patch in range(5))
    for tag in wanted:
        registry.push(image, "nvidia/cuda", tag)
    registry.page = 7
    assert tags(f"{registry.host}/nvidia/cuda", registries=connect()) == tuple(wanted)
    assert len(registry.paths("tags/list")) == 4


def test_a_list_of_tags_that_leads_elsewhere_or_is_none_is_refused(registry_server, registry, connect):
    registry.push(registry_server.image_of([{"a": b"a"}]), "team/base", "1")
    path = "/v2/team/base/tags/list"
    link = {"Link": '<http://elsewhere.invalid/v2/team/base/tags/list?last=1>; rel="next"'}
    registry.faults[path] = [registry_server.Fault(headers=link), registry_server.Fault(body=b"[1]")]
    with pytest.raises(NetworkError, match="goes on at another server"):
        tags(f"{registry.host}/team/base", registries=connect())
    with pytest.raises(NetworkError, match="no list of tags"):
        tags(f"{registry.host}/team/base", registries=connect())


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"status": 404}, "is not in the registry"),
        ({"status": 403}, "403 Forbidden"),
        ({"status": 500}, "500 Internal Server Error"),
        ({"status": 429, "headers": {"Retry-After": "60"}}, "429 Too Many Requests, asks to wait 60 s"),
        ({"headers": {"Content-Type": "text/html"}, "body": b"<!doctype html><html>"}, "a web page"),
        ({"headers": {}, "body": b"{"}, "not a manifest"),
        ({"cut": 5}, r"peer closed|incomplete"),
    ],
)
def test_what_goes_wrong_is_said_with_the_reference(registry_server, registry, connect, fault, words):
    registry.push(registry_server.image_of([{"a": b"a"}]), "team/base", "1")
    registry.faults["/v2/team/base/manifests/1"] = [registry_server.Fault(**fault)] * 5
    with pytest.raises(NetworkError, match=words) as caught:
        resolve(f"{registry.host}/team/base:1", AMD64, registries=connect())
    assert f"{registry.host}/team/base:1" in caught.value.message


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_server_that_recovers_is_asked_again(registry_server, registry, connect, status):
    digest = registry.push(registry_server.image_of([{"a": b"a"}]), "team/base", "1")
    registry.faults["/v2/team/base/manifests/1"] = [registry_server.Fault(status=status)] * 2
    assert resolve(f"{registry.host}/team/base:1", AMD64, registries=connect()).image.digest == digest


def test_an_image_of_schema_1_and_one_of_another_type_are_refused(registry, connect):
    registry.document(b"{}", "application/vnd.docker.distribution.manifest.v1+prettyjws", "team/base", "old")
    registry.document(b'{"mediaType": "application/x"}', "application/json", "team/base", "odd")
    with pytest.raises(UntrustedError, match="schema 1"):
        resolve(f"{registry.host}/team/base:old", AMD64, registries=connect())
    with pytest.raises(UntrustedError, match="its media type is application/x"):
        resolve(f"{registry.host}/team/base:odd", AMD64, registries=connect())


def test_a_mirror_is_asked_first_and_the_registry_where_it_fails(registry_server, registry, connect, cache):
    image = registry_server.image_of([{"a": b"a"}])
    with registry_server.serve() as mirror:
        for server in (registry, mirror):
            server.push(image, "hub/team/base" if server is mirror else "team/base", "1")
        where = {registry.host: (f"{mirror.host}/hub",)}
        pulled = resolve(f"{registry.host}/team/base:1", AMD64, registries=connect(where), cache=cache)
        assert pulled.image.layers[0].open().read() == image.layers[0].open().read()
        assert not registry.asked
        assert mirror.paths("/v2/hub/team/base/blobs/")
        del mirror.manifests["hub/team/base"]
        environ = {"ENVFREEZE_REGISTRY_MIRRORS": f"{registry.host}={mirror.host}/hub"}
        resolve(f"{registry.host}/team/base:1", AMD64, registries=connect(**environ))
        assert registry.paths("manifests/1")


def test_a_deleted_image_is_named_as_such(registry, connect):
    with pytest.raises(NotFoundError, match="team/gone:1 is not in the registry") as caught:
        resolve(f"{registry.host}/team/gone:1", AMD64, registries=connect())
    assert "docker login" in caught.value.hint


def test_layers_are_streams_of_the_image_interface(registry_server, registry, connect, cache):
    layer = registry_server.layer_of({"a": b"a"}, "zstd")
    registry.push(registry_server.image_of([layer]), "team/base", "1")
    (found,) = resolve(f"{registry.host}/team/base:1", AMD64, registries=connect(), cache=cache).image.layers
    assert (found.digest, found.diff_id, found.size) == (layer.digest, layer.diff_id, layer.size)
    assert found.media_type == media.LAYER_ZSTD
    with found.open() as blob:
        assert isinstance(blob, io.BufferedReader)


def test_two_hundred_faults_end_right_or_in_a_clear_error(registry_server, registry, connect, tmp_path):
    """Drops, delays, truncations, corruptions, redirects, refusals, in any order and anywhere."""
    chance = random.Random(7)
    layer = registry_server.layer_of({"a": chance.randbytes(30_000)}, "plain")
    image = registry_server.image_of([layer])
    digest = registry.push(image, "team/base", "1")
    fault = registry_server.Fault
    kinds = [
        lambda: fault(cut=chance.randrange(40)),
        lambda: fault(cut=chance.randrange(40, 30_000)),
        lambda: fault(flip=True),
        lambda: fault(delay=0.01),
        lambda: fault(status=chance.choice([401, 403, 404, 408, 429, 500, 502, 503])),
        lambda: fault(status=429, headers={"Retry-After": "0"}),
        lambda: fault(status=307, headers={"Location": f"http://{registry.host}/v2/elsewhere"}),
        lambda: fault(status=301, headers={"Location": "ftp://example.invalid/x"}),
        lambda: fault(headers={"Content-Type": "text/html"}, body=b"<html>sign in</html>"),
        lambda: fault(status=206, headers={"Content-Range": "bytes 9-10/11"}, body=b"xx"),
        lambda: fault(body=b""),
    ]
    paths = [
        "/v2/team/base/manifests/1",
        f"/v2/team/base/blobs/{Digest.of(image.config)}",
        f"/v2/team/base/blobs/{layer.digest}",
    ]
    right = faults = 0
    said = []
    with Cache.open(tmp_path / "faults") as cache:
        while faults < 200:
            for path in paths:
                registry.faults[path] = [chance.choice(kinds)() for _ in range(chance.randrange(3))]
            faults += sum(map(len, registry.faults.values()))
            cache.discard(layer.digest)
            try:
                pulled = resolve(f"{registry.host}/team/base:1", AMD64, registries=connect(), cache=cache)
                with pulled.image.layers[0].open() as blob:
                    assert blob.read() == layer.blob
                assert pulled.image.digest == digest
                right += 1
            except (NetworkError, UntrustedError) as error:
                said.append(f"{error.message} {error.details}")
            found = cache.find(layer.digest)
            assert found is None or Digest.of_file(found) == layer.digest
    assert right > 10
    assert len(said) > 10
    assert all(registry.host in text for text in said)
