"""Signing as whom a token names, by the true library against an instance on loopback."""

from __future__ import annotations

import base64
import json
import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from envfreeze.errors import MachineError, NetworkError, UntrustedError, UsageError
from envfreeze.records.trust import bundle, keyless, roots
from envfreeze.records.trust.identities import Certified
from envfreeze.records.trust.keyless import Keyless
from envfreeze.records.trust.tokens import Source

STATEMENT = (
    b'{"_type":"https://in-toto.io/Statement/v1","predicate":{},"predicateType":"x",'
    b'"subject":[{"digest":{"sha256":"aa"}}]}'
)
WORKFLOW = "https://ci.example.org/team/train"
CERTIFY, ENTER = "/api/v2/signingCert", "/api/v1/log/entries"


@pytest.fixture
def instance(sigstore_instance):
    with sigstore_instance.serve() as served:
        yield served


@pytest.fixture
def config(instance, tmp_path):
    return instance.write(tmp_path).config


def signing(config, token):
    return Keyless(config, Source(environ={"SIGSTORE_ID_TOKEN": token}))


def told(error):
    return "\n".join((error.message, error.hint, *error.details))


def quotes(text, token):
    """Whether a text has a part of a token in it."""
    return any(part in text for part in token.split("."))


@pytest.mark.parametrize("rekor", [1, 2])
def test_what_is_signed_verifies_and_says_who_signed(sigstore_instance, rekor, tmp_path, caplog):
    with sigstore_instance.serve(rekor) as instance:
        files = instance.write(tmp_path)
        token = instance.token("ada@example.org")
        made = signing(files.config, token).sign(STATEMENT)
        asked = len(instance.seen)
        read = bundle.verify(made.render(), roots.read_root(files.root), "it")
        assert len(instance.seen) == asked  # nobody is asked
    assert read == made
    assert read.payload == STATEMENT
    assert read.signer == Certified("https://login.example.org", "ada@example.org")
    document = json.loads(made.content)
    assert document["mediaType"] == bundle.MEDIA_TYPE == made.media_type
    assert base64.b64decode(document["dsseEnvelope"]["payload"]) == STATEMENT
    assert not quotes(made.content.decode() + caplog.text + repr(made), token)


def test_the_same_is_found_again_by_whom_it_was_signed(instance, config):
    ours = signing(config, instance.token(WORKFLOW))
    made = ours.sign(STATEMENT)
    assert ours.made_before(made.content) == made
    assert signing(config, instance.token("https://ci.example.org/other")).made_before(made.content) is None
    assert ours.made_before(made.content.replace(b'"payload":"', b'"payload":"AAAA')) is None


# ----------------------------------------------------------------------------------------------- tokens


def test_the_token_of_a_file_comes_first_and_is_read_anew(instance, config, tmp_path):
    file = tmp_path / "token"
    who = Keyless(config, Source(file, {"SIGSTORE_ID_TOKEN": instance.token("other@example.org")}))
    for subject in ("ada@example.org", "bob@example.org"):
        file.write_text(instance.token(subject) + "\n")
        assert who.sign(STATEMENT).signer.subject == subject
    file.unlink()
    with pytest.raises(UsageError, match="there is no identity token"):
        who.sign(STATEMENT)
    file.mkdir()
    with pytest.raises(MachineError, match="cannot be read"):
        who.sign(STATEMENT)


def test_a_pipe_gives_its_token_once_and_it_is_used_twice(instance, config):
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        stream.write(instance.token("ada@example.org"))
    who = Keyless(config, Source(Path(f"/dev/fd/{reading}"), {}))
    who.check()
    os.close(reading)
    assert who.sign(STATEMENT).signer.subject == "ada@example.org"
    assert "eyJ" not in repr(who)


@pytest.mark.usefixtures("_nowhere")
def test_without_an_identity_it_is_said_what_to_do(config):
    with pytest.raises(UsageError, match="no identity") as caught:
        signing(config, "").check()
    assert "SIGSTORE_ID_TOKEN" in caught.value.hint
    assert "--key" in caught.value.hint


@pytest.mark.usefixtures("_nowhere")
def test_in_gitlab_it_is_said_what_the_job_lacks(config, monkeypatch):
    monkeypatch.setenv("GITLAB_CI", "true")
    monkeypatch.delenv("SIGSTORE_ID_TOKEN", raising=False)
    with pytest.raises(UsageError, match="SIGSTORE_ID_TOKEN") as caught:
        signing(config, "").check()
    assert "id_tokens" in caught.value.hint


@pytest.mark.usefixtures("_nowhere")
@pytest.mark.parametrize(
    ("variable", "program"), [("CIRCLECI", "circleci"), ("BUILDKITE", "buildkite-agent")]
)
def test_what_a_failing_program_of_the_ci_says_is_not_quoted(
    instance, config, variable, program, monkeypatch, tmp_path
):
    token = instance.token("ada@example.org")
    (tmp_path / program).write_text(f"#!/bin/sh\necho '{token}' | tee /dev/stderr\nexit 1\n")
    (tmp_path / program).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv(variable, "true")
    with pytest.raises(NetworkError, match="encountered an error") as caught:
        signing(config, "").check()
    assert not quotes(told(caught.value), token)


