"""Logins are those that docker and podman know, and are shown to nobody else."""

from __future__ import annotations

import base64
import json
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envfreeze.errors import MachineError, NetworkError, UsageError
from envfreeze.oci.platform import Platform
from envfreeze.oci.registry import challenge, credentials, resolve

AMD64 = Platform("linux", "amd64")
ADA = ("ada", "pass:word")


def encoded(login):
    return base64.b64encode(":".join(login).encode()).decode()


@pytest.fixture
def private(registry_server, registry):
    """A registry with an image that only Ada may read; gives a way to pull it from end to end."""
    registry.login = ADA
    registry.push(registry_server.image_of([{"a": b"a"}]), "team/base", "1")

    def pull(registries, cache):
        image = resolve(f"{registry.host}/team/base:1", AMD64, registries=registries, cache=cache).image
        with image.layers[0].open() as blob:
            return blob.read()

    return pull


@pytest.mark.parametrize("scheme", ["basic", "bearer"])
@pytest.mark.parametrize("written", ["auth", "username"])
def test_a_login_of_docker_opens_the_door(registry, private, connect, cache, docker_config, scheme, written):
    registry.scheme = scheme
    entry = {"auth": encoded(ADA)} if written == "auth" else {"username": ADA[0], "password": ADA[1]}
    environ = docker_config({"auths": {registry.host: entry}})
    assert private(connect(**environ), cache)


def test_an_identity_token_is_traded_for_an_access_token(registry, private, connect, cache, docker_config):
    registry.scheme = "oauth"
    environ = docker_config(
        {"auths": {registry.host: {"auth": encoded(("ada", "")), "identitytoken": "refresh"}}}
    )
    assert private(connect(**environ), cache)


def test_podmans_file_is_read_too(registry, private, connect, cache, tmp_path):
    path = tmp_path / "auth.json"
    path.write_text(json.dumps({"auths": {registry.host: {"auth": encoded(ADA)}}}))
    assert private(connect(REGISTRY_AUTH_FILE=str(path)), cache)


@pytest.mark.parametrize("key", ["credHelpers", "credsStore"])
def test_a_credential_helper_is_asked(
    registry, private, connect, cache, docker_config, tmp_path, monkeypatch, key
):
    helper = tmp_path / "docker-credential-tests"
    answer = json.dumps({"ServerURL": registry.host, "Username": ADA[0], "Secret": ADA[1]})
    check = f'[ "$1 $key" = "get {registry.host}" ] || exit 1'
    helper.write_text(f"#!/bin/sh\nread key\n{check}\necho '{answer}'\n")
    helper.chmod(helper.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    document = {"credHelpers": {registry.host: "tests"}} if key == "credHelpers" else {"credsStore": "tests"}
    assert private(connect(**docker_config(document)), cache)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo credentials not found in native keychain; exit 1", None),
        ("exit 3", "failed"),
        ("echo nonsense", "gave no login"),
        (None, "is not installed"),
    ],
)
def test_a_helper_that_fails_is_named(docker_config, tmp_path, monkeypatch, script, words):
    if script is not None:
        helper = tmp_path / "docker-credential-tests"
        helper.write_text(f"#!/bin/sh\n{script}\n")
        helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    environ = docker_config({"credHelpers": {"registry.example.org": "tests"}})
    if words is None:
        assert credentials.find("registry.example.org", environ) is None
        return
    with pytest.raises(MachineError, match=words):
        credentials.find("registry.example.org", environ)


def test_a_token_is_asked_for_once(registry, private, connect, cache, docker_config):
    registry.scheme = "bearer"
    registries = connect(**docker_config({"auths": {registry.host: {"auth": encoded(ADA)}}}))
    private(registries, cache)
    resolve(f"{registry.host}/team/base:1", AMD64, registries=registries)
    assert len(registry.paths("/token")) == 1


