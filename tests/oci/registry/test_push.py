"""Pushing images: what is sent, in which order, and what a registry or the way to it can do wrong."""

from __future__ import annotations

import json
import random

import pytest

from envfreeze.digest import Digest
from envfreeze.errors import EnvfreezeError, NetworkError, UntrustedError, UsageError
from envfreeze.oci.image import ImageIndex, ImageValue
from envfreeze.oci.manifest import index_json
from envfreeze.oci.registry import upload
from envfreeze.oci.registry.push import push
from envfreeze.store.transfer import NotFoundError

NAME = "team/train"


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch):
    monkeypatch.setattr(upload, "CHUNK", 4000)
    monkeypatch.setattr(upload, "SMALL_CHUNK", 1000)
    monkeypatch.setattr(upload, "_PIECE", 700)


@pytest.fixture
def image(registry_server):
    """An image with a blob that takes several chunks."""
    noise = random.Random(7).randbytes(15_000)
    large = registry_server.layer_of({"large": noise}, "plain")
    return registry_server.image_of([large, {"small": b"1"}, {"other": b"2"}])


@pytest.fixture
def send(registry, connect, cache):
    """Push to the registry."""

    def call(image, reference=f"{NAME}:v1", **keywords):
        environ = keywords.pop("environ", {})
        keywords = {"registries": connect(**environ), "cache": cache} | keywords
        return push(image, f"{registry.host}/{reference}", **keywords)

    return call


def has(registry, image, tag="v1", name=NAME):
    """Whether the registry has exactly this under the tag."""
    assert registry.manifests[name][tag][1] == image.manifest
    for layer in image.layers:
        assert Digest.of(registry.blobs[name][str(layer.digest)]) == layer.digest
    assert registry.blobs[name][str(Digest.of(image.config))] == image.config
    return True


def blobs(image):
    return {*(layer.digest for layer in image.layers), Digest.of(image.config)}


# ---------------------------------------------------------------------------------------- what is sent


def test_an_image_is_there_afterwards(send, registry, image):
    pushed = send(image)
    assert has(registry, image)
    assert pushed.digest == image.digest
    assert (set(pushed.sent), pushed.mounted, pushed.there) == (blobs(image), (), ())
    assert str(pushed.reference) == f"{registry.host}/{NAME}:v1"


def test_a_second_push_sends_nothing(send, registry, image):
    send(image)
    registry.asked.clear()
    pushed = send(image)
    assert (pushed.sent, set(pushed.there), pushed.size) == ((), blobs(image), 0)
    assert registry.received() == 0


def test_one_changed_layer_is_the_only_one_sent(send, registry, registry_server, image):
    send(image)
    changed = registry_server.image_of([*image.layers[:2], {"other": b"3"}])
    assert set(send(changed, f"{NAME}:v2").sent) == {changed.layers[2].digest, Digest.of(changed.config)}
    assert has(registry, changed, "v2")
    assert has(registry, image)


def test_blobs_of_a_repository_that_is_known_are_mounted(send, registry, image):
    send(image, "team/base:1")
    pushed = send(image)
    assert (pushed.sent, set(pushed.mounted)) == ((), blobs(image))
    assert has(registry, image)


def test_blobs_of_a_named_repository_are_mounted_without_a_memory(send, registry, image):
    registry.push(image, "nvidia/cuda", "12")
    pushed = send(image, cache=None, origins=(f"{registry.host}/nvidia/cuda", "docker.io/nvidia/cuda"))
    assert set(pushed.mounted) == blobs(image)
    assert not [path for path in registry.paths("from=") if "from=nvidia/cuda" not in path]


def test_what_is_not_mounted_is_sent(send, registry, image):
    registry.push(image, "nvidia/cuda", "12")
    registry.mounts = False
    assert set(send(image, origins=(f"{registry.host}/nvidia/cuda",)).sent) == blobs(image)
    assert has(registry, image)


def test_an_index_comes_after_its_manifests_and_the_tag_last(send, registry, registry_server, image):
    arm = registry_server.image_of([{"arm": b"1"}], architecture="arm64")
    index = ImageIndex(index_json((image, arm)), (image, arm))
    assert send(index).digest == index.digest
    put = [path.rpartition("/")[2] for path in registry.paths("/manifests/", "PUT")]
    assert put == [str(image.digest), str(arm.digest), str(index.digest), "v1"]
    last_blob = max(n for n, one in enumerate(registry.asked) if "/uploads/" in one.path)
    first_manifest = min(n for n, one in enumerate(registry.asked) if one.path.endswith(put[0]))
    assert last_blob < first_manifest
    assert registry.manifests[NAME]["v1"][1] == index.raw