@pytest.fixture
def _nowhere(monkeypatch):
    """No CI whose identity could be asked for."""
    for name in ("GITHUB_ACTIONS", "GITLAB_CI", "CIRCLECI", "BUILDKITE", "GOOGLE_SERVICE_ACCOUNT_NAME"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    "claims",
    [{"aud": "somebody"}, {"exp": int(time.time()) - 60}, {"nbf": int(time.time()) + 600}, {"sub": None}],
    ids=["of another audience", "expired", "too early", "without a subject"],
)
def test_a_token_that_will_not_do_is_refused_and_not_quoted(instance, config, claims):
    token = instance.token("ada@example.org", **claims)
    with pytest.raises(UsageError, match="SIGSTORE_ID_TOKEN is no identity token") as caught:
        signing(config, token).check()
    assert not quotes(told(caught.value), token)
    assert CERTIFY not in instance.seen


@pytest.mark.parametrize("claims", [{"iss": {}}, {"nbf": "1"}, {"exp": str(int(time.time()) + 60)}])
def test_claims_of_other_types_are_refused(sigstore_instance, instance, config, claims):
    token = instance.token("ada@example.org", key=sigstore_instance.Key())
    head, _, sealed = token.split(".")
    said = {"iss": "x", "sub": "x", "aud": "sigstore", "iat": 1, "exp": int(time.time()) + 60} | claims
    body = base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=")
    with pytest.raises(UsageError, match="SIGSTORE_ID_TOKEN is no identity token"):
        signing(config, f"{head}.{body}.{sealed}").check()


def test_a_token_on_the_command_line_is_not_quoted(instance, config):
    token = instance.token("ada@example.org")
    with pytest.raises(UsageError, match="itself") as caught:
        Keyless(config, Source(Path(token), {})).check()
    assert not quotes(told(caught.value), token)


def test_what_is_no_token_is_not_quoted(config):
    with pytest.raises(UsageError) as caught:
        signing(config, "hush-hush").check()
    assert "hush" not in told(caught.value)


def test_github_gives_the_workflow_s_identity(instance, config, monkeypatch):
    for name, value in instance.ambient("team/train/.github/workflows/ci.yml@refs/heads/main").items():
        monkeypatch.setenv(name, value)
    made = Keyless(config, Source(environ={})).sign(STATEMENT)
    assert made.signer.issuer == "https://token.actions.githubusercontent.com"
    assert made.signer.subject == "https://github.com/team/train/.github/workflows/ci.yml@refs/heads/main"
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "another")
    with pytest.raises(NetworkError, match="does not give an identity token"):
        Keyless(config, Source(environ={})).check()
    instance.faults["/actions"] = lambda _: (500, b"hush-hush")
    with pytest.raises(NetworkError) as caught:
        Keyless(config, Source(environ={})).check()
    assert "hush" not in told(caught.value)
    monkeypatch.delenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
    with pytest.raises(UsageError, match="may not ask") as caught:
        Keyless(config, Source(environ={})).check()
    assert "id-token: write" in caught.value.hint


# ---------------------------------------------------------------------------------------------- servers


def test_a_refusal_is_told_without_the_token_that_it_quotes(instance, config, sigstore_instance):
    token = instance.token("ada@example.org", key=sigstore_instance.Key())
    with pytest.raises(NetworkError, match="signingCert refuses: HTTP 401") as caught:
        signing(config, token).sign(STATEMENT)
    assert not quotes(told(caught.value), token)
    instance.faults[CERTIFY] = lambda _: (400, b'{"code": 3, "message": "no identities\\nof this kind"}')
    with pytest.raises(NetworkError, match="HTTP 400, no identities of this kind"):
        signing(config, instance.token("ada@example.org")).sign(STATEMENT)
    instance.faults[CERTIFY] = lambda _: (400, b'{"code": 3, "message": "\\u001b[2J"}')
    with pytest.raises(NetworkError, match=r"HTTP 400$"):
        signing(config, instance.token("ada@example.org")).sign(STATEMENT)


@pytest.mark.parametrize("path", [CERTIFY, ENTER])
@pytest.mark.parametrize("answer", [b"", b"{}", b"[]", b'{"a": {}}', b"<html>"])
def test_an_answer_that_is_none_is_told(instance, config, path, answer):
    instance.faults[path] = lambda _: (200, answer)
    with pytest.raises(NetworkError, match="is not understood"):
        signing(config, instance.token("ada@example.org")).sign(STATEMENT)


def test_a_log_that_fails_is_told(instance, config):
    instance.faults[ENTER] = lambda _: (503, b"busy")
    with pytest.raises(NetworkError, match="log/entries refuses: HTTP 503"):
        signing(config, instance.token("ada@example.org")).sign(STATEMENT)


