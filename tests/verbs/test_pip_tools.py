"""`resolver = "pip-tools"` on its whole way: locked, told, checked and built."""

from __future__ import annotations

import json
import platform
import sys
from typing import TYPE_CHECKING

import pytest

from envfreeze.locking import files as lock_files

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Work

MINOR = "{}.{}".format(*sys.version_info[:2])


@pytest.fixture
def work(small_project: Callable[..., Work], tools: object) -> Work:
    """The small project on a base that has the very Python of this machine, as pip-tools wants it."""
    made = small_project(git=False)
    suites = json.loads(made.suites.read_text())
    (suite,) = suites["suites"]
    suite |= {"python": MINOR, "python-packages": [f"python{MINOR}"]}
    made.suites.write_text(json.dumps(suites))
    version, glibc = platform.python_version(), platform.libc_ver()[1]
    binary = {f"./usr/bin/python{MINOR}": b"\x7fELF" * 500}
    deb_of = tools.deb_of  # type: ignore[attr-defined]
    made.site.add_deb(f"python{MINOR}", deb_of(f"python{MINOR}", f"{version}-1", binary, depends="libc6"))
    library = {"./usr/lib/x86_64-linux-gnu/libc.so.6": b"\x7fELF" * 500}
    made.site.add_deb("libc6", deb_of("libc6", f"{glibc}-1", library))
    made.site.publish()
    made.write("envfreeze.toml", (made.root / "envfreeze.toml").read_text() + 'resolver = "pip-tools"\n')
    return made


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the small project is for linux/amd64")
def test_a_project_is_locked_by_pip_tools_and_built(work: Work) -> None:
    ended = work.run("lock")
    assert ended.code == 0, ended.stderr
    (target,) = lock_files.read(work.root).targets
    assert {wheel.name: wheel.dependencies for wheel in target.wheels} == {
        "alpha": ("beta",),
        "beta": (),
        "gamma": (),
    }
    assert work.run("lock").stdout == "unchanged\n"
    assert work.run("build", "--no-record").code == 0
    work.built()


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the small project is for linux/amd64")
def test_older_versions_for_the_machines_are_looked_for_by_pip_tools_too(work: Work, tools: object) -> None:
    wheel_of = tools.wheel_of  # type: ignore[attr-defined]
    for version, name, cuda in (
        ("2.9.0", "nvidia-cuda-runtime-cu12", "12.8.90"),
        ("2.12.0", "nvidia-cuda-runtime", "13.0.96"),
    ):
        work.site.add_wheel("torch", wheel_of("torch", version, requires=[f"{name}=={cuda}"]), version)
        work.site.add_wheel(name.replace("-", "_"), wheel_of(name.replace("-", "_"), cuda), cuda)
    work.site.publish()
    work.write("requirements.txt", "torch\n")
    text = (work.root / "envfreeze.toml").read_text()
    work.write("envfreeze.toml", f'{text}\n[gpu]\ndriver = ">=550.54"\ngpus = ["A100"]\n')
    assert work.run("lock").code == 5
    ended = work.run("lock", "--solve-gpu")
    assert ended.code == 0, ended.stderr
    (target,) = lock_files.read(work.root).targets
    assert target.gpu is not None
    assert target.gpu.cuda == "12.8"


def test_it_is_refused_where_the_image_has_another_python(small_project: Callable[..., Work]) -> None:
    work = small_project(git=False)
    work.write("envfreeze.toml", (work.root / "envfreeze.toml").read_text() + 'resolver = "pip-tools"\n')
    ended = work.run("lock")
    assert ended.code != 0
    assert "the image has 3.13.5" in ended.stderr


def test_a_line_that_cannot_be_read_is_wrong_use(small_project: Callable[..., Work]) -> None:
    work = small_project(git=False)
    work.write("requirements.txt", "alpha\nfoo bar baz\n")
    ended = work.run("lock")
    assert ended.code == 2, ended.stderr
    assert "requirements.txt, line 2: 'foo bar baz' is not a requirement" in ended.stderr
