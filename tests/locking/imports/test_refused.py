"""What an import refuses: it names the culprit, and says what to do next."""

from __future__ import annotations

import sys

import pytest

from envfreeze.errors import ResolutionError, UntrustedError, UsageError

ALPHA = "alpha-1.0-py3-none-any.whl"


def said(error) -> str:
    return "\n".join((error.value.message, *error.value.details, error.value.hint))


def wrong(digest: str) -> str:
    return digest[:-4] + "0000"


def compile_requirements(world, *options: str) -> None:
    world.uv(
        "pip", "compile", "pyproject.toml", "--output-file", "locked.txt", "--python-version", "3.13.5",
        "--python-platform", "x86_64-manylinux_2_40", "--python", sys.executable, *options,
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["uv.lock", "locked.txt"])
def test_a_wrong_hash(world, kind):
    if kind == "uv.lock":
        world.uv_lock()
    else:
        compile_requirements(world, "--generate-hashes")
    right = world.sha256(ALPHA)
    world.write(kind, world.read(kind).replace(right, wrong(right)))
    with pytest.raises(UntrustedError) as caught:
        world.take(kind)
    text = said(caught)
    for part in (kind, "alpha 1.0", ALPHA, right, wrong(right), "write it anew"):
        assert part in text


def test_a_dependency_that_is_not_locked(world):
    compile_requirements(world)
    lines = world.read("locked.txt").splitlines()
    world.write("locked.txt", "\n".join(line for line in lines if not line.startswith("beta")))
    with pytest.raises(ResolutionError) as caught:
        world.take("locked.txt")
    assert "lacks beta" in caught.value.message
    assert caught.value.details == ("alpha needs beta",)


def test_a_graph_with_a_loose_end(world):
    world.uv_lock()
    text = world.read("uv.lock")
    start = text.index('[[package]]\nname = "beta"')
    world.write("uv.lock", text[:start] + text[text.index("[[package]]", start + 1) :])
    with pytest.raises(ResolutionError, match="alpha needs beta, which is not locked in it"):
        world.take("uv.lock")


def test_packages_without_a_wheel_are_all_named(world, make_sdist, make_wheel):
    world.index.add(make_sdist("first"), make_sdist("second"), make_wheel("win", tag="py3-none-win_amd64"))
    world.write(
        "pyproject.toml",
        '[project]\nname = "app"\nversion = "0"\nrequires-python = ">=3.11"\n'
        'dependencies = ["first", "second", "win"]\n',
    )
    world.uv_lock()
    with pytest.raises(ResolutionError) as caught:
        world.take("uv.lock")
    assert "3 packages without a wheel for linux/amd64, Python 3.13.5" in caught.value.message
    assert caught.value.details == (
        "first 1.0: no wheel for the target, only an sdist",
        "second 1.0: no wheel for the target, only an sdist",
        "win 1.0: no wheel for the target",
    )
    assert 'in [pip]: allow-sdist = ["first", "second"]' in caught.value.hint


def test_hashes_of_another_platform_s_files_only(world):
    compile_requirements(world, "--generate-hashes")
    arm = world.sha256("numlib-2.1-cp313-cp313-manylinux_2_28_aarch64.whl")
    amd = world.sha256("numlib-2.1-cp313-cp313-manylinux_2_28_x86_64.whl")
    world.write("locked.txt", world.read("locked.txt").replace(amd, arm))
    with pytest.raises(UntrustedError) as caught:
        world.take("locked.txt")
    assert "lacks the hashes of this platform's files" in said(caught)
    assert amd in said(caught)


def test_a_file_that_the_index_has_no_more(world):
    compile_requirements(world, "--generate-hashes")
    world.index.remove(world.wheels[ALPHA])
    with pytest.raises(ResolutionError, match=r"locked\.txt: what it locks is not on the index") as caught:
        world.take("locked.txt")
    assert "alpha==1.0" in said(caught)


