"""The packages of environments: real ones, made by uv and by rattler."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from uv import find_uv_bin

from envfreeze.errors import ResolutionError, UsageError
from envfreeze.locking.imports import environment, take
from envfreeze.locking.imports.complete import Place, complete
from envfreeze.locking.imports.selection import Choice, select
from envfreeze.locking.pip import PipTarget
from envfreeze.oci.platform import Platform
from envfreeze.project import taken
from envfreeze.project.load import load

if TYPE_CHECKING:
    from pathlib import Path

PYTHON = "{}.{}".format(*sys.version_info[:2])
TARGET = PipTarget(Platform("linux", "amd64"), f"{PYTHON}.7", "2.41")
ALPHA, BETA = "alpha-1.0-py3-none-any.whl", "beta-1.5-py3-none-any.whl"


def run(*command: str, cwd: Path) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def venv(tmp_path) -> Path:
    run(find_uv_bin(), "venv", "--quiet", "--no-config", "--python", sys.executable, "venv", cwd=tmp_path)
    return tmp_path / "venv"


def install(world, venv: Path, *what: str) -> None:
    command = [
        find_uv_bin(),
        "pip",
        "install",
        "--quiet",
        "--no-config",
        "--python",
        str(venv / "bin/python"),
    ]
    run(*command, "--default-index", world.url, *what, cwd=world.root)


def wheels_of(world, venv: Path) -> Any:
    (world.root / "pyproject.toml").unlink(missing_ok=True)
    world.write("envfreeze.toml", f'[pip]\nindex-url = "{world.url}"\n')
    project = load(world.root, source=taken.ENVIRONMENT)
    imported = environment.read(venv)
    selected = select(imported, TARGET, Choice())
    return complete(imported, selected, project, TARGET, Place(world.root, world.root))


def test_installed_versions_are_pinned_and_their_files_found(world, venv, make_wheel):
    install(world, venv, "alpha", "beta")
    world.index.add(make_wheel("alpha", "9.0"))
    wheels = wheels_of(world, venv)
    assert {wheel.filename: (wheel.version, wheel.digest.hex) for wheel in wheels} == world.expected(
        ALPHA, BETA
    )


def test_what_came_from_a_url_stays_at_that_url(world, venv):
    url = world.index.file_url(world.wheels["gamma-1.0-py3-none-any.whl"])
    install(world, venv, f"gamma @ {url}")
    (wheel,) = wheels_of(world, venv)
    assert (wheel.url, wheel.direct) == (url, True)


def test_editable_and_local_installs_are_refused_by_name(world, venv):
    (world.root / "pyproject.toml").unlink()
    info = venv / f"lib/python{PYTHON}/site-packages"
    for name, directory in (("mine", {"editable": True}), ("theirs", {})):
        folder = info / f"{name}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (folder / "direct_url.json").write_text(
            json.dumps({"url": f"file:///src/{name}", "dir_info": directory})
        )
    with pytest.raises(ResolutionError) as caught:
        wheels_of(world, venv)
    assert caught.value.details == (
        "mine 1.0: is an editable install (/src/mine)",
        "theirs 1.0: is a local install (/src/theirs)",
    )


def test_an_environment_of_another_python_is_refused(world, venv):
    install(world, venv, "beta")
    imported = environment.read(venv)
    other = PipTarget(TARGET.platform, "3.14.1", "2.41")
    with pytest.raises(ResolutionError, match=rf"is for Python =={PYTHON}\.\*; the image has 3\.14\.1"):
        select(imported, other, Choice())


def test_nothing_of_it_is_run(world, venv):
    install(world, venv, "beta")
    site = venv / f"lib/python{PYTHON}/site-packages"
    (site / "evil.pth").write_text(f"import pathlib; pathlib.Path({str(venv / 'ran')!r}).touch()\n")
    (venv / "bin/python").unlink()
    assert [package.name for package in environment.read(venv).packages] == ["beta"]
    assert not (venv / "ran").exists()


def test_the_installers_of_an_environment_are_left_out(venv):
    assert environment.read(venv).packages == ()


def test_a_folder_that_is_no_environment(tmp_path):
    with pytest.raises(UsageError, match="is not an environment"):
        environment.read(tmp_path)


def test_conda_packages_of_a_prefix(tmp_path):
    (tmp_path / "conda-meta").mkdir()
    row = {
        "name": "zlib",
        "url": "https://me:secret@c.example.org/main/linux-64/zlib-1.3.1-h1_0.conda",
        "md5": "a" * 32,
        "sha256": "b" * 64,
        "size": 5,
        "build_number": 1,
        "depends": ["libc"],
        "constrains": [],
        "paths_data": {"paths": [{"_path": "lib/libz.so"}]},
    }
    (tmp_path / "conda-meta/zlib-1.3.1-h1_0.json").write_text(json.dumps(row))
    (package,) = environment.read(tmp_path).conda
    assert package.url == "https://c.example.org/main/linux-64/zlib-1.3.1-h1_0.conda"
    assert (package.sha256, package.depends, package.build_number) == ("b" * 64, ("libc",), 1)


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"url": 5}', b"\xff", b'{"url": "https://x/y"}'])
def test_damaged_metadata_are_named(tmp_path, content):
    (tmp_path / "conda-meta").mkdir()
    (tmp_path / "conda-meta/zlib.json").write_bytes(content)
    with pytest.raises(UsageError, match=r"zlib\.json"):
        environment.read(tmp_path)


def test_the_active_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("CONDA_PREFIX", "/opt/miniforge")
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path))
    assert environment.active() == tmp_path
    monkeypatch.delenv("VIRTUAL_ENV")
    assert str(environment.active()) == "/opt/miniforge"


def test_what_was_taken_for_another_python_is_not_taken_again():
    with pytest.raises(UsageError, match="was not taken for linux/arm64") as caught:
        take.again(None, Platform("linux", "arm64"), "3.13.5", "2.41")
    assert "envfreeze lock --from-env" in caught.value.hint
