"""Who has the pages of the formats gets the same digests."""

from __future__ import annotations

import ast
import sys
import tomllib
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def test_both_implementations_agree_on_odd_artifacts(odd):
    assert odd.first() == odd.second()


@pytest.mark.parametrize("odd", [True], indirect=True)
def test_a_hard_link_keeps_its_content_where_another_package_replaces_its_target(odd):
    assert odd.first() == odd.second()


def test_the_lock_holds_the_plan_that_the_pages_describe(odd):
    planned = tomllib.loads((odd.root / "envfreeze.lock").read_text())["target"][0]["layers"]
    odd.envfreeze("build")
    (image,) = odd.second()["images"]
    assert [layer["name"] for layer in image["layers"]] == [*(layer["name"] for layer in planned), "project"]


@pytest.mark.network
@pytest.mark.parametrize("base", ["apt:debian/trixie", "apt:debian/bookworm"])
def test_both_implementations_agree_on_real_artifacts(twice, base):
    (twice.root / "requirements.txt").write_text("requests\npybind11\ntqdm\nmarkupsafe\n")
    (twice.root / "envfreeze.toml").write_text(
        f'[image]\nbase = "{base}"\nplatform = ["linux/amd64", "linux/arm64"]\n'
        'packages = ["apt", "less", "nano", "vim-tiny", "libpam-modules"]\n'
    )
    twice.envfreeze("lock")
    assert twice.first() == twice.second()


@pytest.mark.parametrize("path", [HERE / "second_implementation.py", *sorted(HERE.glob("second/*.py"))])
def test_the_second_implementation_shares_nothing_with_envfreeze(path):
    imported = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            imported |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module)
    tops = {name.partition(".")[0] for name in imported}
    assert tops - sys.stdlib_module_names <= {"second", "deflate", "yaml", "zstandard"}
