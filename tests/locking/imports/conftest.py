"""A project of every kind of requirement, its wheels on a loopback index, and the tools that lock it."""

from __future__ import annotations

import functools
import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from uv import find_uv_bin

from envfreeze.locking.imports import take
from envfreeze.locking.pip import PipTarget
from envfreeze.oci.platform import Platform
from envfreeze.progress import SILENT
from envfreeze.project.load import load
from envfreeze.store.cache import Cache

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from envfreeze.locking.imports.take import Taken

PYPROJECT = """\
[project]
name = "app"
version = "0.1"
requires-python = ">=3.11,<4"
dependencies = [
    "alpha[fast]>=1",
    "gamma; sys_platform == 'linux'",
    "winonly; sys_platform == 'win32'",
    "numlib<2; python_version < '3.13'",
    "numlib>=2; python_version >= '3.13'",
]

[project.optional-dependencies]
train = ["delta"]

[dependency-groups]
dev = ["epsilon"]
"""


@dataclass
class World:
    """The project, its index, and what locks it.

    Attributes:
        root: the project's folder.
        index: the package index.
        wheels: every wheel's file by its name.
        cache: a cache of envfreeze.

    """

    root: Path
    index: object
    wheels: dict[str, Path]
    cache: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return str(self.index.url)  # type: ignore[attr-defined]

    def write(self, name: str, text: str) -> None:
        (self.root / name).write_text(text)

    def read(self, name: str) -> str:
        return (self.root / name).read_text()

    def run(self, *command: str) -> str:
        """Run a tool in the project's folder."""
        done = subprocess.run(
            command,
            cwd=self.root,
            env=os.environ | {"UV_NO_CONFIG": "1"} | dict(self.environment),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    def uv(self, *arguments: str) -> str:
        """Run uv against the index."""
        return self.run(find_uv_bin(), *arguments, "--quiet", "--default-index", self.url)

    def uv_lock(self) -> None:
        self.uv("lock", "--python", sys.executable)

    def sha256(self, filename: str) -> str:
        return hashlib.sha256(self.wheels[filename].read_bytes()).hexdigest()

    def take(
        self,
        name: str,
        *,
        platform: str = "linux/amd64",
        python: str = "3.13.5",
        offline: bool = False,
        pip: str = "",
        progress: object = SILENT,
        last: object = None,
    ) -> Taken:
        """Take the packages of a lock file for a target."""
        self.write("envfreeze.toml", f'[pip]\nlock = "{name}"\nindex-url = "{self.url}"\n{pip}')
        project = load(self.root)
        target = PipTarget(Platform.parse(platform), python, "2.41")
        with Cache.open(self.cache) as cache:
            means = take.Means(cache, offline, progress)  # type: ignore[arg-type]
            return take.take(project, take.read(project), target, means, last)  # type: ignore[arg-type]

    def taken(self, name: str, **options: object) -> dict[str, tuple[str, str]]:
        """Give the version and hash of every wheel taken."""
        wheels = self.take(name, **options).wheels  # type: ignore[arg-type]
        for wheel in wheels:
            assert wheel.url == self.index.file_url(self.wheels[wheel.filename])  # type: ignore[attr-defined]
            assert wheel.size == self.wheels[wheel.filename].stat().st_size
        return {wheel.filename: (wheel.version, wheel.digest.hex) for wheel in wheels}

    def expected(self, *filenames: str) -> dict[str, tuple[str, str]]:
        return {name: (name.split("-")[1], self.sha256(name)) for name in filenames}


MAIN = (
    "alpha-1.0-py3-none-any.whl",
    "beta-1.5-py3-none-any.whl",
    "gamma-1.0-py3-none-any.whl",
    "numlib-2.1-cp313-cp313-manylinux_2_28_x86_64.whl",
    "speed-1.0-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
)
"""What the project needs on linux/amd64 with Python 3.13."""


@pytest.fixture
def world(tmp_path, index, make_wheel, monkeypatch: pytest.MonkeyPatch) -> World:
    for name in list(os.environ):
        if name.startswith(("UV_", "PIP_")):
            monkeypatch.delenv(name)
    extra = "speed; extra == 'fast'\nProvides-Extra: fast"
    # Stored: lock files that stand in the repository hold their hashes.
    make_wheel = functools.partial(make_wheel, stored=True)
    wheels = [
        make_wheel("alpha", "1.0", requires=["beta", extra]),
        make_wheel("beta", "1.5"),
        make_wheel("gamma", "1.0"),
        make_wheel("winonly", "1.0"),
        make_wheel("delta", "1.0", requires=["beta<2"]),
        make_wheel("epsilon", "1.0"),
        make_wheel("numlib", "1.9"),
    ]
    for machine in ("x86_64", "aarch64"):
        wheels += [
            make_wheel("numlib", "2.1", tag=f"cp313-cp313-manylinux_2_28_{machine}"),
            make_wheel("speed", "1.0", tag=f"py3-none-manylinux_2_17_{machine}.manylinux2014_{machine}"),
        ]
    index.add(*wheels)
    root = tmp_path / "app"
    root.mkdir()
    (root / "pyproject.toml").write_text(PYPROJECT)
    return World(root, index, {path.name: path for path in wheels}, tmp_path / "cache")


@pytest.fixture
def main() -> tuple[str, ...]:
    """Names of the wheels that linux/amd64 needs."""
    return MAIN
