"""Poetry and Pipenv themselves, of several versions, lock the project; they come from the package index."""

from __future__ import annotations

import pytest
from uv import find_uv_bin

pytestmark = pytest.mark.network

SOURCE = """\
[tool.poetry]
package-mode = false

[[tool.poetry.source]]
name = "loop"
url = "{url}"
priority = "{kind}"
"""
OLD = """\
[tool.poetry]
name = "app"
version = "0.1"
description = ""
authors = []

[tool.poetry.dependencies]
python = ">=3.11,<4"
alpha = {{ version = ">=1", extras = ["fast"] }}
gamma = {{ version = "*", markers = "sys_platform == 'linux'" }}
winonly = {{ version = "*", markers = "sys_platform == 'win32'" }}
numlib = [{{ version = "<2", python = "<3.13" }}, {{ version = ">=2", python = ">=3.13" }}]
delta = {{ version = "*", optional = true }}

[tool.poetry.extras]
train = ["delta"]

[tool.poetry.group.dev.dependencies]
epsilon = "*"

[[tool.poetry.source]]
name = "loop"
url = "{url}"
priority = "{kind}"
"""
PIPFILE = """\
[[source]]
name = "loop"
url = "{url}"
verify_ssl = false

[packages]
alpha = {{ version = "*", extras = ["fast"] }}
gamma = {{ version = "*", markers = "sys_platform == 'linux'" }}
numlib = "*"

[dev-packages]
epsilon = "*"
"""


def tool(world, *arguments: str) -> None:
    folder = str(world.cache.parent / "tools")
    world.environment = {"XDG_CACHE_HOME": folder, "PIPENV_IGNORE_VIRTUALENVS": "1", "WORKON_HOME": folder}
    world.run(find_uv_bin(), "tool", "run", "--quiet", *arguments)


def test_poetry_2(world, main):
    world.write("pyproject.toml", world.read("pyproject.toml") + SOURCE.format(url=world.url, kind="primary"))
    tool(world, "--from", "poetry>=2.1,<3", "poetry", "lock")
    assert world.taken("poetry.lock") == world.expected(*main)
    more = world.taken("poetry.lock", pip='extras = ["train"]\n')
    assert more == world.expected(*main, "delta-1.0-py3-none-any.whl")


def test_poetry_1(world, main):
    world.write("pyproject.toml", OLD.format(url=world.url, kind="primary"))
    tool(world, "--from", "poetry>=1.8,<1.9", "poetry", "lock")
    assert world.taken("poetry.lock") == world.expected(*main)
    more = world.taken("poetry.lock", pip='extras = ["train"]\ngroups = ["dev"]\n')
    assert more == world.expected(*main, "delta-1.0-py3-none-any.whl", "epsilon-1.0-py3-none-any.whl")


def test_pipenv(world):
    (world.root / "pyproject.toml").unlink()
    world.write("Pipfile", PIPFILE.format(url=world.url))
    tool(world, "pipenv", "lock")
    taken = world.taken("Pipfile.lock")
    assert {"alpha-1.0-py3-none-any.whl", "gamma-1.0-py3-none-any.whl"} < set(taken)
    assert "epsilon-1.0-py3-none-any.whl" in world.taken("Pipfile.lock", pip='groups = ["develop"]\n')
