"""Two hundred things go wrong between envfreeze and a real registry: the right image, or a clear error."""

from __future__ import annotations

import base64
import random
from collections import Counter

import pytest

from envfreeze.digest import Digest
from envfreeze.errors import NetworkError, UntrustedError
from envfreeze.oci.platform import Platform
from envfreeze.oci.registry import Registries, resolve, upload, wire
from envfreeze.oci.registry.push import push
from envfreeze.oci.validate import validate
from envfreeze.store.cache import Cache
from envfreeze.store.retry import Retry

AMD64 = Platform("linux", "amd64")
NAME = "team/train"
ENOUGH = 100
"""Things that go wrong with pushes, and as many with pulls."""

RETRY = Retry(attempts=4, first=0.005, longest=0.02, patience=2)


@pytest.fixture
def proxy(peer, troubles):
    with troubles.before(peer.host, peer.login) as made:
        yield made


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch):
    """Blobs have several parts, and answers a moment."""
    monkeypatch.setattr(upload, "CHUNK", 4000)
    monkeypatch.setattr(upload, "SMALL_CHUNK", 1000)
    monkeypatch.setattr(wire, "_LONG_SECONDS", 0.3)
    monkeypatch.setattr(wire, "_SHORT_SECONDS", 0.3)


@pytest.fixture
def environ(peer, proxy, tmp_path):
    """The login is for the registry and for the proxy, which is the registry to whoever asks."""
    return peer.config(tmp_path / "login", peer.host, proxy.host)


class Said:
    """All that is said to people."""

    def __init__(self):
        self.text = []

    def task(self, description, total=None):  # noqa: ARG002 - the interface
        self.text.append(description)
        return self

    def note(self, text):
        self.text.append(text)

    warn = note

    def advance(self, amount):
        """Nothing is said."""

    def finish(self):
        """Nothing is said."""


def image_of(registry_server, seed):
    """An image like no other, with a blob of several parts."""
    noise = random.Random(seed).randbytes(11_000)
    large = registry_server.layer_of({"large": noise}, "plain")
    return registry_server.image_of([large, {"small": b"%d" % seed}])


def directly(peer, environ, tag, cache):
    """What the registry has under a tag, every byte of it checked."""
    with Registries(environ=environ) as registries:
        image = resolve(f"{peer.host}/{NAME}:{tag}", AMD64, registries=registries, cache=cache).image
        assert not validate(image)
        return image.digest


def clear(error, proxy):
    """Whether an error names the place, and what went wrong there."""
    said = " ".join([error.message, error.hint, *error.details])
    assert proxy.host in error.message
    assert len(error.message) > len(proxy.host) + 20
    assert "Traceback" not in said
    return said


def secrets(peer):
    if peer.login is None:
        return {"_state="}
    user, password = peer.login
    return {password, base64.b64encode(f"{user}:{password}".encode()).decode(), "_state="}


def test_every_push_ends_with_the_image_or_with_a_clear_error(
    peer, proxy, environ, registry_server, troubles, tmp_path
):
    proxy.stalls = True
    ended = Counter()
    said = Said()
    before = None
    for seed in range(1000):
        if sum(proxy.happened.values()) >= ENOUGH:
            break
        image = image_of(registry_server, seed)
        proxy.begin(seed, random.Random(seed).choice([0.05, 0.15, 0.4]), most=8)
        with Registries(environ=environ, retry=RETRY, progress=said) as registries:
            try:
                push(image, f"{proxy.host}/{NAME}:v1", registries=registries, workers=1, progress=said)
                ended["right"] += 1
                failed = False
            except (NetworkError, UntrustedError) as error:
                said.note(clear(error, proxy))
                ended["error"] += 1
                failed = True
        proxy.begin(seed, 0, 0)
        with Cache.open(tmp_path / "cache") as cache:
            try:
                now = directly(peer, environ, "v1", cache)
            except NetworkError:
                now = None
        # With an error the tag may have moved where only the answer to that was lost; half it is never.
        assert now == image.digest or (failed and now == before)
        before = now
    assert sum(proxy.happened.values()) >= ENOUGH
    assert proxy.happened.keys() == troubles.TROUBLES.keys()
    assert min(ended["right"], ended["error"]) > 5, ended
    assert proxy.elsewhere.asked
    assert not proxy.elsewhere.shown
    assert not [text for text in said.text for secret in secrets(peer) if secret in text]


def test_every_pull_ends_with_the_image_or_with_a_clear_error(
    peer, proxy, environ, registry_server, troubles, tmp_path
):
    image = image_of(registry_server, 7)
    with Registries(environ=environ) as registries:
        push(image, f"{peer.host}/{NAME}:pulled", registries=registries)
    ended = Counter()
    said = Said()
    for seed in range(1000):
        if sum(proxy.happened.values()) >= ENOUGH:
            break
        proxy.begin(seed, random.Random(seed).choice([0.1, 0.3, 0.6]), most=8)
        with (
            Cache.open(tmp_path / f"cache-{seed}") as cache,
            Registries(environ=environ, retry=RETRY, progress=said) as registries,
        ):
            try:
                pulled = resolve(
                    f"{proxy.host}/{NAME}:pulled", AMD64, registries=registries, cache=cache
                ).image
                for got, wanted in zip(pulled.layers, image.layers, strict=True):
                    with got.open() as blob:
                        assert blob.read() == wanted.blob
                assert (pulled.manifest, pulled.config) == (image.manifest, image.config)
                ended["right"] += 1
            except (NetworkError, UntrustedError) as error:
                said.note(clear(error, proxy))
                ended["error"] += 1
            for layer in image.layers:
                found = cache.find(layer.digest)
                assert found is None or Digest.of_file(found) == layer.digest
            kept = [path for path in (cache.root / "blobs").rglob("*") if path.is_file()]
            assert {path.name for path in kept} <= {layer.digest.hex for layer in image.layers}
    assert sum(proxy.happened.values()) >= ENOUGH
    assert proxy.happened.keys() == troubles.TROUBLES.keys() - troubles.OF_BODIES - {"stall"}
    assert min(ended["right"], ended["error"]) > 5, ended
    assert proxy.elsewhere.asked
    assert not proxy.elsewhere.shown
    assert not [text for text in said.text for secret in secrets(peer) if secret in text]