def test_a_reference_by_digest_tags_nothing(send, registry, image):
    send(image, f"{NAME}@{image.digest}")
    assert list(registry.manifests[NAME]) == [str(image.digest)]


def test_a_reference_with_another_digest_is_refused_before_anything_is_asked(send, registry, image):
    with pytest.raises(UsageError, match="names another image"):
        send(image, f"{NAME}:v1@{Digest.of(b'')}")
    assert not registry.asked


def test_what_is_no_reference_is_refused(image):
    with pytest.raises(UsageError, match="not an image reference"):
        push(image, "Team/train:v1")


def test_a_large_blob_is_sent_in_chunks_of_what_the_registry_has_not(send, registry, image):
    send(image)
    parts = [one for one in registry.asked if one.method == "PATCH"]
    assert [one.size for one in parts] == [4000, 4000, 4000, image.layers[0].size - 12_000] or len(parts) > 4
    assert [one.headers["content-range"].split("-")[0] for one in parts][:3] == ["0", "4000", "8000"]


def test_a_damaged_blob_is_not_pushed(send, registry, image):
    class Damaged:
        digest, diff_id, size = image.layers[1].digest, image.layers[1].diff_id, image.layers[1].size
        media_type = image.layers[1].media_type

        def open(self):
            raise UntrustedError(f"blob {self.digest} is damaged")

    broken = ImageValue(image.manifest, image.config, (image.layers[0], Damaged(), image.layers[2]))
    with pytest.raises(UntrustedError, match="is damaged"):
        send(broken)
    assert NAME not in registry.manifests


# ------------------------------------------------------------------------------- connections that break


def fails(*faults, method="PATCH", part="/uploads/"):
    """Let the first requests of a kind go wrong."""
    waiting = list(faults)
    return lambda asked, path: waiting.pop(0) if waiting and asked == method and part in path else None


def test_a_broken_chunk_is_gone_on_with(send, registry, registry_server, image):
    registry.trouble = fails(registry_server.Fault(), registry_server.Fault(hear=1500))
    send(image)
    assert has(registry, image)
    starts = [one.headers["content-range"].split("-")[0] for one in registry.asked if one.method == "PATCH"]
    assert starts[:3] == ["0", "4000", "5500"]


def test_where_a_registry_forgets_a_broken_upload_it_begins_again(send, registry, registry_server, image):
    registry.resumes = False
    registry.trouble = fails(registry_server.Fault(), registry_server.Fault(hear=1500))
    send(image)
    assert has(registry, image)


def test_a_registry_without_chunks_gets_one_put(send, registry, image):
    registry.chunks = False
    send(image)
    assert has(registry, image)
    assert image.layers[0].size in {one.size for one in registry.asked if one.method == "PUT"}


def test_a_limit_on_bodies_gets_smaller_chunks(send, registry, image):
    registry.largest = 2000
    send(image)
    assert has(registry, image)


def test_a_limit_that_nothing_fits_below_is_said(send, registry, image):
    registry.largest = 500
    with pytest.raises(NetworkError, match=r"could not be pushed to .*413") as caught:
        send(image)
    assert "client_max_body_size" in caught.value.hint
    assert NAME not in registry.manifests


def test_an_answer_that_was_lost_is_found_out(send, registry, registry_server, image):
    registry.trouble = fails(registry_server.Fault(mute=True), method="PUT")
    send(image)
    assert has(registry, image)


def test_what_changes_on_the_way_is_sent_again(send, registry, registry_server, image):
    registry.trouble = fails(registry_server.Fault(spoil=True))
    send(image)
    assert has(registry, image)


def test_what_always_changes_on_the_way_ends_with_its_reason(send, registry, registry_server, image):
    registry.trouble = lambda method, _: registry_server.Fault(spoil=True) if method == "PATCH" else None
    with pytest.raises(NetworkError, match="something on the way changes it"):
        send(image)
    assert NAME not in registry.manifests


def test_an_interrupted_push_tags_nothing_and_the_next_goes_on(send, registry, registry_server, image):
    registry.trouble = fails(*[registry_server.Fault(status=500)] * 9, method="PUT", part="/manifests/")
    with pytest.raises(NetworkError, match="its manifest could not be pushed") as caught:
        send(image)
    assert "push again" in caught.value.hint
    assert NAME not in registry.manifests
    registry.trouble = None
    assert not send(image).sent
    assert has(registry, image)


