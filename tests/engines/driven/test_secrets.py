"""`--secret` and `--ssh` as `docker build` reads them, and nothing of a secret in what is said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envfreeze.engines.driven.secrets import hidden, parse_secret, parse_ssh
from envfreeze.errors import UsageError


def test_a_file(tmp_path):
    (tmp_path / "token").write_text("s3cret\n")

    found = parse_secret(f"id=token,src={tmp_path}/token", {})

    assert found.spec == f"id=token,src={tmp_path}/token"
    assert found.value == "s3cret\n"


@pytest.mark.parametrize(
    "text", ["id=token,env=TOKEN", "type=env,id=token,env=TOKEN", "ID=token,type=env,source=TOKEN"]
)
def test_a_variable(text):
    assert parse_secret(text, {"TOKEN": "s3cret"}).spec == "id=token,env=TOKEN"


def test_a_bare_id_is_a_variable_else_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "TOKEN").write_text("of the file")

    assert parse_secret("id=TOKEN", {"TOKEN": "of the variable"}).value == "of the variable"
    assert parse_secret("id=TOKEN", {}).value == "of the file"


def test_a_path_with_a_comma_is_quoted(tmp_path):
    (tmp_path / "a,b").write_text("s3cret")

    assert parse_secret(f'id=x,"src={tmp_path}/a,b"', {}).value == "s3cret"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("token", "it has a part that is no KEY=VALUE"),
        ("src=x", "it has no id"),
        ("id=../x", "it has no id"),
        ("id=x,src=a,env=B", "it has a src and an env"),
        ("id=x,type=socket", "its type is neither file nor env"),
        ("id=x,id=y", "'id' has no meaning there"),
        ("id=x,mode=0400", "'mode' has no meaning there"),
        ("id=x\nid=y", "it is no line of CSV"),
    ],
)
def test_what_is_none_is_refused(text, why):
    with pytest.raises(UsageError) as caught:
        parse_secret(text, {})
    assert why in caught.value.message
    assert "--secret id=token,src=token.txt" in caught.value.hint


@given(st.text(st.characters(exclude_characters="=")))
def test_no_error_repeats_what_may_be_the_secret(text):
    with pytest.raises(UsageError) as caught:
        parse_secret(f"s3cret{text}", {})
    assert "s3cret" not in caught.value.message


@pytest.mark.parametrize("text", ["id=x,env=NONE", "id=x,src=/nowhere/at/all"])
def test_what_is_not_there_is_named(text):
    with pytest.raises(UsageError, match="--secret x: "):
        parse_secret(text, {})


def test_every_line_of_a_secret_is_hidden_the_longest_first(tmp_path):
    (tmp_path / "key").write_text("-----BEGIN-----\nline-one\nabc\n")
    secrets = (parse_secret(f"id=k,src={tmp_path}/key", {}), parse_secret("id=T", {"T": "token"}))

    found = hidden(secrets)

    assert found == ("-----BEGIN-----\nline-one\nabc", "-----BEGIN-----", "line-one", "token")


def test_an_agent_needs_one_that_runs():
    assert parse_ssh("default", {"SSH_AUTH_SOCK": "/run/agent"}).spec == "default"
    with pytest.raises(UsageError, match="no SSH agent") as caught:
        parse_ssh("default", {})
    assert "ssh-agent" in caught.value.hint


def test_keys_are_files(tmp_path):
    (tmp_path / "key").touch()

    assert parse_ssh(f"git={tmp_path}/key", {}).spec == f"git={tmp_path}/key"
    with pytest.raises(UsageError, match="there is no /nowhere"):
        parse_ssh("git=/nowhere", {})
    with pytest.raises(UsageError, match="is none"):
        parse_ssh("git=", {})