def test_folders_of_sources_and_repositories(world):
    world.write(
        "uv.lock",
        'version = 1\nrequires-python = ">=3.11"\n'
        '[[package]]\nname = "app"\nversion = "0"\nsource = { virtual = "." }\n'
        'dependencies = [{ name = "mine" }, { name = "theirs" }]\n'
        '[[package]]\nname = "mine"\nversion = "0"\nsource = { editable = "libs/mine" }\n'
        '[[package]]\nname = "theirs"\nversion = "1"\n'
        'source = { git = "https://me:secret@git.example.org/theirs?rev=v1#0123456789" }\n',
    )
    world.write("pyproject.toml", "")
    with pytest.raises(ResolutionError) as caught:
        world.take("uv.lock")
    assert caught.value.details == (
        "mine 0: is a folder of sources (libs/mine) that is not there",
        (
            "theirs 1: comes from a version control system (https://git.example.org/theirs), "
            "and it is not locked to a commit"
        ),
    )


def test_a_lock_for_another_python(world):
    world.uv_lock()
    world.write("uv.lock", world.read("uv.lock").replace('">=3.11, <4"', '">=3.14"'))
    with pytest.raises(ResolutionError, match=r"for Python >=3\.14; the image has 3\.13\.5"):
        world.take("uv.lock")


def test_a_lock_for_another_environment(world):
    world.write(
        "pylock.win.toml",
        'lock-version = "1.0"\ncreated-by = "tests"\npackages = []\n'
        "environments = [\"sys_platform == 'win32'\"]\n",
    )
    with pytest.raises(ResolutionError) as caught:
        world.take("pylock.win.toml")
    assert caught.value.details == ('it is for: sys_platform == "win32"',)


def test_an_extra_that_is_not_there(world):
    world.uv_lock()
    with pytest.raises(UsageError, match=r"uv\.lock has no extra 'trian' \(it has train\)"):
        world.take("uv.lock", pip='extras = ["trian"]\n')


def test_the_project_asks_for_more_than_is_locked(world):
    world.uv_lock()
    world.write("pyproject.toml", world.read("pyproject.toml").replace('"gamma;', '"later",\n"gamma>=2;'))
    with pytest.raises(ResolutionError) as caught:
        world.take("uv.lock")
    assert caught.value.message == "uv.lock is not what the project asks for"
    assert caught.value.details == (
        'gamma>=2; sys_platform == "linux" is asked for, and 1.0 is locked',
        "later is asked for, and it is not locked",
    )
    assert "envfreeze lock --resolve" in caught.value.hint


def test_an_unpinned_line_is_named(world):
    world.write("locked.txt", "alpha==1.0\nbeta>=1\n")
    with pytest.raises(UsageError, match=r"locked\.txt, line 2: beta is not pinned to one version"):
        world.take("locked.txt")


def test_the_names_that_envfreeze_writes_itself(world):
    for name in ("pylock.toml", "conda-lock.yml"):
        world.write(name, 'lock-version = "1.0"\n')
        with pytest.raises(UsageError, match="is where envfreeze writes its own") as caught:
            world.take(name)
        assert f"mv {name} " in caught.value.hint


def test_no_credentials_come_along(world):
    world.uv_lock()
    secret = world.read("uv.lock").replace("http://127.0.0.1", "http://me:secret@127.0.0.1")
    world.write("uv.lock", secret)
    wheels = world.take("uv.lock").wheels
    assert not any("secret" in repr(wheel) for wheel in wheels)


def test_without_the_network_a_whole_lock_is_taken_and_it_is_said(world, main, heard):
    world.uv_lock()
    wheels = world.take("uv.lock", offline=True, progress=heard).wheels
    assert sorted(wheel.filename for wheel in wheels) == sorted(main)
    assert "uv.lock is taken as it is" in heard.warnings[0]


def test_the_lock_s_own_index_is_asked_where_the_project_s_has_nothing(world, main, monkeypatch):
    world.uv_lock()
    own = world.url
    empty = own.replace("/simple/", "/nothing/")
    monkeypatch.setattr(type(world), "url", property(lambda _: empty))
    assert world.taken("uv.lock") == world.expected(*main)
    assert any("/nothing/" in path for path in world.index.requests)
