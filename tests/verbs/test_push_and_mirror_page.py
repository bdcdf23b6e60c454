"""The commands of docs/how-to/push-and-mirror.md do what the page says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs/how-to/push-and-mirror.md").read_text()


def script(kind=""):
    """The page's blocks of one kind, one after the other."""
    blocks = re.findall(rf"^```sh{kind}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert blocks
    return "\n".join(blocks)


@pytest.fixture
def registry(registry_server):
    with registry_server.serve() as served:
        yield served


def test_what_is_pushed_is_built_on(project, registry):
    done = project.shell(f"REGISTRY={registry.host}\n{script()}")
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.split()
    assert first == second
    assert {"v1", "v2"} <= registry.manifests["team/train"].keys()


def test_a_sealed_lock_is_pushed(small_project, registry):
    work = small_project()
    done = work.shell(f"REGISTRY={registry.host}\n{script(' sealed')}")
    assert done.returncode == 0, done.stderr
    assert "sealed" in registry.manifests["team/train"]


def test_the_base_is_copied(small_project, registry):
    assert script(" base").startswith("envfreeze base mirror $REGISTRY/")
    done = small_project().shell(f"REGISTRY={registry.host}\n{script(' base')}")
    assert done.returncode == 2  # no lock yet; what it does with one is in test_base_mirror
    assert "there is no envfreeze.lock" in done.stderr