def test_waiting_is_as_long_as_the_registry_asks(send, registry, registry_server, image):
    busy = registry_server.Fault(status=429, headers={"Retry-After": "0"})
    registry.trouble = fails(busy, busy, method="POST")
    send(image)
    assert has(registry, image)
    registry.trouble = fails(
        *[registry_server.Fault(status=429, headers={"Retry-After": "900"})] * 9, method="POST"
    )
    with pytest.raises(NetworkError, match=r"429 .*asks to wait 900 s"):
        send(image, "team/elsewhere:v1", cache=None)


# --------------------------------------------------------------------------------------------- refusals


def test_a_repository_that_must_be_made_first(send, registry, registry_server, image):
    body = json.dumps({"errors": [{"code": "NAME_UNKNOWN", "message": "no such repository"}]}).encode()
    registry.trouble = fails(*[registry_server.Fault(status=404, body=body)] * 9, method="POST")
    with pytest.raises(NotFoundError, match="NAME_UNKNOWN: no such repository") as caught:
        send(image)
    assert f"{NAME} to be made first" in caught.value.hint


def test_a_mirror_that_takes_nothing(send, registry, registry_server, image):
    body = json.dumps({"errors": [{"code": "UNSUPPORTED"}]}).encode()
    registry.trouble = fails(*[registry_server.Fault(status=405, body=body)] * 9, method="POST")
    with pytest.raises(NetworkError, match="405") as caught:
        send(image)
    assert "takes no images" in caught.value.hint


def test_a_web_page_is_no_registry(send, registry, registry_server, image):
    page = registry_server.Fault(status=200, body=b"<html>", headers={"Content-Type": "text/html"})
    registry.trouble = lambda *_: page
    with pytest.raises(NetworkError, match=r"with a web page .*no registry"):
        send(image)


def test_another_manifest_than_was_pushed_is_never_taken(send, registry, registry_server, image):
    other = registry_server.image_of([{"evil": b"1"}])
    body = registry_server.Fault(body=other.manifest)
    registry.trouble = lambda method, path: body if method == "GET" and "/manifests/" in path else None
    with pytest.raises(UntrustedError, match=f"has {other.digest} where {image.digest} was pushed"):
        send(image)


def test_a_tag_that_somebody_else_pushed_at_the_same_moment_is_told(send, registry, registry_server, image):
    other = registry_server.image_of([{"theirs": b"1"}])
    body = registry_server.Fault(body=other.manifest)
    registry.trouble = lambda method, path: body if method == "GET" and path.endswith("/v1") else None
    with pytest.raises(NetworkError, match="the tag is"):
        send(image)


# ----------------------------------------------------------------------------------------------- logins

LOGIN = ("me", "hush hush")


@pytest.fixture
def login(registry, docker_config):
    registry.login, registry.scheme = LOGIN, "bearer"
    return docker_config({"auths": {registry.host: {"username": LOGIN[0], "password": LOGIN[1]}}})


def test_one_token_is_asked_for_reading_and_writing(send, registry, login, image):
    send(image, environ=login)
    assert has(registry, image)
    asked = registry.paths("/token")
    assert asked
    assert all("pull%2Cpush" in path for path in asked)


def test_a_token_that_ends_in_the_middle_is_renewed(send, registry, registry_server, login, image):
    challenge = {
        "WWW-Authenticate": f'Bearer realm="http://{registry.host}/token",scope="repository:{NAME}:push"'
    }
    registry.trouble = fails(registry_server.Fault(), registry_server.Fault(status=401, headers=challenge))
    send(image, environ=login)
    assert has(registry, image)


def test_a_login_that_may_only_read_is_told_so(send, registry, login, image):
    registry.reader = True
    with pytest.raises(NetworkError, match="may not write there") as caught:
        send(image, environ=login)
    assert caught.value.hint.endswith(f"docker login {registry.host}")
    assert LOGIN[1] not in str(caught.value)


def test_nobody_is_logged_in(send, registry, image):
    registry.login = LOGIN
    with pytest.raises(NetworkError, match="nobody is logged in"):
        send(image)


