"""What a newcomer does: a folder of their own, four commands, in git or not, committed or not."""

from __future__ import annotations

import json
import subprocess

import pytest

from envfreeze.oci import layout

pytestmark = pytest.mark.network

REQUIREMENTS = {"requirements.txt": "six\nPyYAML>=6\n"}
PYPROJECT = {
    "pyproject.toml": """\
[project]
name = "mine"
version = "1"
requires-python = ">=3.11"
dependencies = ["six", "idna"]
"""
}


def outside_git(*_):
    """No repository at all."""


def no_commit_yet(root, _):
    subprocess.run(["git", "-C", str(root), "init", "--quiet"], check=True)


def committed(root, commit):
    commit(root)


def changed_since(root, commit):
    """A commit, and then changes that nobody committed."""
    commit(root)
    for path in root.glob("*.t*"):
        path.write_text(path.read_text().replace("idna", "certifi") + "\n# later\n")


@pytest.mark.parametrize(
    ("project", "state"),
    [
        pytest.param(REQUIREMENTS, outside_git, id="requirements.txt outside git"),
        pytest.param(REQUIREMENTS, committed, id="requirements.txt committed"),
        pytest.param(PYPROJECT, no_commit_yet, id="pyproject.toml before the first commit"),
        pytest.param(PYPROJECT, changed_since, id="pyproject.toml changed since the commit"),
    ],
)
def test_init_lock_build_verify(project, state, commit, envfreeze, tmp_path):
    for name, content in project.items():
        (tmp_path / name).write_text(content)
    state(tmp_path, commit)
    envfreeze("init", at=tmp_path)
    assert envfreeze("lock", at=tmp_path) == "locked"
    digest = envfreeze("build", at=tmp_path)
    assert envfreeze("verify", digest, at=tmp_path) == "identical"
    assert envfreeze("lock", "--check", at=tmp_path) == "current"
    shown = {record["digest"] for record in json.loads(envfreeze("log", "--json", at=tmp_path))["records"]}
    assert shown == {digest}


def test_no_step_but_lock_and_build_is_needed(envfreeze, tmp_path):
    (tmp_path / "requirements.txt").write_text("six\n")
    envfreeze("lock", at=tmp_path)
    digest = envfreeze("build", at=tmp_path)
    assert str(layout.read(tmp_path / ".envfreeze" / "image").digest) == digest


def test_it_is_verified_from_the_commit_when_the_folder_has_moved_on(envfreeze, commit, tmp_path):
    (tmp_path / "requirements.txt").write_text("six\n")
    (tmp_path / "train.py").write_text("import six\n")
    (tmp_path / "envfreeze.toml").write_text('[image]\ninclude = ["train.py"]\n')
    envfreeze("lock", at=tmp_path)
    commit(tmp_path)
    first = envfreeze("build", at=tmp_path)
    (tmp_path / "train.py").write_text("import six, sys\n")
    second = envfreeze("build", at=tmp_path)
    assert second != first
    commit(tmp_path)
    (tmp_path / "requirements.txt").write_text("idna\n")
    (tmp_path / "train.py").write_text("import idna\n")
    envfreeze("lock", at=tmp_path)
    for digest in (first, second):
        assert envfreeze("verify", digest, at=tmp_path) == "identical"


@pytest.fixture(scope="module")
def bookworm(freeze, big):
    """An older suite, with OS packages that the project names."""
    root = big / "bookworm"
    root.mkdir()
    (root / "requirements.txt").write_text("six\n")
    (root / "envfreeze.toml").write_text(
        '[image]\nbase = "apt:debian/bookworm"\npackages = ["git", "libgl1"]\nuser = "1000"\n'
    )
    return freeze(root)


@pytest.fixture(scope="module")
def bookworm_tree(bookworm, unpack):
    return unpack(bookworm.images[0])


def test_an_older_suite_has_its_own_python(bookworm, bookworm_tree):
    assert bookworm.lock.targets[0].python.startswith("3.11.")
    assert bookworm_tree("python", "-c", "import six, sys; print(sys.version_info[:2])") == "(3, 11)\n"


def test_programs_of_the_system_run(bookworm_tree):
    assert bookworm_tree("git", "--version").startswith("git version 2.")
    assert bookworm_tree("git", "init", "--quiet", "/srv/repository", HOME="/root") == ""


def test_libraries_of_the_system_load(bookworm_tree):
    code = "import ctypes; print(ctypes.CDLL('libGL.so.1')._name)"
    assert bookworm_tree("python", "-c", code) == "libGL.so.1\n"


def test_dpkg_finds_nothing_amiss_there_either(bookworm_tree):
    assert bookworm_tree("dpkg", "--audit") == ""
    assert bookworm_tree("dpkg", "--verify") == ""


def test_the_older_suite_is_verified_too(bookworm, envfreeze):
    assert envfreeze("verify", bookworm.digest, at=bookworm.root) == "identical"


def test_docker_runs_it_as_the_user_it_names(bookworm, dockerd, envfreeze, run):
    docker = {"DOCKER_HOST": dockerd}
    envfreeze("build", "--no-record", "--load", "--tag", "bookworm:1", at=bookworm.root, env=docker)
    inside = ("docker", "run", "--rm", "--network=none", "bookworm:1")
    assert run(*inside, "id", "-u") == "1000\n"
    assert run(*inside, "git", "--version").startswith("git version 2.")
