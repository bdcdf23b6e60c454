"""`envfreeze lock --from` with conda packages: files that conda-lock and rattler themselves write."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from envfreeze.locking import files as lock_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

# conda-lock's vendored conda warns while it is imported.
pytestmark = [
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

BIN = Path(sys.executable).parent
WANTED = {"python": "3.12.4", "zlib": "1.3.1", "pip": "24.0", "beta": "1.0"}


@pytest.fixture
def channel(conda_channel: ModuleType, tmp_path: Path) -> Iterator[Any]:
    item = conda_channel.Item(b"x\n")
    make = conda_channel.package
    with conda_channel.serve(tmp_path / "channel") as served:
        served.add(
            make("python", "3.12.4", "h0_0_cpython", depends=["__glibc >=2.17,<3.0.a0", "zlib"]),
            make("zlib", "1.3.1", "h1_0"),
            make("zlib", "1.3.2", "h1_0"),
            make(
                "pip", "24.0", "pyh_0", noarch="python", depends=["python"],
                paths={"site-packages/pip-24.0.dist-info/METADATA": item},
            ),
            make(
                "beta", "1.0", "py312_0", depends=["python 3.12.*"],
                paths={"lib/python3.12/site-packages/beta-1.0.dist-info/METADATA": item},
            ),
        )  # fmt: skip
        served.index()
        yield served


@pytest.fixture
def work(small_project: Callable[..., Any]) -> Any:
    made = small_project(git=False)
    (made.root / "requirements.txt").unlink()
    return made


def records(channel: Any) -> list[Any]:
    from rattler import Channel, Gateway, MatchSpec

    async def ask() -> Any:
        specs = [MatchSpec(f"{name}=={version}") for name, version in WANTED.items()]
        return await Gateway().query([Channel(channel.url)], ["linux-64", "noarch"], specs, recursive=False)

    return [record for rows in asyncio.run(ask()) for record in rows]


def pixi_lock(work: Any, channel: Any) -> str:
    from rattler.lock import LockChannel, LockFile, LockPlatform

    platform = LockPlatform("linux-64")
    lock = LockFile([platform])
    lock.set_channels("default", [LockChannel(channel.url)])
    for record in records(channel):
        lock.add_conda_package("default", platform, record)
    wheel = f"{work.site.url}/wheels/alpha-1.0-py3-none-any.whl"
    lock.add_pypi_package("default", platform, "alpha", "1.0", wheel)
    lock.to_path(work.root / "pixi.lock")
    return "pixi.lock"


def conda_lock_yml(work: Any, channel: Any, name: str = "deps.conda-lock.yml") -> str:
    from conda_lock.lockfile import write_conda_lock_file
    from conda_lock.lockfile.v1.models import HashModel, LockMeta, MetadataOption
    from conda_lock.lockfile.v2prelim.models import LockedDependency, Lockfile
    from conda_lock.models.channel import Channel

    rows = [
        LockedDependency(
            name=record.name.normalized,
            version=str(record.version),
            manager="conda",
            platform="linux-64",
            dependencies={spec.split()[0]: " ".join(spec.split()[1:]) for spec in record.depends},
            url=record.url,
            hash=HashModel(md5=record.md5.hex(), sha256=record.sha256.hex()),
            categories={"main"},
        )
        for record in records(channel)
    ]
    alpha = work.site.add_wheel("alpha", work.site.files["/wheels/alpha-1.0-py3-none-any.whl"])
    rows.append(
        LockedDependency(
            name="alpha",
            version="1.0",
            manager="pip",
            platform="linux-64",
            url=alpha.url,
            hash=HashModel(sha256=alpha.digest.hex),
            categories={"main"},
        )
    )
    meta = LockMeta(
        content_hash={"linux-64": "0" * 64},
        channels=[Channel.from_string(channel.url)],
        platforms=["linux-64"],
        sources=["environment.yml"],
    )
    write_conda_lock_file(
        Lockfile(package=rows, metadata=meta),
        work.root / name,
        metadata_choices=set[MetadataOption](),
    )
    return name


def explicit(work: Any, channel: Any) -> str:
    """What conda-lock renders: md5 only."""
    conda_lock_yml(work, channel)
    subprocess.run(
        [str(BIN / "conda-lock"), "render", "-k", "explicit", "-p", "linux-64", "deps.conda-lock.yml"],
        cwd=work.root, check=True, capture_output=True,
    )  # fmt: skip
    (work.root / "deps.conda-lock.yml").unlink()
    text = (work.root / "conda-linux-64.lock").read_text()
    kept = [line for line in text.splitlines() if not line.startswith("# pip")]
    (work.root / "conda-linux-64.lock").write_text("\n".join(kept) + "\n")
    return "conda-linux-64.lock"


@pytest.mark.parametrize("make", [pixi_lock, conda_lock_yml, explicit])
def test_conda_packages_are_taken_as_they_are_and_stay(work: Any, channel: Any, make: Any) -> None:
    name = make(work, channel)
    ended = work.run("lock", "--from", name)
    assert ended.code == 0, ended.stderr
    (target,) = lock_files.read(work.root).targets
    assert {package.name: package.version for package in target.conda} == WANTED
    for package in target.conda:
        made = channel.built[package.filename]
        assert package == made.locked(channel.url, requested=package.requested)
    assert [package.name for package in target.conda if package.requested] == ["beta", "pip"]
    assert target.python == "3.12.4"
    expected = [] if make is explicit else ["alpha"]
    assert [wheel.name for wheel in target.wheels] == expected
    assert not any(deb.name.startswith("python") for deb in target.base.packages)
    before = work.lock_files()
    ended = work.run("lock", "--offline")
    assert (ended.code, ended.stdout) == (0, "unchanged\n"), ended.stderr
    assert work.lock_files() == before


def test_a_package_with_a_wrong_hash(work: Any, channel: Any) -> None:
    name = conda_lock_yml(work, channel)
    text = (work.root / name).read_text()
    right = channel.find("beta").locked(channel.url).digest.hex
    (work.root / name).write_text(text.replace(right, "f" * 64))
    ended = work.run("lock", "--from", name)
    assert ended.code == 6
    assert right in ended.stderr
    assert "beta-1.0-py312_0" in ended.stderr
    assert "f" * 64 in ended.stderr


def test_a_package_that_another_needs_and_that_is_not_there(work: Any, channel: Any) -> None:
    name = explicit(work, channel)
    lines = (work.root / name).read_text().splitlines()
    (work.root / name).write_text("\n".join(line for line in lines if "zlib" not in line) + "\n")
    ended = work.run("lock", "--from", name)
    assert ended.code == 3
    assert "python needs zlib" in ended.stderr


def test_a_conda_prefix_with_pip_packages_in_it(work: Any, channel: Any, tmp_path: Path) -> None:
    from rattler import install

    prefix = tmp_path / "miniforge" / "envs" / "train"
    asyncio.run(install(records(channel), prefix, cache_dir=tmp_path / "rattler", show_progress=False))
    alpha = prefix / "lib/python3.12/site-packages/alpha-1.0.dist-info"
    alpha.mkdir(parents=True)
    (alpha / "METADATA").write_text("Metadata-Version: 2.1\nName: alpha\nVersion: 1.0\n")
    ended = work.run("lock", "--from-env", CONDA_PREFIX=str(prefix), VIRTUAL_ENV="")
    assert ended.code == 0, ended.stderr
    (target,) = lock_files.read(work.root).targets
    assert {package.name: package.version for package in target.conda} == WANTED
    assert [(wheel.name, wheel.version) for wheel in target.wheels] == [("alpha", "1.0")]
    assert target.python == "3.12.4"
    assert work.run("lock").stdout == "unchanged\n"
    assert str(tmp_path / "miniforge") not in (work.root / "conda-lock.yml").read_text()


def test_what_pip_replaced_in_a_conda_prefix_is_not_taken_twice(
    work: Any, channel: Any, tools: Any, tmp_path: Path
) -> None:
    from rattler import install

    prefix = tmp_path / "miniforge" / "envs" / "train"
    asyncio.run(install(records(channel), prefix, cache_dir=tmp_path / "rattler", show_progress=False))
    site = prefix / "lib/python3.12/site-packages"
    shutil.rmtree(site / "beta-1.0.dist-info")
    work.site.add_wheel("beta", tools.wheel_of("beta", "2.0"), "2.0")
    (site / "beta-2.0.dist-info").mkdir()
    (site / "beta-2.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: beta\nVersion: 2.0\n")
    ended = work.run("lock", "--from-env", CONDA_PREFIX=str(prefix), VIRTUAL_ENV="")
    assert ended.code == 3, ended.stderr
    assert "would be in the image twice" in ended.stderr
    assert "beta 1.0 comes from conda's beta 1.0" in ended.stderr
    assert "conda install --force-reinstall beta" in ended.stderr
    assert not (work.root / "envfreeze.lock").exists()


@pytest.mark.parametrize("version", [6, 7])
def test_versions_of_pixi_lock(work: Any, channel: Any, version: int) -> None:
    name = pixi_lock(work, channel)
    text = (work.root / name).read_text()
    assert text.startswith("version: 7\nplatforms:\n- name: linux-64\n")
    if version < 7:
        text = text.replace("version: 7\nplatforms:\n- name: linux-64\n", f"version: {version}\n")
        (work.root / name).write_text(text)
    ended = work.run("lock", "--from", name)
    assert ended.code == 0, ended.stderr
    (target,) = lock_files.read(work.root).targets
    assert {package.name: package.version for package in target.conda} == WANTED
    assert [wheel.name for wheel in target.wheels] == ["alpha"]
