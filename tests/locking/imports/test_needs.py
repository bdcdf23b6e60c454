"""Who needs whom in imported locks: from their own tables, else from the packages' metadata."""

from __future__ import annotations

import sys

import pytest
import tomli_w

from envfreeze.digest import Digest

EDGES = {
    "alpha": ("beta", "speed"),
    "beta": (),
    "gamma": (),
    "numlib": (),
    "speed": (),
}
"""What needs what in the project on linux/amd64: `alpha[fast]` needs speed."""


def needs(wheels):
    return {wheel.name: wheel.dependencies for wheel in wheels}


def compile_with_uv(world, output, *options):
    world.uv(
        "pip", "compile", "pyproject.toml", "--output-file", output, "--python-version", "3.13.5",
        "--python", sys.executable, "--python-platform", "x86_64-manylinux_2_40", *options,
    )  # fmt: skip
    return output


def uv_lock(world):
    world.uv_lock()
    return "uv.lock"


def pylock(world):
    return compile_with_uv(world, "pylock.app.toml", "--format", "pylock.toml")


def requirements(world):
    return compile_with_uv(world, "locked.txt", "--generate-hashes")


@pytest.mark.parametrize("lock", [uv_lock, pylock, requirements])
def test_the_project_s_extras_lead_where_they_should(world, lock):
    wheels = world.take(lock(world)).wheels
    assert needs(wheels) == EDGES
    assert [wheel.name for wheel in wheels if wheel.requested] == ["alpha", "gamma", "numlib"]


def test_without_the_network_a_lock_with_tables_still_tells(world):
    world.uv_lock()
    assert needs(world.take("uv.lock", offline=True).wheels) == EDGES


def test_markers_are_those_of_the_target(world, make_wheel):
    wheels = [
        make_wheel("top", requires=["left; platform_machine == 'x86_64'", "right; python_version < '3.13'"]),
        make_wheel("left"),
        make_wheel("right"),
    ]
    world.index.add(*wheels)
    world.wheels |= {path.name: path for path in wheels}
    (world.root / "pyproject.toml").unlink()
    world.write("locked.txt", "left==1.0\nright==1.0\ntop==1.0\n")
    assert needs(world.take("locked.txt").wheels)["top"] == ("left",)
    assert needs(world.take("locked.txt", platform="linux/arm64", python="3.12.1").wheels)["top"] == (
        "right",
    )


def test_versions_that_do_not_fit_each_other_are_taken_as_they_are(world, make_wheel):
    top = make_wheel("top", requires=["beta>=9"])
    world.index.add(top)
    (world.root / "pyproject.toml").unlink()
    world.write("locked.txt", "beta==1.5\ntop==1.0\n")
    assert needs(world.take("locked.txt").wheels) == {"beta": (), "top": ("beta",)}


def test_what_nothing_needs_is_asked_for_where_nobody_says_more(world):
    name = requirements(world)
    (world.root / "pyproject.toml").unlink()
    world.write(name, world.read(name).replace("alpha==", "alpha[fast]=="))
    wheels = world.take(name).wheels
    assert [wheel.name for wheel in wheels if wheel.requested] == ["alpha", "gamma", "numlib"]


def poetry(world, alpha):
    names = ("alpha-1.0-py3-none-any.whl", "beta-1.5-py3-none-any.whl", "delta-1.0-py3-none-any.whl")

    def row(filename, **more):
        name, version, *_ = filename.split("-")
        files = [{"file": filename, "hash": str(Digest.of_file(world.wheels[filename]))}]
        about = {"description": "", "optional": False, "python-versions": "*", "groups": ["main"]}
        return {"name": name, "version": version, "files": files, **about, **more}

    speed = "speed-1.0-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
    document = {
        "package": [
            row(names[0], **alpha),
            row(names[1]),
            row(names[2], dependencies={"alpha": {"version": "*", "extras": ["fast"]}, "beta": "<2"}),
            row(speed),
        ],
        "metadata": {"lock-version": "2.1", "python-versions": "*", "content-hash": "0"},
    }
    world.write("poetry.lock", tomli_w.dumps(document))
    (world.root / "pyproject.toml").unlink()


ALPHA = {
    "dependencies": {"beta": "*", "speed": {"version": "*", "optional": True, "markers": 'extra == "fast"'}},
    "extras": {"fast": ["speed"]},
}


def test_the_tables_of_poetry_2_with_extras_that_a_package_asks_for(world):
    poetry(world, ALPHA)
    wheels = world.take("poetry.lock").wheels
    assert needs(wheels) == {
        "alpha": ("beta", "speed"),
        "beta": (),
        "delta": ("alpha", "beta"),
        "speed": (),
    }
    assert [wheel.name for wheel in wheels if wheel.requested] == ["delta"]


def test_edges_whose_markers_do_not_hold_are_left_out(world):
    poetry(world, {"dependencies": {"beta": {"version": "*", "markers": "sys_platform == 'win32'"}}})
    assert needs(world.take("poetry.lock").wheels)["alpha"] == ()


def test_the_tables_of_a_pylock_that_has_some(world):
    alpha, beta = (world.wheels[name] for name in ("alpha-1.0-py3-none-any.whl", "beta-1.5-py3-none-any.whl"))

    def row(path, **more):
        name, version, *_ = path.name.split("-")
        hashes = {"sha256": Digest.of_file(path).hex}
        wheel = {"name": path.name, "url": world.index.file_url(path), "hashes": hashes}
        return {"name": name, "version": version, "wheels": [wheel], **more}

    document = {
        "lock-version": "1.0",
        "created-by": "tests",
        "packages": [row(alpha, dependencies=[{"name": "beta"}, {"name": "winonly"}]), row(beta)],
    }
    (world.root / "pyproject.toml").unlink()
    world.write("pylock.app.toml", tomli_w.dumps(document))
    assert needs(world.take("pylock.app.toml", offline=True).wheels) == {"alpha": ("beta",), "beta": ()}
