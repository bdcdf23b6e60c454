"""Projects that build offline: their build backend lies in their own tree (PEP 517, `backend-path`)."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from typing import TYPE_CHECKING, Protocol

import pytest

from envfreeze.store.cache import Cache

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

BACKEND = """
import os, time, zipfile

NAME, VERSION, REQUIRES, TAG = {name!r}, {version!r}, {requires!r}, {tag!r}


def get_requires_for_build_wheel(config_settings=None):
    return {further!r}


def build_wheel(folder, config_settings=None, metadata_directory=None):
    module = NAME.replace("-", "_")
    info = f"{{module}}-{{VERSION}}.dist-info"
    files = {{f"{{module}}/__init__.py": f"__version__ = {{VERSION!r}}\\n"}}
{body}
    files[f"{{info}}/METADATA"] = "".join(
        [f"Metadata-Version: 2.1\\nName: {{NAME}}\\nVersion: {{VERSION}}\\n"]
        + [f"Requires-Dist: {{requirement}}\\n" for requirement in REQUIRES]
    )
    files[f"{{info}}/WHEEL"] = f"Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: {{TAG}}\\n"
    files[f"{{info}}/RECORD"] = ""
    name = f"{{module}}-{{VERSION}}-{{TAG}}.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        for path in files:
            wheel.writestr(zipfile.ZipInfo(path, time.localtime()[:6]), files[path])
    return name
"""


class Project(Protocol):
    """Gives the files of a project that builds itself; `body` is put into its `build_wheel`."""

    def __call__(
        self,
        name: str,
        version: str = "1.0",
        *,
        requires: Sequence[str] = (),
        build: Sequence[str] = (),
        further: Sequence[str] = (),
        body: str = "pass",
        tag: str = "py3-none-any",
        static: bool = False,
    ) -> dict[str, str]: ...


@pytest.fixture
def source() -> Project:
    def make(
        name: str,
        version: str = "1.0",
        *,
        requires: Sequence[str] = (),
        build: Sequence[str] = (),
        further: Sequence[str] = (),
        body: str = "pass",
        tag: str = "py3-none-any",
        static: bool = False,
    ) -> dict[str, str]:
        indented = "\n".join(f"    {line}" for line in body.splitlines())
        about = f'[build-system]\nrequires = {list(build)}\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        if static:
            about += f'[project]\nname = "{name}"\nversion = "{version}"\ndependencies = {list(requires)}\n'
        return {
            "pyproject.toml": about,
            "backend.py": BACKEND.format(
                name=name,
                version=version,
                requires=list(requires),
                further=list(further),
                body=indented,
                tag=tag,
            ),
        }

    return make


@pytest.fixture
def sdist(tmp_path: Path) -> SdistOf:
    """Pack files as an sdist whose PKG-INFO leaves the dependencies to the build (metadata 1.2)."""

    def make(
        files: Mapping[str, str], name: str, version: str = "1.0", *, further: Sequence[tarfile.TarInfo] = ()
    ) -> Path:
        (tmp_path / "made").mkdir(exist_ok=True)
        path = tmp_path / "made" / f"{name.replace('-', '_')}-{version}.tar.gz"
        root = path.name.removesuffix(".tar.gz")
        about = f"Metadata-Version: 1.2\nName: {name}\nVersion: {version}\n"
        with tarfile.open(path, "w:gz") as archive:
            for member, text in {"PKG-INFO": about, **files}.items():
                info = tarfile.TarInfo(f"{root}/{member}")
                info.size = len(text.encode())
                archive.addfile(info, io.BytesIO(text.encode()))
            for info in further:
                archive.addfile(info, io.BytesIO(bytes(info.size)))
        return path

    return make


class SdistOf(Protocol):
    """Packs files as an sdist."""

    def __call__(
        self,
        files: Mapping[str, str],
        name: str,
        version: str = "1.0",
        *,
        further: Sequence[tarfile.TarInfo] = (),
    ) -> Path: ...


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    with Cache.open(tmp_path / "cache") as opened:
        yield opened


class Repository:
    """A git repository with one branch."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch", "main")

    def git(self, *arguments: str) -> str:
        who = {
            f"GIT_{role}_{what}": "tests@example.org"
            for role in ("AUTHOR", "COMMITTER")
            for what in ("NAME", "EMAIL")
        }
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.root,
            env=os.environ | who,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def commit(self, files: Mapping[str, str]) -> str:
        for name, text in files.items():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "work")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")
