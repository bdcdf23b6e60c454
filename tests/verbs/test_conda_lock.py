"""`lock` of projects with a conda side: a real channel, index and archive on loopback, real conda-lock and uv."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from envfreeze.locking import files as lock_files
from envfreeze.locking.conda import lockfile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

BIN = Path(sys.executable).parent


def dist(name: str, version: str, *, folder: str = "site-packages") -> str:
    return f"{folder}/{name}-{version}.dist-info/METADATA"


@pytest.fixture
def channel(conda_channel: ModuleType, tmp_path: Path) -> Iterator[Any]:
    with conda_channel.serve(tmp_path / "channel") as served:
        item = conda_channel.Item(b"x\n")
        make = conda_channel.package
        lib = "lib/python3.12/site-packages"
        served.add(
            make("python", "3.12.4", "h0_0_cpython", depends=["__glibc >=2.17,<3.0.a0", "zlib"]),
            make("python", "3.12.3", "h0_0_cpython", depends=["__glibc >=2.17,<3.0.a0", "zlib"]),
            make("zlib", "1.3.1", "h1_0"),
            make(
                "pip", "24.0", "pyh_0", noarch="python", depends=["python"], paths={dist("pip", "24.0"): item}
            ),
            make(
                "beta",
                "2.0",
                "py312_0",
                depends=["python 3.12.*"],
                paths={dist("beta", "2.0", folder=lib): item},
            ),
            make(
                "beta",
                "1.0",
                "py312_0",
                depends=["python 3.12.*"],
                paths={dist("beta", "1.0", folder=lib): item},
            ),
            make("cuda-only", "1.0", depends=["__cuda >=12"]),
            conda_channel.with_scripts(),
        )
        served.index()
        yield served


@pytest.fixture
def mixed(small_project: Callable[..., Any], channel: Any) -> Any:
    """The small project with an environment file: conda's Python and beta, pip's alpha and gamma."""
    work = small_project()
    work.write("environment.yml", environment(channel, "python=3.12", "beta=1.0", "pip"))
    work.replace("envfreeze.toml", "[pip]", '[conda]\nenvironment = "environment.yml"\n\n[pip]')
    return work


def environment(channel: Any, *specs: str, pip: tuple[str, ...] = ()) -> str:
    lines = [f"channels: [{channel.url}]", "dependencies:", *(f"  - {spec}" for spec in specs)]
    lines += ["  - pip:", *(f"    - {line}" for line in pip)] if pip else []
    return "\n".join(lines) + "\n"


def test_conda_and_pip_are_locked_together(mixed, channel):
    ended = mixed.run("lock")
    assert ended.code == 0, ended.stderr
    lock = lock_files.read(mixed.root)
    (target,) = lock.targets
    assert [(package.name, package.version) for package in target.conda] == [
        ("beta", "1.0"),
        ("pip", "24.0"),
        ("python", "3.12.4"),
        ("zlib", "1.3.1"),
    ]
    assert target.python == "3.12.4"
    assert target.prefix == "opt/conda"
    # alpha asks for beta, which conda has.
    assert [wheel.name for wheel in target.wheels] == ["alpha", "gamma"]
    assert not any(deb.name.startswith("python") for deb in target.base.packages)
    assert target.conda[0] == channel.built["beta-1.0-py312_0.conda"].locked(channel.url, requested=True)
