"""`envfreeze lock --from`: lock files of other tools, made by those tools, taken as they are."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from uv import find_uv_bin

from envfreeze.digest import Digest
from envfreeze.locking import files as lock_files
from envfreeze.oci import layout

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType, SimpleNamespace

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


def test_check_tells_when_the_source_has_moved(with_uv_lock: Work) -> None:
    work = with_uv_lock
    assert work.run("lock", "--from", "uv.lock").code == 0
    uv(work, "lock", "--upgrade")
    ended = work.run("lock", "--check")
    assert (ended.code, ended.stdout) == (1, "drift\n")
    assert "alpha 1.0 no longer fits; 2.0 would" in ended.stderr
    assert work.run("lock").stdout == "locked\n"
    assert pins(work)["alpha"][0] == "2.0"


def test_resolve_leaves_the_source(with_uv_lock: Work) -> None:
    work = with_uv_lock
    assert work.run("lock", "--from", "uv.lock").code == 0
    ended = work.run("lock", "--resolve", "--upgrade")
    assert ended.code == 0, ended.stderr
    assert pins(work)["alpha"][0] == "2.0"
    assert "uv.lock" not in (work.root / "envfreeze.lock").read_text()
    assert work.run("lock").stdout == "unchanged\n"


def test_a_lock_beside_pyproject_is_not_taken_unasked_and_it_is_said(with_uv_lock: Work) -> None:
    ended = with_uv_lock.run("lock")
    assert ended.code == 0, ended.stderr
    assert pins(with_uv_lock)["alpha"][0] == "2.0"
    assert "envfreeze lock --from uv.lock" in ended.stderr


def test_a_lock_alone_in_a_folder_is_found(with_uv_lock: Work) -> None:
    work = with_uv_lock
    (work.root / "pyproject.toml").unlink()
    assert work.run("lock").code == 0
    assert pins(work) == served(work, "alpha", "beta")
    assert work.run("lock").stdout == "unchanged\n"


def test_the_key_does_what_the_option_does(with_uv_lock: Work) -> None:
    work = with_uv_lock
    work.replace("envfreeze.toml", "[pip]", '[pip]\nlock = "uv.lock"\ngroups = ["dev"]')
    assert work.run("lock").code == 0
    assert pins(work) == served(work, "alpha", "beta", "gamma")
    assert work.run("lock", "--check").stdout == "current\n"
    assert work.run("lock", "--from", "uv.lock").stdout == "unchanged\n"


def test_the_lock_of_an_environment_stays(work: Work) -> None:
    uv(work, "venv", str(work.root.parent / "env"))
    python = str(work.root.parent / "env/bin/python")
    index = f"{work.site.url}/simple/"
    subprocess.run(
        [find_uv_bin(), "pip", "install", "--no-config", "-q", "--python", python, "-i", index, "alpha"],
        check=True,
    )
    # The image has Python 3.13: an environment of that version is what can be taken.
    env = work.root.parent / "env"
    minor = "python{}.{}".format(*sys.version_info[:2])
    if minor != "python3.13":
        (env / "lib" / minor).rename(env / "lib/python3.13")
        config = (env / "pyvenv.cfg").read_text().splitlines()
        kept = [line for line in config if not line.startswith("version")]
        (env / "pyvenv.cfg").write_text("\n".join([*kept, "version_info = 3.13.1"]) + "\n")
    (work.root / "requirements.txt").unlink()
    ended = work.run("lock", "--from-env", VIRTUAL_ENV=str(env))
    assert ended.code == 0, ended.stderr
    assert pins(work) == served(work, "alpha", "beta")
    assert '"<environment>"' in (work.root / "envfreeze.lock").read_text()
    before = work.lock_files()
    assert work.run("lock").stdout == "unchanged\n"
    assert work.lock_files() == before
    assert work.run("lock", "--check").stdout == "current\n"
    work.replace("envfreeze.toml", 'workdir = "/app"', 'workdir = "/work"')
    assert work.run("lock").stdout == "locked\n"
    assert pins(work) == served(work, "alpha", "beta")
    assert work.run("lock", "--from-env-at", str(env)).stdout == "unchanged\n"


def test_what_cannot_be_asked_for(with_uv_lock: Work) -> None:
    work = with_uv_lock
    (work.root.parent / "elsewhere.lock").write_text("")
    for arguments, expected in (
        (("--from", "uv.lock", "--from-env"), "three sources"),
        (("--from", "../elsewhere.lock"), "is not in the project"),
        (("--from", "nothing.lock"), "nothing.lock does not exist"),
        (("--from", "train.py"), "is not a lock file that can be read"),
        (("--from-env", "--check"), "goes with writing the lock"),
    ):
        ended = work.run("lock", *arguments)
        assert ended.code == 2, ended.stderr
        assert expected in ended.stderr


def test_a_package_of_a_taken_lock_is_upgraded_where_it_was_locked(with_uv_lock: Work) -> None:
    work = with_uv_lock
    assert work.run("lock", "--from", "uv.lock").code == 0
    ended = work.run("lock", "--upgrade-package", "alpha")
    assert ended.code == 2
    assert "alpha comes from uv.lock" in ended.stderr


def test_what_has_no_wheel_is_built_and_its_folder_is_watched(
    work: Work, source_of: Any, sdist_of: Any, tools: SimpleNamespace
) -> None:
    (work.root / "requirements.txt").unlink()
    packed = sdist_of(source_of("delta", requires=["beta"], build=["tool"], body="import tool"), "delta")
    work.site.files["/wheels/delta-1.0.tar.gz"] = packed.read_bytes()
    work.site.add_wheel("tool", tools.wheel_of("tool"))
    (work.root / "inner").mkdir()
    for name, text in source_of("inner", static=True).items():
        work.write(f"inner/{name}", text)
    work.write(
        "pyproject.toml",
        '[project]\nname = "app"\nversion = "0"\nrequires-python = ">=3.11"\n'
        'dependencies = ["delta", "inner"]\n[tool.uv.sources]\ninner = { path = "inner" }\n',
    )
    uv(work, "lock")
    refused = work.run("lock", "--from", "uv.lock")
    assert refused.code == 3
    assert 'allow-sdist = ["delta"]' in refused.stderr
    work.write("envfreeze.toml", (work.root / "envfreeze.toml").read_text() + 'allow-sdist = ["delta"]\n')
    ended = work.run("lock", "--from", "uv.lock")
    assert ended.code == 0, ended.stderr
    assert sorted(pins(work)) == ["beta", "delta", "inner"]
    assert work.run("why", "beta").stdout.splitlines()[-1].strip().endswith("delta 1.0 -> beta 1.0")
    assert work.run("lock", "--offline").stdout == "unchanged\n"
    assert work.run("lock", "--check").stdout == "current\n"
    work.write("inner/more.py", "x = 1\n")
    ended = work.run("lock", "--check")
    assert (ended.code, ended.stdout) == (1, "drift\n"), ended.stderr
    assert work.run("lock").stdout == "locked\n"
    assert work.run("lock", "--check").stdout == "current\n"
    assert work.run("build").code == 0


def test_the_packages_of_an_image_in_a_registry_are_taken(work: Work, registry_server: ModuleType) -> None:
    assert work.run("lock").code == 0
    assert work.run("build").code == 0
    before = pins(work)
    for name in ("requirements.txt", "envfreeze.lock"):
        (work.root / name).unlink()
    with registry_server.serve() as registry:
        registry.push(layout.read(work.root / ".envfreeze" / "image"), "team/trainer", "1")
        ended = work.run("lock", "--from-env-at", f"{registry.host}/team/trainer:1")
        assert ended.code == 0, ended.stderr
        assert pins(work) == before
        ended = work.run("lock", "--from-env-at", f"{registry.host}/team/trainer:2")
        assert ended.code == 4
        assert f"{registry.host}/team/trainer:2" in ended.stderr


def test_the_packages_of_an_image_are_taken_and_stay(work: Work) -> None:
    """The image is one that envfreeze built, and its packages give the lock that it was built from."""
    assert work.run("lock").code == 0
    assert work.run("build", "--archive", "../image.tar").code == 0
    before = pins(work)
    for name in ("requirements.txt", "envfreeze.lock"):
        (work.root / name).unlink()
    ended = work.run("lock", "--from-env-at", "../image.tar")
    assert ended.code == 0, ended.stderr
    assert pins(work) == before
    (target,) = lock_files.read(work.root).targets
    assert [wheel.name for wheel in target.wheels if wheel.requested] == ["alpha", "gamma"]
    assert "in the environment /opt/venv of the image ../image.tar: 3 Python packages" in ended.stderr
    assert work.run("lock").stdout == "unchanged\n"
    assert work.run("why", "beta").code == 0
    ended = work.run("lock", "--from-env-at", "../image.tar", "--from-env-prefix", "/opt/other")
    assert ended.code == 2
    assert "--from-env-prefix /opt/venv" in ended.stderr
    work.replace("envfreeze.toml", "[image]", '[image]\nplatform = "linux/arm64"')
    ended = work.run("lock", "--from-env-at", "../image.tar")
    assert ended.code == 2
    assert "no image for linux/arm64; it is for linux/amd64" in ended.stderr