def test_a_timestamp_that_is_not_given_is_told(sigstore_instance, tmp_path):
    warnings = []
    told_to = SimpleNamespace(warn=warnings.append)
    with sigstore_instance.serve(2) as instance:
        config = instance.write(tmp_path).config
        instance.faults["/timestamp"] = lambda _: (503, b"")
        with pytest.raises(NetworkError, match="did not give all that a signature needs"):
            signing(config, instance.token("ada@example.org")).sign(STATEMENT, told_to)
    (warning,) = warnings
    assert "Unable to use" in warning


def test_a_server_that_is_not_there_is_told(sigstore_instance, tmp_path):
    with sigstore_instance.serve() as instance:
        config = instance.write(tmp_path).config
        token = instance.token("ada@example.org")
    with pytest.raises(NetworkError, match="signingCert cannot be reached") as caught:
        signing(config, token).sign(STATEMENT)
    assert "--trust-config" in caught.value.hint


def test_a_server_that_says_nothing_is_not_waited_for_for_ever(instance, config, monkeypatch):
    monkeypatch.setattr(keyless, "PATIENCE", 0.2)
    instance.faults[CERTIFY] = lambda _: (time.sleep(0.5), (200, b"{}"))[1]
    with pytest.raises(NetworkError, match="have not answered"):
        signing(config, instance.token("ada@example.org")).sign(STATEMENT)
    time.sleep(0.5)  # until the server is done


@pytest.mark.parametrize("whose", ["log", "authority", "transparency log"])
def test_what_the_configuration_does_not_trust_is_not_given_out(instance, config, sigstore_instance, whose):
    match whose:
        case "log":
            instance.authority.log = sigstore_instance.Key()
        case "authority":
            instance.authority = sigstore_instance.Authority()
        case _:
            instance.logs[1] = sigstore_instance.Log("rekor.example.org - 1")
    with pytest.raises(UntrustedError):
        signing(config, instance.token("ada@example.org")).sign(STATEMENT)


# -------------------------------------------------------------------------------------------- the files


def in_snake_case(document):
    """The names of the format's other form, which the library reads as well."""
    servers = document.pop("signingConfig")
    servers["ca_urls"] = servers.pop("caUrls")
    servers["ca_urls"][0]["url"] = "http://user:hush@fulcio.example.org"
    document["signing_config"] = servers


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (lambda it: it.clear(), UsageError, "no trust configuration"),
        (lambda it: it.update(mediaType="x"), UsageError, "no trust configuration"),
        (lambda it: it["signingConfig"].update(caUrls=[]), UntrustedError, "malformed"),
        (lambda it: it.pop("signingConfig"), UntrustedError, "malformed"),
        (lambda it: it["trustedRoot"].update(mediaType="x"), UntrustedError, "malformed"),
        (
            lambda it: it["signingConfig"]["caUrls"][0].update(url="http://fulcio.example.org"),
            UsageError,
            "identities are sent to https alone",
        ),
        (
            lambda it: it["signingConfig"]["caUrls"][0].update(url="http://["),
            UsageError,
            "identities are sent to https alone",
        ),
        (in_snake_case, UsageError, "has http://fulcio.example.org for a certificate authority"),
    ],
)
def test_a_configuration_that_is_wrong_is_named(instance, config, change, error, said):
    document = json.loads(config.read_text())
    change(document)
    config.write_text(json.dumps(document))
    with pytest.raises(error, match=said) as caught:
        signing(config, instance.token("ada@example.org")).check()
    assert str(config) in caught.value.message


def test_a_root_is_read_by_itself_and_out_of_a_configuration(instance, config, tmp_path):
    made = signing(config, instance.token(WORKFLOW)).sign(STATEMENT)
    for path in (config, tmp_path / "trusted-root.json"):
        assert bundle.verify(made.content, roots.read_root(path), "it") == made
    (tmp_path / "other").write_text('{"mediaType": "x"}')
    with pytest.raises(UsageError, match="no trusted root"):
        roots.read_root(tmp_path / "other")
    (tmp_path / "other").write_text('{"mediaType": "application/vnd.dev.sigstore.trustedroot+json"}')
    with pytest.raises(UntrustedError, match="malformed"):
        roots.read_root(tmp_path / "other")
    with pytest.raises(UsageError, match="there is no"):
        roots.read_root(tmp_path / "absent")


def test_the_public_root_comes_with_the_library(tmp_path, isolated):
    assert isolated in tmp_path.parents or isolated.exists()
    assert roots.public(offline=True).trusted_root.get_fulcio_certs()


@pytest.mark.usefixtures("config")
def test_without_the_library_it_is_said_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "sigstore", None)
    for call in (
        Source(environ={}).find,
        roots.public,
        lambda: roots.read_root(tmp_path / "trusted-root.json"),
    ):
        with pytest.raises(MachineError, match="library sigstore") as caught:
            call()
        assert caught.value.hint == 'pip install "envfreeze[sigstore]"'
