"""A push that broke with its process is gone on with by the next, where the registry can."""

from __future__ import annotations

import json
import os
import random
import stat
import time

import pytest

from envfreeze.digest import Digest
from envfreeze.errors import NetworkError
from envfreeze.oci.registry import upload
from envfreeze.oci.registry.places import places
from envfreeze.oci.registry.push import push
from envfreeze.oci.registry.unfinished import unfinished
from envfreeze.store.cache import Cache

NAME = "team/train"


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch):
    monkeypatch.setattr(upload, "CHUNK", 4000)


@pytest.fixture
def image(registry_server):
    noise = random.Random(7).randbytes(15_000)
    return registry_server.image_of([registry_server.layer_of({"large": noise}, "plain")])


@pytest.fixture
def send(registry, connect, cache, image):
    def call(kept=cache):
        return push(image, f"{registry.host}/{NAME}:v1", registries=connect(), cache=kept)

    return call


@pytest.fixture
def broken(registry, registry_server, send, cache):
    """The registry has the first parts of a blob, from a process that is no more; the kept file."""

    def breaks(*ends):
        patches = iter([*[registry_server.Fault()] * 2, *ends, *[registry_server.Fault(status=403)] * 9])
        registry.trouble = lambda method, _: next(patches) if method == "PATCH" else None
        with pytest.raises(NetworkError):
            send()
        registry.trouble = None
        registry.asked.clear()
        (kept,) = cache.layout.uploads.iterdir()
        return kept

    return breaks


def starts(registry):
    return [
        int(one.headers["content-range"].split("-")[0]) for one in registry.asked if one.method == "PATCH"
    ]


def test_the_next_push_sends_the_parts_that_are_missing(broken, send, registry, image, cache):
    broken()
    send()
    assert starts(registry)[0] == 8000
    assert registry.manifests[NAME]["v1"][1] == image.manifest
    assert not list(cache.layout.uploads.iterdir())


def test_a_part_that_broke_is_gone_on_with_in_its_middle(broken, send, registry, registry_server, image):
    broken(registry_server.Fault(hear=1500))
    send()
    assert starts(registry)[0] == 9500
    assert registry.manifests[NAME]["v1"][1] == image.manifest


def test_what_the_registry_has_forgotten_is_sent_from_its_beginning(broken, send, registry, image):
    broken()
    registry.uploads.clear()
    send()
    assert starts(registry)[0] == 0
    assert registry.manifests[NAME]["v1"][1] == image.manifest


def test_what_came_wrong_is_sent_from_its_beginning(broken, send, registry, image):
    broken()
    (one,) = registry.uploads.values()
    one[5] ^= 1
    send()
    assert starts(registry)[0] == 8000
    assert 0 in starts(registry)
    assert registry.manifests[NAME]["v1"][1] == image.manifest


def test_another_cache_knows_nothing_of_it(broken, send, registry, tmp_path):
    broken()
    with Cache.open(tmp_path / "other") as other:
        send(other)
    assert starts(registry)[0] == 0


def test_two_that_push_the_same_do_not_share_an_upload(broken, send, registry, cache, image):
    broken()
    (place,) = places(f"{registry.host}/{NAME}")
    with unfinished(cache, place, image.layers[0].digest) as first:
        assert first.location()
        with unfinished(cache, place, image.layers[0].digest) as second:
            assert not second.location()
            second.keep(f"{place.url}/blobs/uploads/other")
        send()
    assert starts(registry)[0] == 0


def test_what_is_kept_is_its_user_s_alone_and_soon_too_old(broken, send, registry):
    kept = broken()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    assert json.loads(kept.read_text())["location"].startswith(f"http://{registry.host}/v2/{NAME}/")
    yesterday = time.time() - 25 * 3600
    os.utime(kept, (yesterday, yesterday))
    send()
    assert starts(registry)[0] == 0


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"location": 7}', '{"location": "http://127.0.0.1:9/v2/x"}']
)
def test_what_is_damaged_or_leads_elsewhere_is_passed_over(broken, send, registry, text):
    broken().write_text(text)
    send()
    assert starts(registry)[0] == 0


def test_an_upload_at_another_server_is_not_kept(registry, registry_server, connect, cache, image):
    """There its address is all that is asked for."""
    with registry_server.serve() as storage:
        storage.uploads, storage.blobs = registry.uploads, registry.blobs
        registry.uploads_at = storage.uploads_at = f"http://{storage.host}"
        patches = iter([registry_server.Fault(), *[registry_server.Fault(status=403)] * 9])
        storage.trouble = lambda method, _: next(patches) if method == "PATCH" else None
        with pytest.raises(NetworkError):
            push(image, f"{registry.host}/{NAME}:v1", registries=connect(), cache=cache)
    assert not list(cache.layout.uploads.iterdir())


def test_a_prune_takes_it(broken, cache):
    kept = broken()
    cache.prune()
    assert not kept.exists()


def test_without_a_cache_nothing_is_kept(registry):
    (place,) = places(f"{registry.host}/{NAME}")
    with unfinished(None, place, Digest.of(b"")) as left:
        left.keep(f"{place.url}/blobs/uploads/1")
        assert not left.location()
        left.forget()
