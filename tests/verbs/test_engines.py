"""Choosing an engine, and having none."""

from __future__ import annotations

import shutil

import pytest

from envfreeze.digest import Digest
from envfreeze.errors import MachineError, UsageError
from envfreeze.locking import files
from envfreeze.project.load import load
from envfreeze.records.store import open_store
from envfreeze.replacing import replace
from envfreeze.store.cache import Cache
from envfreeze.verbs import build as building
from envfreeze.verbs import driving
from envfreeze.verbs.driving import Options
from envfreeze.verbs.verify import verify


@pytest.fixture
def plain(small_project):
    """A project whose image has no Python packages, locked and committed."""
    work = small_project()
    work.lock(wheels=[])
    work.commit()
    return work


@pytest.fixture
def only_git(tmp_path, monkeypatch):
    """A machine that has git, and no engine."""
    programs = tmp_path / "only-git"
    programs.mkdir()
    (programs / "git").symlink_to(str(shutil.which("git")))
    monkeypatch.setenv("PATH", str(programs))


@pytest.mark.usefixtures("only_git")
@pytest.mark.parametrize("engine", ["docker", "podman", "buildah"])
def test_without_the_engine_the_dockerfile_is_written_all_the_same(plain, engine):
    with pytest.raises(MachineError, match=f"the engine {engine} needs the") as caught:
        build(plain, engine=engine)

    folder = plain.root / ".envfreeze/docker"
    assert caught.value.exit_code == 7
    assert "--engine native" in caught.value.hint
    assert caught.value.details == (f"the Dockerfile is written all the same: docker build {folder}",)
    assert "FROM" in (folder / "Dockerfile").read_text()
    assert plain.records() == []


@pytest.mark.parametrize(
    ("engine", "options", "said"),
    [
        ("dcoker", Options(), "there is no engine 'dcoker'"),
        ("native", Options(builder="x"), "--builder is for engines that build a Dockerfile"),
        ("native", Options(secrets=("id=x",)), "--secret is for engines"),
        ("native", Options(ssh=("default",)), "--ssh is for engines"),
        ("native", Options(cache_to=("x",)), "--cache-to is for engines"),
        ("native", Options(network="host"), "--network is for engines"),
        ("podman", Options(builder="x"), "--builder names a builder of buildx; podman has none"),
        ("docker", Options(network="bridge"), "--network bridge is none"),
    ],
)
def test_what_an_engine_has_no_use_for_is_refused(engine, options, said):
    with pytest.raises(UsageError) as caught:
        driving.check(engine, options)
    assert caught.value.message.startswith(said)
    assert caught.value.hint


def configured(work, settings):
    work.write("envfreeze.toml", (work.root / "envfreeze.toml").read_text() + f"\n[docker]\n{settings}\n")


def test_the_project_names_its_engine_and_the_command_line_another(plain):
    plain.write(
        "envfreeze.toml", (plain.root / "envfreeze.toml").read_text() + '\n[docker]\nengine = "podman"\n'
    )
    project = load(plain.root)

    assert driving.chosen(None, project) == "podman"
    assert driving.chosen("native", project) == "native"


@pytest.mark.usefixtures("only_git")
def test_the_project_s_engine_builds(plain):
    configured(plain, 'engine = "docker"')

    with pytest.raises(MachineError, match="the engine docker needs"):
        build(plain)
    assert build(plain, engine="native").engine == "native"


def test_the_native_engine_tells_of_steps_that_it_does_not_run(plain):
    configured(plain, 'before = ["RUN ldconfig"]\nafter = ["RUN true"]')

    notes = build(plain).notes

    assert "the native engine runs no steps: [docker] before, after count with --engine docker alone" in notes


def test_what_a_dockerfile_s_image_depends_on_is_recorded(plain):
    plain.write("Dockerfile.j2", '{% extends "envfreeze/Dockerfile.j2" %}\n')
    plain.write("native.c", "int main;\n")
    configured(plain, 'template = "Dockerfile.j2"\ncontext = ["native.c"]')
    project = load(plain.root)
    lock = files.read(plain.root)

    assert driving.files_of("native", lock, project, plain.root) == ["train.py"]
    assert driving.files_of("docker", lock, project, plain.root) == ["Dockerfile.j2", "native.c", "train.py"]
    assert driving.files_of("docker", lock, None, plain.root) == ["train.py"]


@pytest.mark.usefixtures("only_git")
def test_what_docker_built_is_verified_by_docker(plain):
    native = build(plain)
    tools = {"docker": "28.5.2", "buildx": "0.29.1", "driver": "docker"}
    other = Digest.of(b"of docker")
    open_store(plain.root).add(replace(native.record, engine="docker", tools=tools, digest=other))

    with pytest.raises(MachineError, match="the engine docker needs the docker program"):
        verify(other, root=plain.root, cache=Cache.open(plain.cache))


def build(work, **said):
    return building.build(load(work.root), cache=Cache.open(work.cache), **said)
