"""What the commands tell of an outcome; the outcomes themselves are given here."""

from __future__ import annotations

import json

import pytest

from envfreeze.cli.main import main
from envfreeze.digest import Digest
from envfreeze.locking.model import SCHEMA, WRITER, Lock, Runtime
from envfreeze.verbs import build as build_verb
from envfreeze.verbs import check as check_verb
from envfreeze.verbs import lock as lock_verb
from envfreeze.verbs import outdated as outdated_verb
from envfreeze.verbs.build import BuildOutcome
from envfreeze.verbs.lock import LockOutcome


@pytest.fixture
def project(tmp_path):
    (tmp_path / "requirements.txt").write_text("")
    return tmp_path


@pytest.fixture
def one_target_less(project, monkeypatch):
    """A lock that leaves one file and took another away."""
    (project / "pylock.toml").touch()
    lock = Lock(
        schema=SCHEMA,
        writer=WRITER,
        inputs={},
        exclude_newer=None,
        runtime=Runtime(env={}, labels={}, include=(), user="0", workdir="/", entrypoint=(), cmd=()),
        targets=(),
    )
    files = (project / "pylock.toml", project / "pylock.linux-arm64.toml")
    monkeypatch.setattr(lock_verb, "lock", lambda *_, **__: LockOutcome(lock, project, files, (), ()))
    return project


def test_a_lock_file_that_went_is_not_called_written(one_target_less, capsys):
    assert main(["lock", "-C", str(one_target_less)]) == 0
    stdout, stderr = capsys.readouterr()
    assert stdout == "locked\n"
    assert stderr.splitlines() == [
        f"written: {one_target_less / 'pylock.toml'}",
        f"removed: {one_target_less / 'pylock.linux-arm64.toml'}",
    ]


def test_a_lock_file_that_went_has_a_list_of_its_own(one_target_less, capsys):
    assert main(["lock", "--json", "-C", str(one_target_less)]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["written"] == [str(one_target_less / "pylock.toml")]
    assert document["removed"] == [str(one_target_less / "pylock.linux-arm64.toml")]


def test_drift_says_what_to_do(project, monkeypatch, capsys):
    monkeypatch.setattr(check_verb, "check", lambda *_, **__: ("numpy is needed and not locked",))
    assert main(["lock", "--check", "-C", str(project)]) == 1
    stdout, stderr = capsys.readouterr()
    assert stdout == "drift\n"
    assert stderr == "warning: numpy is needed and not locked\nhint: run `envfreeze lock`\n"


def test_nothing_newer_is_said_of_what_the_requirements_allow(project, monkeypatch, capsys):
    monkeypatch.setattr(outdated_verb, "outdated", lambda *_, **__: ())
    assert main(["lock", "--outdated", "-C", str(project)]) == 0
    assert capsys.readouterr() == ("", "nothing newer that the requirements allow\n")


def test_a_loaded_image_is_named_and_not_written(project, monkeypatch, capsys):
    outcome = BuildOutcome(
        digest=Digest.of(b""),
        images=(),
        output=None,
        archive=None,
        loaded="sha256:1d",
        pushed=None,
        record=None,
        record_at=None,
        layers_built=0,
        layers_reused=0,
        layers_ready=0,
        seconds=0.0,
        notes=(),
    )
    monkeypatch.setattr(build_verb, "build", lambda *_, **__: outcome)
    assert main(["build", "--load", "-C", str(project)]) == 0
    assert capsys.readouterr().err.splitlines()[0] == "loaded as sha256:1d"