def test_an_expired_token_is_asked_for_again(registry, private, connect, docker_config, cache):
    registry.scheme, registry.seconds = "bearer", 1
    registries = connect(**docker_config({"auths": {registry.host: {"auth": encoded(ADA)}}}))
    private(registries, cache)
    registries._door._headers = {key: (header, 0.0) for key, (header, _) in registries._door._headers.items()}
    resolve(f"{registry.host}/team/base:1", AMD64, registries=registries)
    assert len(registry.paths("/token")) == 2


def test_anonymous_tokens_open_what_everybody_may_read(registry_server, registry, connect):
    registry.push(registry_server.image_of([{"a": b"a"}]), "team/base", "1")
    realm = f"http://{registry.host}/token"
    challenged = {"WWW-Authenticate": f'Bearer realm="{realm}",scope="repository:team/base:pull"'}
    registry.faults["/v2/team/base/manifests/1"] = [registry_server.Fault(status=401, headers=challenged)]
    assert resolve(f"{registry.host}/team/base:1", AMD64, registries=connect())
    assert not any("authorization" in one.headers for one in registry.asked if one.path.startswith("/token"))


@pytest.mark.parametrize("scheme", ["basic", "bearer"])
def test_without_a_login_or_with_a_wrong_one_the_error_says_what_to_type(
    registry, private, connect, cache, docker_config, scheme
):
    registry.scheme = scheme
    with pytest.raises(NetworkError, match="401") as caught:
        private(connect(), cache)
    assert "docker login" in caught.value.hint
    wrong = docker_config({"auths": {registry.host: {"auth": encoded(("ada", "sesame"))}}})
    with pytest.raises(NetworkError, match="401") as caught:
        private(connect(**wrong), cache)
    said = f"{caught.value.message} {caught.value.hint} {caught.value.details}"
    assert "sesame" not in said
    assert encoded(("ada", "sesame")) not in said


def test_credentials_do_not_follow_a_redirect(
    registry_server, registry, private, connect, cache, docker_config
):
    with registry_server.serve() as elsewhere:
        elsewhere.blobs["team/base"] = registry.blobs["team/base"]
        registry.elsewhere = f"http://{elsewhere.host}"
        registries = connect(**docker_config({"auths": {registry.host: {"auth": encoded(ADA)}}}))
        assert private(registries, cache)
        assert elsewhere.asked
        assert not any("authorization" in one.headers for one in elsewhere.asked)


def test_a_login_is_not_shown_to_a_mirror(registry_server, registry, private, connect, cache, docker_config):
    with registry_server.serve() as mirror:
        mirror.login = ("someone", "else")
        registries = connect(
            {registry.host: (mirror.host,)},
            **docker_config({"auths": {registry.host: {"auth": encoded(ADA)}}}),
        )
        assert private(registries, cache)
        assert mirror.asked
        assert not any("authorization" in one.headers for one in mirror.asked)


@pytest.mark.parametrize("text", ["{", "[]", '{"auths": {"r.example.org": {"auth": "%%%"}}}'])
def test_a_broken_config_is_named_and_not_shown(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(UsageError, match=r"config\.json") as caught:
        credentials.find("r.example.org", {"DOCKER_CONFIG": str(tmp_path)})
    assert "%%%" not in caught.value.message


def test_the_hub_is_known_by_its_old_address(docker_config):
    environ = docker_config({"auths": {"https://index.docker.io/v1/": {"auth": encoded(ADA)}}})
    login = credentials.find("docker.io", environ)
    assert login is not None
    assert (login.user, login.password) == ADA
    assert "pass" not in repr(login)


def test_challenges_are_read_as_servers_write_them():
    found = challenge.parse(
        [
            'Basic realm="a, \\"b\\"", Bearer realm="https://t.example.org/token",service=r,scope="x:y:pull"',
            "Negotiate",
        ]
    )
    assert [one.scheme for one in found] == ["basic", "bearer", "negotiate"]
    assert found[0].parameters == {"realm": 'a, "b"'}
    assert found[1].parameters == {
        "realm": "https://t.example.org/token",
        "service": "r",
        "scope": "x:y:pull",
    }


@given(st.lists(st.text()))
def test_no_challenge_is_too_strange_to_read(headers):
    challenge.parse(headers)
