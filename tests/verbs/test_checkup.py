"""What `doctor` finds of the programs and places that envfreeze uses, on machines made for it."""

from __future__ import annotations

import sys

import pytest

from envfreeze.gpu.containers import Containers, Engine
from envfreeze.verbs import checkup


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Nothing but what a test puts there is on PATH."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def add(name, says, code=0):
        path = folder / name
        path.write_text(f"#!{sys.executable}\nprint({says!r})\nraise SystemExit({code})\n")
        path.chmod(0o755)

    return add


@pytest.fixture
def look(tmp_path, programs):  # noqa: ARG001 - PATH
    def run(containers=Containers()):  # noqa: B008 - frozen
        return {check.name: check for check in checkup.checks(containers, apt=tmp_path / "apt")}

    return run


def test_what_is_missing_is_told_with_what_it_is_for(look):
    found = look()
    assert [name for name, check in found.items() if not check.good] == [
        "git",
        "engines",
        "buildx",
        "apt mirror",
    ]
    assert all(check.hint for check in found.values() if not check.good)
    assert not any(check.hint for check in found.values() if check.good)


def test_programs_are_told_with_their_versions(look, programs):
    programs("git", "git version 2.47.3")
    programs("docker", "github.com/docker/buildx v0.17.1 257815a")
    found = look(Containers(engines=(Engine("docker", "28.2.2"), Engine("podman", ""))))
    assert (found["git"].text, found["engines"].text) == ("2.47.3", "docker 28.2.2, podman")
    assert found["buildx"].text == "0.17.1"


def test_a_docker_without_buildx_is_told_apart(look, programs):
    programs("docker", "docker: 'buildx' is not a docker command.", code=1)
    assert look(Containers(engines=(Engine("docker", "20.10.24"),)))["buildx"].text == "not found"


def test_the_host_s_apt_sources_are_named_by_their_hosts(look, tmp_path):
    (tmp_path / "apt").mkdir()
    (tmp_path / "apt/sources.list").write_text(
        "deb http://ada:geheim@mirror.example.org/debian trixie main\n"
        "deb http://mirror.example.org/debian trixie-updates main\n"
    )
    assert look()["apt mirror"].text == "mirror.example.org"


def test_a_cache_on_a_disk_that_is_nearly_full_is_a_warning(look, monkeypatch):
    monkeypatch.setattr(checkup, "SCANT", 1 << 70)
    cache = look()["cache"]
    assert not cache.good
    assert "envfreeze cache prune" in cache.hint
