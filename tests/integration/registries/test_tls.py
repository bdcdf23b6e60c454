"""A real registry with a certificate of an authority of its own, on loopback, as a team has it."""

from __future__ import annotations

import json
import shutil

import pytest


@pytest.fixture(scope="module")
def certified(certify, tmp_path_factory):
    return certify(tmp_path_factory.mktemp("tls") / "server")


@pytest.fixture(scope="module")
def secure(registry_at, certified, tmp_path_factory):
    """A registry that speaks TLS and wants a login."""
    folder = tmp_path_factory.mktemp("secure")
    with registry_at(folder, private=True, tls=(certified.certificate, certified.key)) as served:
        yield served


@pytest.mark.network
def test_who_believes_the_authority_pushes_and_builds_and_who_does_not_is_told_where_it_goes(
    digits, envfreeze, secure, certified, skopeo, run, tmp_path, big
):
    root = tmp_path / "digits"
    shutil.copytree(digits.root, root, ignore=shutil.ignore_patterns(".envfreeze"))
    login = secure.config(tmp_path / "login")
    config = {**login, "XDG_CONFIG_HOME": str(tmp_path / "config")}
    push = ("--json", "build", "--no-record", "--push", f"{secure.host}/team/digits:v1")
    ended = envfreeze.end(*push, at=root, env=config)
    assert ended.code == 4
    assert f"{secure.host}: its certificate is not trusted" in ended.err
    folder = tmp_path / "config/containers/certs.d" / secure.host
    assert f"{folder}/ca.crt" in ended.err
    folder.mkdir(parents=True)
    shutil.copy(certified.authority, folder / "ca.crt")
    pushed = json.loads(envfreeze(*push, at=root, env=config))
    assert pushed["digest"] == digits.digest
    # On an empty machine, and by somebody else's program that reads the same folder's kind.
    again = (*push[:-1], f"{secure.host}/team/digits:v2", "--cache-from", f"{secure.host}/team/digits:v1")
    document = json.loads(envfreeze(*again, at=root, env=config, cache=big / "tls-cache"))
    assert (document["digest"], document["layers_built"]) == (digits.digest, 0)
    said = run(
        *(
            skopeo,
            "inspect",
            "--cert-dir",
            str(folder),
            "--authfile",
            f"{login['DOCKER_CONFIG']}/config.json",
        ),
        f"docker://{secure.host}/team/digits:v2",
    )
    assert json.loads(said)["Digest"] == digits.digest
    assert "hush-hush" not in ended.err


@pytest.mark.network
def test_the_variable_of_all_programs_names_an_authority_too(digits, envfreeze, secure, certified, tmp_path):
    root = tmp_path / "digits"
    shutil.copytree(digits.root, root, ignore=shutil.ignore_patterns(".envfreeze"))
    config = {**secure.config(tmp_path / "login"), "SSL_CERT_FILE": str(certified.authority)}
    push = ("build", "--no-record", "--push", f"{secure.host}/team/variable:v1")
    assert envfreeze(*push, at=root, env=config) == digits.digest
