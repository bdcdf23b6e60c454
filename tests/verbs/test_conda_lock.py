"""`lock` of projects with a conda side: real servers on loopback, the real conda-lock, pip and uv."""

from __future__ import annotations

import json
import os
import re
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
MINOR = f"3.{sys.version_info.minor}"
"""The tests' own, so that pip and uv can be run for it."""


def dist(name: str, version: str, *, folder: str = "site-packages") -> str:
    return f"{folder}/{name}-{version}.dist-info/METADATA"


@pytest.fixture
def channel(conda_channel: ModuleType, tmp_path: Path) -> Iterator[Any]:
    with conda_channel.serve(tmp_path / "channel") as served:
        item = conda_channel.Item(b"x\n")
        make = conda_channel.package
        lib = f"lib/python{MINOR}/site-packages"
        served.add(
            make("python", f"{MINOR}.4", "h0_0_cpython", depends=["__glibc >=2.17,<3.0.a0", "zlib"]),
            make("python", f"{MINOR}.3", "h0_0_cpython", depends=["__glibc >=2.17,<3.0.a0", "zlib"]),
            make("zlib", "1.3.1", "h1_0"),
            make(
                "pip", "24.0", "pyh_0", noarch="python", depends=["python"], paths={dist("pip", "24.0"): item}
            ),
            make(
                "beta",
                "2.0",
                "py312_0",
                depends=[f"python {MINOR}.*"],
                paths={dist("beta", "2.0", folder=lib): item},
            ),
            make(
                "beta",
                "1.0",
                "py312_0",
                depends=[f"python {MINOR}.*"],
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
    work.write("environment.yml", environment(channel, f"python={MINOR}", "beta=1.0", "pip"))
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
        ("python", f"{MINOR}.4"),
        ("zlib", "1.3.1"),
    ]
    assert target.python == f"{MINOR}.4"
    assert target.prefix == "opt/conda"
    # alpha asks for beta, which conda has.
    assert [wheel.name for wheel in target.wheels] == ["alpha", "gamma"]
    assert not any(deb.name.startswith("python") for deb in target.base.packages)
    assert target.conda[0] == channel.built["beta-1.0-py312_0.conda"].locked(channel.url, requested=True)


@pytest.fixture
def locked(mixed: Any) -> Any:
    """The mixed project, locked."""
    ended = mixed.run("lock")
    assert ended.code == 0, ended.stderr
    return mixed


def test_conda_lock_itself_reads_renders_and_finds_it_up_to_date(locked, channel, tmp_path):
    fake = tmp_path / "conda"
    fake.write_text('#!/bin/sh\n[ "$1" = --version ] && echo conda 24.1.0 && exit 0\nexit 9\n')
    fake.chmod(0o755)
    before = locked.lock_files()

    def conda_lock(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [BIN / "conda-lock", *arguments], cwd=locked.root, capture_output=True, text=True, check=True
        )

    conda_lock("render", "--kind", "explicit", "-p", "linux-64", lockfile.NAME)
    explicit = (locked.root / "conda-linux-64.lock").read_text()
    for built in (f"python-{MINOR}.4-h0_0_cpython.conda", "beta-1.0-py312_0.conda"):
        package = channel.built[built].locked(channel.url)
        assert f"{package.url}#{package.md5}\n" in explicit
    assert "# pip alpha @ " in explicit
    checked = conda_lock(
        *("lock", "-f", "environment.yml", "-p", "linux-64", "--lockfile", lockfile.NAME),
        *("--check-input-hash", "--no-mamba", "--no-micromamba", "--conda", str(fake)),
    )
    assert "Skipping solve" in checked.stderr
    (locked.root / "conda-linux-64.lock").unlink()
    assert locked.lock_files() == before


def test_pip_and_uv_take_the_pip_side_where_conda_has_the_rest(locked, tmp_path):
    python = tmp_path / "venv" / "bin" / "python"
    uv = [str(BIN / "uv"), "--no-config"]
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    site = next((tmp_path / "venv" / "lib").glob("python3*/site-packages"))
    (site / "beta-1.0.dist-info").mkdir()
    (site / "beta-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: beta\nVersion: 1.0\n")
    pip = [python, "-m", "pip", "install", "--dry-run", "--require-hashes", "--only-binary", ":all:"]
    index = ["--index-url", f"{locked.site.url}/simple/"]
    said = subprocess.run(
        [*pip, *index, "-r", locked.root / "requirements.lock.txt"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Would install alpha-1.0 gamma-1.0" in said.stdout
    said = subprocess.run(
        [*uv, "pip", "sync", "--dry-run", "--python", python, "pylock.toml"],
        cwd=locked.root,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "+ alpha" in said.stderr, said.stderr
    assert "+ gamma" in said.stderr, said.stderr


def test_a_lock_made_again_changes_no_byte_and_needs_no_network(locked, channel):
    before = locked.lock_files()
    asked = channel.asked.total()
    ended = locked.run("lock", "--offline")
    assert ended.code == 0, ended.stderr
    assert locked.lock_files() == before
    assert channel.asked.total() == asked
    # Made from nothing, with the cache alone, it is the same.
    for name in before:
        (locked.root / name).unlink()
    ended = locked.run("lock", "--offline")
    assert ended.code == 0, ended.stderr
    assert {name: content for name, (content, _) in locked.lock_files().items()} == {
        name: content for name, (content, _) in before.items()
    }


def test_drift_and_change_of_the_conda_side_are_told(locked):
    before = locked.lock_files()
    locked.replace("environment.yml", "beta=1.0", "beta=2.0")
    ended = locked.run("lock", "--check")
    assert ended.code == 1
    assert "conda's beta 1.0 py312_0 no longer fits; 2.0 py312_0 would" in ended.stderr + ended.stdout
    assert locked.lock_files() == before
    ended = locked.run("lock", "--json")
    assert ended.code == 0, ended.stderr
    changes = json.loads(ended.stdout)["changes"]
    assert [(row["side"], row["name"], row["before"], row["after"]) for row in changes] == [
        ("conda", "beta", "1.0", "2.0")
    ]


def test_without_a_python_of_condas_the_image_keeps_the_bases(mixed, channel):
    mixed.write("environment.yml", environment(channel, "zlib"))
    assert mixed.run("lock").code == 0
    (target,) = lock_files.read(mixed.root).targets
    assert target.python == "3.13.5"
    assert target.prefix == "opt/venv"
    assert [package.name for package in target.conda] == ["zlib"]
    assert [wheel.name for wheel in target.wheels] == ["alpha", "beta", "gamma"]
    document = yaml.safe_load((mixed.root / lockfile.NAME).read_bytes())
    assert {row["manager"] for row in document["package"]} == {"conda"}


def test_where_python_comes_from_can_be_told(mixed, channel, refused):
    mixed.replace("envfreeze.toml", "[image]\n", '[image]\npython-source = "standalone"\n')
    said = refused(mixed, 2, "lock")
    assert '[image] python-source is "standalone", and the conda packages bring Python' in said
    mixed.replace("envfreeze.toml", '"standalone"', '"conda"')
    mixed.write("environment.yml", environment(channel, "zlib", "pip"))
    ended = mixed.run("lock")
    assert ended.code == 0, ended.stderr
    (target,) = lock_files.read(mixed.root).targets
    assert (target.python, target.prefix) == (f"{MINOR}.4", "opt/conda")
    assert mixed.run("lock", "--check").stdout == "current\n"


def test_taking_the_conda_side_away_takes_its_file_away(locked):
    locked.replace("envfreeze.toml", '[conda]\nenvironment = "environment.yml"\n', "")
    ended = locked.run("lock")
    assert ended.code == 0, ended.stderr
    (target,) = lock_files.read(locked.root).targets
    assert target.conda == ()
    assert target.python == "3.13.5"
    assert not (locked.root / lockfile.NAME).exists()


def test_a_conda_lock_file_of_somebody_else_is_not_written_over(mixed, refused):
    mixed.write(lockfile.NAME, "version: 1\n")
    assert lockfile.NAME in refused(mixed, 2, "lock")


def test_an_edited_conda_lock_file_is_refused_and_locking_repairs_it(locked):
    path = locked.root / lockfile.NAME
    path.write_text(path.read_text().replace("1.3.1", "1.3.0"))
    with pytest.raises(lock_files.EditedError, match="edited by hand"):
        lock_files.read(locked.root)
    assert locked.run("lock", "--check").code == 1
    assert locked.run("lock").code == 0
    assert "1.3.0" not in path.read_text()


def test_link_scripts_are_refused_by_name_unless_allowed(mixed, channel, refused):
    mixed.write("environment.yml", environment(channel, "zlib", "scripted"))
    said = refused(mixed, 2, "lock")
    assert "scripted 1.0: bin/.scripted-post-link.sh, bin/.scripted-pre-unlink.sh" in said
    assert 'allow-link-scripts = ["scripted"]' in said
    mixed.replace("envfreeze.toml", "[conda]\n", '[conda]\nallow-link-scripts = ["scripted"]\n')
    assert mixed.run("lock").code == 0


def test_a_conflict_is_explained_in_terms_of_both_sides(mixed, refused):
    mixed.write("requirements.txt", "alpha\nbeta==3.0\n")
    said = refused(mixed, 3, "lock")
    assert "beta 1.0 comes from conda's beta 1.0 (asked for by environment.yml)" in said
    assert "beta==3.0" in said


def test_what_is_locked_says_no_password(mixed, channel, tmp_path):
    channel.credentials = "ada:s3cret"
    url = channel.url.replace("http://", "http://${CHANNEL_USER}:${CHANNEL_PASSWORD}@")
    mixed.write("environment.yml", environment(channel, f"python={MINOR}").replace(channel.url, f'"{url}"'))
    ended = mixed.run("lock")
    assert ended.code == 2
    assert "CHANNEL_USER" in ended.stderr
    ended = mixed.run("lock", CHANNEL_USER="ada", CHANNEL_PASSWORD="wrong")
    assert ended.code == 4
    assert "does not let us in (401)" in ended.stderr
    assert "wrong" not in ended.stderr
    ended = mixed.run("lock", CHANNEL_USER="ada", CHANNEL_PASSWORD="s3cret")
    assert ended.code == 0, ended.stderr
    for content, _ in mixed.lock_files().values():
        assert b"s3cret" not in content
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login ada password s3cret\n")
    netrc.chmod(0o600)
    mixed.write("environment.yml", environment(channel, f"python={MINOR}"))
    ended = mixed.run("lock", "--upgrade", NETRC=str(netrc))
    assert ended.code == 0, ended.stderr


def test_the_commands_of_the_how_to_page_work(mixed, channel):
    page = (Path(__file__).parents[2] / "docs/how-to/conda.md").read_text()
    blocks = re.findall(r"^```(\S+)(?: here)?\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (file, _) = (text for kind, text in blocks if kind == "yaml")
    mixed.write("environment.yml", file.replace("conda-forge", channel.url).replace("3.12", MINOR))
    mixed.write("requirements.txt", "")
    suites = Path(__file__).with_name("with_suites.py")
    face = f'envfreeze() {{ "{sys.executable}" "{suites}" "{mixed.suites}" "$@"; }}\n'
    done = subprocess.run(
        ["bash", "-eu", "-o", "pipefail"],
        cwd=mixed.root,
        env=os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}", "ENVFREEZE_CACHE": str(mixed.cache)},
        input=face + "".join(text for kind, text in blocks if kind == "sh"),
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (target,) = lock_files.read(mixed.root).targets
    assert [wheel.name for wheel in target.wheels] == ["alpha"]
    assert [package.name for package in target.conda] == ["beta", "pip", "python", "zlib"]


def test_two_platforms_are_locked_side_by_side(mixed: Any, channel: Any, conda_channel: ModuleType) -> None:
    make = conda_channel.package
    path = dist("beta", "1.0", folder=f"lib/python{MINOR}/site-packages")
    channel.add(
        make(
            "python",
            f"{MINOR}.4",
            "h0_0_cpython",
            subdir="linux-aarch64",
            depends=["__glibc >=2.17,<3.0.a0", "zlib"],
        ),
        make("zlib", "1.3.1", "h1_0", subdir="linux-aarch64"),
        make(
            "beta",
            "1.0",
            "py312_0",
            subdir="linux-aarch64",
            depends=[f"python {MINOR}.*"],
            paths={path: conda_channel.Item(b"x\n")},
        ),
    )
    channel.index()
    mixed.site.publish(architectures=("amd64", "arm64"))
    mixed.replace("envfreeze.toml", "[image]\n", '[image]\nplatform = ["linux/amd64", "linux/arm64"]\n')
    ended = mixed.run("lock")
    assert ended.code == 0, ended.stderr
    lock = lock_files.read(mixed.root)
    assert [str(target.platform) for target in lock.targets] == ["linux/amd64", "linux/arm64"]
    for target, subdir in zip(lock.targets, ("linux-64", "linux-aarch64"), strict=True):
        assert {one.name: one.subdir for one in target.conda} == {
            "beta": subdir,
            "pip": "noarch",
            "python": subdir,
            "zlib": subdir,
        }
        assert [wheel.name for wheel in target.wheels] == ["alpha", "gamma"]
    document = yaml.safe_load((mixed.root / "conda-lock.yml").read_text())
    assert set(document["metadata"]["content_hash"]) == {"linux-64", "linux-aarch64"}
    assert mixed.run("lock").stdout == "unchanged\n"
    assert mixed.run("lock", "--check").stdout == "current\n"


def test_all_sides_of_the_lock_are_explained(locked):
    said = locked.run("tree", "--side", "conda").stdout
    assert "beta 1.0  <- environment.yml" in said
    assert f"-- python {MINOR}.4" in said
    assert "zlib 1.3.1" in said
    said = locked.run("tree", "alpha").stdout
    assert "beta 1.0 [conda]" in said
    said = locked.run("why", "beta").stdout
    assert "environment.yml -> beta 1.0" in said
    assert "requirements.txt -> alpha 1.0 [pip] -> beta 1.0" in said
    assert f"environment.yml -> python {MINOR}.4 -> zlib 1.3.1" in locked.run("why", "zlib").stdout
    assert "libc6" in locked.run("why", "libc6").stdout
