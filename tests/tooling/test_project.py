"""The project's own files agree with each other."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib

import pytest
from packaging.requirements import Requirement

import envfreeze


@pytest.fixture(scope="module")
def pyproject(root):
    return tomllib.loads((root / "pyproject.toml").read_text())


def test_the_version_is_one(pyproject):
    assert pyproject["project"]["version"] == envfreeze.__version__


def test_every_dependency_has_its_reason_written_down(root, pyproject):
    declared = {
        Requirement(text).name
        for text in (
            *pyproject["project"]["dependencies"],
            *pyproject["dependency-groups"]["dev"],
            *pyproject["build-system"]["requires"],
        )
    }
    page = (root / "docs/decisions/dependencies.md").read_text()
    assert declared == set(re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE))


def test_make_help_shows_every_target(root, need):
    need("make", shutil.which("make") is not None, "no make on this machine")
    shown = subprocess.run(["make", "-C", root, "-s"], check=True, capture_output=True, text=True).stdout
    phony = re.search(r"^\.PHONY: (.*)$", (root / "Makefile").read_text(), re.MULTILINE)
    assert phony is not None
    assert re.findall(r"^make (\S+)", shown, re.MULTILINE) == phony[1].split()


def test_make_names_the_python_that_is_too_old(root, need, tmp_path):
    need("make", shutil.which("make") is not None, "no make on this machine")
    shutil.copy(root / "Makefile", tmp_path)
    (tmp_path / "pyproject.toml").write_text("")
    ended = subprocess.run(
        ["make", "-C", tmp_path, "test", "PYTHON=/nowhere/python3"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode != 0
    assert "error: envfreeze needs Python 3.11 or later, and /nowhere/python3 is older" in ended.stderr
    assert not (tmp_path / ".venv").exists()


@pytest.mark.parametrize("script", [".ci/run", "examples/demo.sh"])
def test_scripts_are_executable_and_bash_reads_them(root, script):
    assert (root / script).stat().st_mode & 0o111
    subprocess.run(["bash", "-n", root / script], check=True)
