"""`envfreeze lock --from`: lock files of other tools, made by those tools, taken as they are."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from uv import find_uv_bin

from envfreeze.digest import Digest
from envfreeze.locking import files as lock_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import SimpleNamespace

    from conftest import Work


def uv(work: Work, *arguments: str) -> None:
    environment = os.environ | {"UV_DEFAULT_INDEX": f"{work.site.url}/simple/", "UV_NO_PROGRESS": "1"}
    subprocess.run(
        [find_uv_bin(), *arguments, "--no-config", "--quiet", "--python", sys.executable],
        cwd=work.root,
        env=environment,
        check=True,
    )


def pins(work: Work) -> dict[str, tuple[str, str]]:
    (target,) = lock_files.read(work.root).targets
    return {wheel.name: (wheel.version, wheel.digest.hex) for wheel in target.wheels}


def served(work: Work, *names: str) -> dict[str, tuple[str, str]]:
    found = {}
    for name in names:
        content = work.site.files[f"/wheels/{name}-1.0-py3-none-any.whl"]
        found[name] = ("1.0", Digest.of(content).hex)
    return found


@pytest.fixture
def work(small_project: Callable[..., Work]) -> Work:
    return small_project(git=False)


@pytest.fixture
def with_uv_lock(work: Work, tools: SimpleNamespace) -> Work:
    """A project of pyproject.toml, whose uv.lock holds version 1.0, while the index has moved on."""
    (work.root / "requirements.txt").unlink()
    work.write(
        "pyproject.toml",
        '[project]\nname = "app"\nversion = "0"\nrequires-python = ">=3.11"\ndependencies = ["alpha"]\n'
        '[dependency-groups]\ndev = ["gamma"]\n',
    )
    uv(work, "lock")
    work.site.add_wheel("alpha", tools.wheel_of("alpha", "2.0", requires=["beta"]), "2.0")
    return work


def test_the_versions_of_a_uv_lock_are_kept(with_uv_lock: Work) -> None:
    work = with_uv_lock
    ended = work.run("lock", "--from", "uv.lock")
    assert ended.code == 0, ended.stderr
    assert pins(work) == served(work, "alpha", "beta")
    (target,) = lock_files.read(work.root).targets
    assert [wheel.name for wheel in target.wheels if wheel.requested] == ["alpha"]


def test_a_second_lock_changes_no_byte_and_the_source_is_remembered(with_uv_lock: Work) -> None:
    work = with_uv_lock
    assert work.run("lock", "--from", "uv.lock").code == 0
    before = work.lock_files()
    ended = work.run("lock")
    assert (ended.code, ended.stdout) == (0, "unchanged\n"), ended.stderr
    assert work.lock_files() == before
    assert work.run("lock", "--check").stdout == "current\n"
    assert work.run("lock", "--from", "uv.lock", "--offline").stdout == "unchanged\n"
