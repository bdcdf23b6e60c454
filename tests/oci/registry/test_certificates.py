"""Registries whose certificates an authority of their own has signed; on loopback, too."""

from __future__ import annotations

import shutil
import socket
import ssl

import pytest

from envfreeze.errors import MachineError, NetworkError
from envfreeze.oci.platform import Platform
from envfreeze.oci.registry import resolve
from envfreeze.oci.registry.certificates import Certificates
from envfreeze.oci.registry.push import push
from envfreeze.oci.registry.scheme import speaks_tls

AMD64 = Platform("linux", "amd64")
LOGIN = ("me", "hush hush")


@pytest.fixture(scope="module")
def certified(certify, tmp_path_factory):
    return certify(tmp_path_factory.mktemp("certificates") / "server")


def believe(certified, folder):
    folder.mkdir(parents=True)
    shutil.copy(certified.authority, folder / "ca.crt")


@pytest.fixture
def tls(certified):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certified.certificate, certified.key)
    return context


@pytest.fixture
def registry(registry_server, tls):
    with registry_server.serve(tls) as served:
        yield served


@pytest.fixture
def image(registry_server):
    return registry_server.image_of([{"etc/a": b"a"}, {"etc/b": b"b" * 100_000}])


@pytest.fixture(params=[".config/containers", ".config/docker", ".docker"])
def trusted(request, registry, certified, tmp_path):
    """Put the authority where Podman, Docker without root, or Docker on a desktop looks; the environment."""
    believe(certified, tmp_path / "home" / request.param / "certs.d" / registry.host)
    return {"HOME": str(tmp_path / "home")}


def test_what_is_signed_by_the_registry_s_own_authority_is_believed(trusted, registry, connect, image, cache):
    registries = connect(**trusted)
    push(image, f"{registry.host}/team/train:v1", registries=registries)
    pulled = resolve(f"{registry.host}/team/train:v1", AMD64, registries=registries, cache=cache)
    for got, wanted in zip(pulled.image.layers, image.layers, strict=True):
        assert got.open().read() == wanted.blob


def test_without_the_authority_nothing_is_sent_and_the_place_for_it_is_named(
    registry, connect, image, tmp_path
):
    registry.login = LOGIN
    home = tmp_path / "home"
    for do in (
        lambda registries: push(image, f"{registry.host}/team/train:v1", registries=registries),
        lambda registries: resolve(f"{registry.host}/team/train:v1", AMD64, registries=registries),
    ):
        with pytest.raises(NetworkError, match="its certificate is not trusted: ") as caught:
            do(connect(HOME=str(home)))
        assert f"{home}/.config/containers/certs.d/{registry.host}/ca.crt" in caught.value.hint
        assert f"/etc/docker/certs.d/{registry.host}" in caught.value.hint
    assert not registry.asked


def test_another_registry_s_authority_is_not_believed_here(registry, certified, connect, image, tmp_path):
    believe(certified, tmp_path / "home/.docker/certs.d/registry.example.org")
    with pytest.raises(NetworkError, match="not trusted"):
        push(image, f"{registry.host}/team/train:v1", registries=connect(HOME=str(tmp_path / "home")))


def test_the_token_server_s_certificate_is_its_own(
    registry, registry_server, tls, certified, connect, image, docker_config, tmp_path
):
    """Its host's folder counts, not the registry's."""
    certs = tmp_path / "home/.config/containers/certs.d"
    believe(certified, certs / registry.host)
    with registry_server.serve(tls) as tokens:
        registry.login = tokens.login = LOGIN
        registry.scheme, registry.realm = "bearer", f"{tokens.url}/token"
        environ = docker_config({"auths": {registry.host: {"username": LOGIN[0], "password": LOGIN[1]}}})
        environ |= {"HOME": str(tmp_path / "home")}
        with pytest.raises(NetworkError, match=r"its token server .* certificate is not trusted") as caught:
            push(image, f"{registry.host}/team/train:v1", registries=connect(**environ))
        assert tokens.host in caught.value.hint
        believe(certified, certs / tokens.host)
        push(image, f"{registry.host}/team/train:v1", registries=connect(**environ))


def test_a_certificate_of_one_s_own_is_shown(registry_server, certify, certified, connect, image, tmp_path):
    mine = certify(tmp_path / "mine")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certified.certificate, certified.key)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(mine.authority)
    with registry_server.serve(context) as registry:
        folder = tmp_path / "home/.config/containers/certs.d" / registry.host
        believe(certified, folder)
        with pytest.raises(NetworkError, match="wants to be shown a certificate"):
            push(image, f"{registry.host}/a/b:1", registries=connect(HOME=str(tmp_path / "home")))
        shutil.copy(mine.certificate, folder / "client.cert")
        shutil.copy(mine.key, folder / "client.key")
        push(image, f"{registry.host}/a/b:1", registries=connect(HOME=str(tmp_path / "home")))
        assert registry.manifests["a/b"]["1"][1] == image.manifest


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"ca.crt": "nonsense"}, r"ca\.crt cannot be read: it is not PEM"),
        ({"client.cert": "x"}, r"client\.cert has no client\.key beside it"),
        ({"client.cert": "x", "client.key": "y"}, r"client\.cert cannot be read"),
    ],
)
def test_a_certificate_that_cannot_be_used_is_named(tmp_path, files, words):
    folder = tmp_path / ".docker/certs.d/registry.example.org"
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    with pytest.raises(MachineError, match=words):
        Certificates({"HOME": str(tmp_path)}).of("registry.example.org")


def test_a_registry_without_a_folder_has_the_usual_certificates(tmp_path):
    assert Certificates({"HOME": str(tmp_path)}).of("registry.example.org") is None
    assert Certificates({}).of("registry.example.org") is None


# ------------------------------------------------------------------------------------- TLS on loopback


def test_tls_on_loopback_is_found_out(registry, registry_server):
    assert speaks_tls(registry.host)
    with registry_server.serve() as plain:
        assert not speaks_tls(plain.host)
        assert not plain.asked


def test_nobody_there_and_somebody_who_says_nothing_are_taken_for_plain_http(monkeypatch):
    monkeypatch.setattr("envfreeze.oci.registry.scheme._PATIENCE_SECONDS", 0.2)
    assert not speaks_tls("127.0.0.1:9")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert not speaks_tls(f"127.0.0.1:{silent.getsockname()[1]}")