def test_uploads_at_another_server_are_sent_there_without_the_login(
    send, registry, registry_server, login, image
):
    with registry_server.serve() as storage:
        storage.uploads, storage.blobs = registry.uploads, registry.blobs
        registry.uploads_at = f"http://{storage.host}"
        storage.uploads_at = f"http://{storage.host}"
        send(image, environ=login)
        assert has(registry, image)
        assert any(one.method == "PATCH" for one in storage.asked)
        assert not any("authorization" in one.headers for one in storage.asked)


def test_redirected_uploads_go_without_the_login(send, registry, registry_server, login, image):
    with registry_server.serve() as storage:
        storage.uploads, storage.blobs = registry.uploads, registry.blobs

        def away(method, path):
            if method in {"PATCH", "PUT"} and "/uploads/" in path:
                location = {"Location": f"http://{storage.host}{path}?digest="}
                return registry_server.Fault(status=307, headers=location)
            return None

        registry.trouble = away
        with pytest.raises(NetworkError):  # the redirect loses the digest; what counts is what was shown
            send(image, environ=login)
        assert storage.asked
        assert not any("authorization" in one.headers for one in storage.asked)


def test_no_message_has_a_password_a_token_or_a_signature(send, registry, registry_server, login, image):
    said = []

    class Told:
        def task(self, description, total=None):  # noqa: ARG002 - the interface
            said.append(description)
            return self

        def advance(self, amount):
            pass

        def finish(self):
            pass

        def note(self, text):
            said.append(text)

        warn = note

    echo = json.dumps(
        {"errors": [{"code": "DENIED", "message": "Authorization: Bearer writer for hush hush"}]}
    ).encode()
    registry.trouble = lambda method, _: (
        registry_server.Fault(status=500, body=echo) if method == "PATCH" else None
    )
    with pytest.raises(NetworkError) as caught:
        send(image, environ=login, progress=Told())
    text = " ".join([*said, caught.value.message, caught.value.hint, *caught.value.details])
    assert "DENIED" in text
    for secret in ("hush", "writer", "_state", "Basic"):
        assert secret not in text


# ------------------------------------------------------------------------------------- whatever happens


def troubles(registry_server, seed):
    """A registry and a network that do anything, now and then."""
    chance = random.Random(seed)
    rate = chance.choice([0.05, 0.15, 0.3, 0.6])
    fault = registry_server.Fault
    kinds = [
        lambda: fault(hear=chance.randrange(3000)),
        lambda: fault(mute=True),
        lambda: fault(spoil=True),
        lambda: fault(flip=True),
        lambda: fault(cut=chance.randrange(20)),
        lambda: fault(delay=0.01),
        lambda: fault(status=429, headers={"Retry-After": "0"}),
        lambda: fault(status=chance.choice([500, 502, 503, 504])),
        lambda: fault(status=401),
        lambda: fault(status=200, body=b"<html>", headers={"Content-Type": "text/html"}),
        lambda: fault(status=307, headers={"Location": "http://127.0.0.1:9/away"}),
        lambda: fault(status=404),
        lambda: fault(status=413),
    ]
    left = chance.randrange(1, 12)

    def happen(_method, path):
        nonlocal left
        if path == "/token" or not left or chance.random() > rate:
            return None
        left -= 1
        return chance.choice(kinds)()

    return happen


@pytest.mark.parametrize("block", range(10))
def test_whatever_happens_the_tag_is_right_or_is_not_there(
    registry_server, connect, image, docker_config, block
):
    other = registry_server.image_of([{"before": b"1"}])
    for seed in range(block * 20, block * 20 + 20):
        with registry_server.serve() as registry:
            registry.push(other, NAME, "v1")
            registry.login, registry.scheme = LOGIN, "bearer"
            registry.resumes = seed % 2 == 0
            environ = docker_config({"auths": {registry.host: {"username": LOGIN[0], "password": LOGIN[1]}}})
            registry.trouble = troubles(registry_server, seed)
            said = outcome(push, image, f"{registry.host}/{NAME}:v1", registries=connect(**environ))
            now = registry.manifests[NAME]["v1"][1]
            # An error with the tag moved: only where the answer to the last step was lost.
            assert now == image.manifest or (said and now == other.manifest)
            assert now == other.manifest or has(registry, image)
            assert not said or registry.host in said
            assert LOGIN[1] not in said
            for held in registry.blobs.values():
                assert all(str(Digest.of(blob)) == digest for digest, blob in held.items())


def outcome(do, *arguments, **keywords):
    """What an error says, all of it; empty where there is none."""
    try:
        do(*arguments, **keywords)
    except EnvfreezeError as error:
        return " ".join([error.message, error.hint, *error.details])
    return ""
