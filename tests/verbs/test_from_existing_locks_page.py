"""The commands of docs/how-to/from-existing-locks.md do what the page says."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from uv import find_uv_bin

from envfreeze.locking.imports.found import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = (Path(__file__).parents[2] / "docs/how-to/from-existing-locks.md").read_text()


def commands(heading: str) -> list[list[str]]:
    """The indented lines under a heading that are commands."""
    sections = dict(re.findall(r"^##? (.+?)\n(.*?)(?=^##? |\Z)", PAGE, re.MULTILINE | re.DOTALL))
    lines = re.findall(r"^    ((?:envfreeze|uv|mv) .*)$", sections[heading], re.MULTILINE)
    return [shlex.split(line) for line in lines]


@pytest.fixture
def work(small_project: Callable[..., Any]) -> Any:
    made = small_project(git=False)
    (made.root / "requirements.txt").unlink()
    made.write(
        "pyproject.toml",
        '[project]\nname = "app"\nversion = "0"\nrequires-python = ">=3.11"\ndependencies = ["alpha"]\n',
    )
    uv(made, "lock", "--python", sys.executable)
    return made


def uv(work: Any, *arguments: str) -> None:
    environment = os.environ | {"UV_DEFAULT_INDEX": f"{work.site.url}/simple/"}
    subprocess.run([find_uv_bin(), "--quiet", *arguments], cwd=work.root, env=environment, check=True)


def test_a_lock_is_taken_followed_and_left(work: Any, tools: Any) -> None:
    take, upgrade, check, again, resolve = commands("Take the locks you already have")
    assert work.run(*take[1:]).stdout == "locked\n"
    work.site.add_wheel("alpha", tools.wheel_of("alpha", "2.0", requires=["beta"]), "2.0")
    assert upgrade[:3] == ["uv", "lock", "--upgrade-package"]
    uv(work, "lock", "--upgrade-package", "alpha", "--python", sys.executable)
    assert work.run(*check[1:]).stdout == "drift\n"
    assert work.run(*again[1:]).stdout == "locked\n"
    assert work.run(*resolve[1:]).stdout == "locked\n"
    assert "uv.lock" not in (work.root / "envfreeze.lock").read_text()


def test_a_lock_under_a_name_of_envfreeze_is_moved(work: Any) -> None:
    uv(work, "export", "--frozen", "--no-emit-project", "--format", "pylock.toml", "-o", "pylock.toml")
    refused = work.run("lock", "--from", "pylock.toml")
    move, take = commands("Which files")
    assert refused.code == 2
    assert shlex.join(move) in refused.stderr
    subprocess.run(move, cwd=work.root, check=True)
    assert work.run(*take[1:]).stdout == "locked\n"


def test_every_format_is_in_the_table() -> None:
    rows = re.findall(r"^\| (.+?) \|", PAGE, re.MULTILINE)
    for kind in KINDS:
        name = {"requirements.txt": "requirements", "explicit conda file": "explicit conda"}.get(kind, kind)
        assert any(name in row for row in rows), kind


def test_the_key_that_the_page_shows_is_a_key(work: Any) -> None:
    (block,) = re.findall(r"^    (\[pip\])\n    (.+)\n", PAGE, re.MULTILINE)
    assert tomllib.loads("\n".join(block)) == {"pip": {"lock": "uv.lock"}}
    work.replace("envfreeze.toml", *(("[pip]\n", "\n".join(block) + "\n")))
    assert work.run("lock").stdout == "locked\n"


def test_the_options_for_environments_are_those_of_the_command(work: Any) -> None:
    shown = work.run("lock", "--help").stdout
    for command in commands("An environment"):
        assert command[2] in shown
