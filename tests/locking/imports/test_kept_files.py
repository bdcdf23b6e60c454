"""Lock files that Poetry 1.8, Poetry 2 and Pipenv wrote for this very project, kept beside the tests."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from envfreeze.errors import ResolutionError

FILES = Path(__file__).with_name("files")
OLD = """\
[tool.poetry]
name = "app"

[tool.poetry.dependencies]
python = ">=3.11,<4"
alpha = { version = ">=1", extras = ["fast"] }
gamma = { version = "*", markers = "sys_platform == 'linux'" }
winonly = { version = "*", markers = "sys_platform == 'win32'" }
numlib = [{ version = "<2", python = "<3.13" }, { version = ">=2", python = ">=3.13" }]
delta = { version = "*", optional = true }

[tool.poetry.extras]
train = ["delta"]

[tool.poetry.group.dev.dependencies]
epsilon = "*"
"""
DELTA, EPSILON = "delta-1.0-py3-none-any.whl", "epsilon-1.0-py3-none-any.whl"


def keep(world, name: str, as_name: str) -> None:
    shutil.copy(FILES / name, world.root / as_name)


def test_poetry_2(world, main):
    keep(world, "poetry-2.lock", "poetry.lock")
    assert world.taken("poetry.lock") == world.expected(*main)
    assert world.taken("poetry.lock", pip='extras = ["train"]\n') == world.expected(*main, DELTA)


def test_poetry_2_on_another_python(world):
    keep(world, "poetry-2.lock", "poetry.lock")
    assert "numlib-1.9-py3-none-any.whl" in world.taken("poetry.lock", python="3.12.3")


def test_poetry_1_with_its_pyproject(world, main):
    keep(world, "poetry-1.lock", "poetry.lock")
    world.write("pyproject.toml", OLD)
    assert world.taken("poetry.lock") == world.expected(*main)
    taken = world.taken("poetry.lock", pip='extras = ["train"]\ngroups = ["dev"]\n')
    assert taken == world.expected(*main, DELTA, EPSILON)
    assert "numlib-1.9-py3-none-any.whl" in world.taken("poetry.lock", python="3.12.3")


def test_poetry_1_alone_tells_two_forks_from_nothing(world):
    keep(world, "poetry-1.lock", "poetry.lock")
    (world.root / "pyproject.toml").unlink()
    with pytest.raises(ResolutionError, match="which numlib the project needs is not said"):
        world.take("poetry.lock")


def test_pipenv(world):
    keep(world, "Pipfile.lock", "Pipfile.lock")
    (world.root / "pyproject.toml").unlink()
    python = world.read("Pipfile.lock").partition('"python_version": "')[2][:4]
    assert python in {"", "3.11", "3.12", "3.13"}
    taken = world.taken("Pipfile.lock")
    for name in ("alpha-1.0-py3-none-any.whl", "gamma-1.0-py3-none-any.whl"):
        assert taken[name] == ("1.0", world.sha256(name))
    assert EPSILON in world.taken("Pipfile.lock", pip='groups = ["develop"]\n')
