"""Every format, in a file that its own tool wrote: locked with the same versions and hashes."""

from __future__ import annotations

import sys

import pytest

from envfreeze.locking.imports.selection import environment_of

ARM64 = (
    "alpha-1.0-py3-none-any.whl",
    "beta-1.5-py3-none-any.whl",
    "gamma-1.0-py3-none-any.whl",
    "numlib-2.1-cp313-cp313-manylinux_2_28_aarch64.whl",
    "speed-1.0-py3-none-manylinux_2_17_aarch64.manylinux2014_aarch64.whl",
)


@pytest.fixture
def newer(world, make_wheel):
    """Newer versions come to the index after the project was locked."""

    def publish() -> None:
        for name in ("alpha", "beta", "gamma"):
            world.index.add(make_wheel(name, "9.0"))

    return publish


def test_uv_lock(world, newer, main):
    world.uv_lock()
    newer()
    assert world.taken("uv.lock") == world.expected(*main)
    assert world.taken("uv.lock", platform="linux/arm64") == world.expected(*ARM64)


def test_uv_lock_of_another_python_takes_the_other_fork(world, main):
    world.uv_lock()
    taken = world.taken("uv.lock", python="3.12.3")
    assert "numlib-1.9-py3-none-any.whl" in taken
    assert len(taken) == len(main)


def test_uv_lock_with_extras_and_groups(world, main):
    world.uv_lock()
    taken = world.taken("uv.lock", pip='extras = ["train"]\ngroups = ["dev"]\n')
    assert taken == world.expected(*main, "delta-1.0-py3-none-any.whl", "epsilon-1.0-py3-none-any.whl")


def test_uv_lock_marks_what_the_project_asks_for(world):
    world.uv_lock()
    wheels = world.take("uv.lock").wheels
    assert [wheel.name for wheel in wheels if wheel.requested] == ["alpha", "gamma", "numlib"]


def test_conflicting_extras_of_a_uv_lock(world, make_wheel):
    pair = [make_wheel("kernel", "1.0"), make_wheel("kernel", "2.0")]
    world.index.add(*pair)
    world.wheels |= {path.name: path for path in pair}
    world.write(
        "pyproject.toml",
        '[project]\nname = "app"\nversion = "0"\nrequires-python = ">=3.11"\ndependencies = ["beta"]\n'
        '[project.optional-dependencies]\ncpu = ["kernel==1.0"]\ngpu = ["kernel==2.0"]\n'
        '[tool.uv]\nconflicts = [[{ extra = "cpu" }, { extra = "gpu" }]]\n',
    )
    world.uv_lock()
    for extra, version in (("cpu", "1.0"), ("gpu", "2.0")):
        taken = world.taken("uv.lock", pip=f'extras = ["{extra}"]\n')
        assert taken == world.expected("beta-1.5-py3-none-any.whl", f"kernel-{version}-py3-none-any.whl")
    assert world.taken("uv.lock") == world.expected("beta-1.5-py3-none-any.whl")


def compile_with_uv(world, output: str, *options: str) -> None:
    if "--universal" not in options:
        options += ("--python-platform", "x86_64-manylinux_2_40")
    world.uv(
        "pip", "compile", "pyproject.toml", "--output-file", output, "--python-version", "3.13.5",
        "--python", sys.executable, *options,
    )  # fmt: skip


def test_pylock_of_uv(world, newer, main):
    compile_with_uv(world, "pylock.app.toml", "--format", "pylock.toml")
    newer()
    assert world.taken("pylock.app.toml") == world.expected(*main)


def test_pylock_of_uv_for_all_platforms_and_extras(world, main):
    world.uv_lock()
    world.run(
        world_uv(), "export", "--frozen", "--quiet", "--no-emit-project", "--format", "pylock.toml",
        "--output-file", "pylock.all.toml",
    )  # fmt: skip
    assert set(world.expected(*main)) <= set(world.taken("pylock.all.toml"))
    arm = world.taken("pylock.all.toml", platform="linux/arm64")
    assert set(world.expected(*ARM64)) <= set(arm)


def world_uv() -> str:
    from uv import find_uv_bin

    return find_uv_bin()


def test_pylock_of_pip(world, newer):
    world.write("wanted.txt", "alpha[fast]\ngamma\n")
    world.run(
        sys.executable, "-m", "pip", "--isolated", "lock", "--index-url", world.url, "--output",
        "pylock.pip.toml", "--no-cache-dir", "--quiet", "--disable-pip-version-check", "-r", "wanted.txt",
    )  # fmt: skip
    newer()
    world.write("pyproject.toml", '[project]\nname = "app"\nversion = "0"\ndependencies = ["alpha"]\n')
    assert world.taken("pylock.pip.toml") == world.expected(
        "alpha-1.0-py3-none-any.whl",
        "beta-1.5-py3-none-any.whl",
        "gamma-1.0-py3-none-any.whl",
        "speed-1.0-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
    )


def test_requirements_with_hashes_of_uv(world, newer, main):
    compile_with_uv(world, "locked.txt", "--generate-hashes")
    newer()
    assert world.taken("locked.txt") == world.expected(*main)


def test_requirements_with_markers_of_uv(world, main):
    compile_with_uv(world, "locked.txt", "--generate-hashes", "--universal")
    assert world.taken("locked.txt") == world.expected(*main)
    assert world.taken("locked.txt", platform="linux/arm64") == world.expected(*ARM64)


def test_requirements_with_hashes_of_pip_compile(world, newer):
    world.write("wanted.in", "alpha[fast]\ngamma\n")
    world.run(
        sys.executable, "-m", "piptools", "compile", "--no-config", "--quiet", "--generate-hashes",
        "--index-url", world.url, "--output-file", "locked.txt",
        "--cache-dir", str(world.root.parent / "pip"), "wanted.in",
    )  # fmt: skip
    newer()
    world.write("pyproject.toml", '[project]\nname = "app"\nversion = "0"\n')
    assert world.taken("locked.txt") == world.expected(
        "alpha-1.0-py3-none-any.whl",
        "beta-1.5-py3-none-any.whl",
        "gamma-1.0-py3-none-any.whl",
        "speed-1.0-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
    )


def test_pinned_requirements_without_hashes_get_those_of_the_index(world, newer, main):
    compile_with_uv(world, "locked.txt")
    newer()
    assert world.taken("locked.txt") == world.expected(*main)


def test_the_environment_of_markers_is_the_target_s_alone():
    from envfreeze.locking.pip import PipTarget
    from envfreeze.oci.platform import Platform

    found = environment_of(PipTarget(Platform("linux", "arm64"), "3.12.3", "2.36"))
    assert found["platform_machine"] == "aarch64"
    assert (found["python_version"], found["python_full_version"]) == ("3.12", "3.12.3")
    assert found["platform_release"] == ""
