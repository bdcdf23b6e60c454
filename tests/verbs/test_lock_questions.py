"""What `lock` does to a lock that is there, and the questions that can be asked of it."""

from __future__ import annotations

import tomllib

import pytest


@pytest.fixture
def locked(small_project):
    """The small project with the lock that `envfreeze lock` made."""
    work = small_project()
    assert work.run("lock").code == 0
    return work


@pytest.fixture
def newer(tools):
    """Put newer versions on the index."""

    def release(work, *names):
        for name in names:
            requires = ["beta"] if name == "alpha" else []
            work.site.add_wheel(name, tools.wheel_of(name, "1.1", requires=requires), "1.1")

    return release


def versions(work):
    document = tomllib.loads((work.root / "pylock.toml").read_text())
    return {package["name"]: package["version"] for package in document["packages"]}


def asked(work, *arguments):
    """Ask, and see that nothing was written."""
    before = work.lock_files()
    ended = work.run("lock", *arguments)
    assert work.lock_files() == before
    assert not work.leftovers()
    return ended


def test_a_second_lock_asks_nobody_and_touches_nothing(locked):
    before = locked.site.asked.copy()
    ended = asked(locked)
    assert (ended.code, ended.stdout) == (0, "unchanged\n")
    assert locked.site.asked == before


def test_a_lock_made_elsewhere_anew_has_the_same_bytes(locked, small_project):
    there = small_project(where="elsewhere")
    there.cache = there.cache.with_name("another-cache")
    assert there.run("lock", TZ="Asia/Tokyo", LC_ALL="C", HOME=str(there.temporary)).code == 0
    assert {name: content for name, (content, _) in there.lock_files().items()} == {
        name: content for name, (content, _) in locked.lock_files().items()
    }


def test_check_agrees_with_a_lock_that_is_current(locked):
    ended = asked(locked, "--check")
    assert (ended.code, ended.stdout) == (0, "current\n")


def test_a_comment_is_no_drift(locked):
    locked.write("requirements.txt", "# what we need\nalpha\n\ngamma  # for training\n")
    ended = asked(locked, "--check")
    assert (ended.code, ended.stdout) == (0, "current\n")


def test_a_new_requirement_is_drift_and_named(locked, tools):
    locked.site.add_wheel("delta", tools.wheel_of("delta"))
    locked.write("requirements.txt", "alpha\ngamma\ndelta\n")
    ended = asked(locked, "--check")
    assert (ended.code, ended.stdout) == (1, "drift\n")
    assert "delta 1.0 is needed and not locked" in ended.stderr
    assert "alpha" not in ended.stderr


def test_a_requirement_less_is_drift_and_named(locked):
    locked.write("requirements.txt", "alpha\n")
    ended = asked(locked, "--check")
    assert ended.code == 1
    assert "gamma 1.0 is locked and not needed" in ended.stderr


def test_a_pin_that_no_longer_fits_is_drift_and_named(locked, newer):
    newer(locked, "gamma")
    locked.write("requirements.txt", "alpha\ngamma>1.0\n")
    ended = asked(locked, "--check")
    assert ended.code == 1
    assert "gamma 1.0 no longer fits; 1.1 would" in ended.stderr


def test_another_command_or_os_package_is_drift_and_named(locked):
    locked.replace("envfreeze.toml", '"train.py"]\n\n', '"train.py", "--fast"]\npackages = ["git"]\n\n')
    ended = asked(locked, "--check")
    assert ended.code == 1
    assert "[image] cmd" in ended.stderr
    assert "the OS package git is asked for and not locked" in ended.stderr


def test_an_edited_lock_is_drift(locked):
    locked.replace("envfreeze.lock", '"2.41-12"', '"2.41-13"')
    ended = asked(locked, "--check")
    assert (ended.code, ended.stdout) == (1, "drift\n")
    assert "envfreeze.lock was edited by hand" in ended.stderr
    assert locked.run("lock").code == 0
    assert asked(locked, "--check").code == 0


def test_a_newer_release_is_no_drift_but_outdated(locked, newer, tools):
    newer(locked, "alpha", "beta")
    locked.site.add_deb("tzdata", tools.deb_of("tzdata", "2026b-1", {}, architecture="all"))
    locked.site.publish()
    assert asked(locked, "--check").code == 0
    ended = asked(locked, "--outdated")
    assert ended.code == 0
    assert ended.stdout.splitlines() == [
        "alpha 1.0 -> 1.1 (pip, linux/amd64)",
        "beta 1.0 -> 1.1 (pip, linux/amd64)",
        "tzdata 2026a-1 -> 2026b-1 (os, linux/amd64)",
    ]
    found = asked(locked, "--outdated", "--json").document["outdated"]
    assert [one["name"] for one in found] == ["alpha", "beta", "tzdata"]


def test_a_new_requirement_moves_no_other_pin(locked, newer, tools):
    newer(locked, "alpha", "beta", "gamma")
    locked.site.add_wheel("delta", tools.wheel_of("delta"))
    locked.write("requirements.txt", "alpha\ngamma\ndelta\n")
    ended = locked.run("lock")
    assert ended.code == 0
    assert "pip, linux/amd64: 1 added\n  added  delta 1.0  (asked for)\n" in ended.stderr
    assert versions(locked) == {"alpha": "1.0", "beta": "1.0", "gamma": "1.0", "delta": "1.0"}


def test_upgrade_package_moves_that_package_alone(locked, newer):
    newer(locked, "alpha", "beta", "gamma")
    ended = locked.run("lock", "--upgrade-package", "beta")
    assert ended.code == 0
    assert "pip, linux/amd64: 1 moved\n  up  beta 1.0 -> 1.1\n" in ended.stderr
    assert versions(locked) == {"alpha": "1.0", "beta": "1.1", "gamma": "1.0"}


def test_what_is_upgraded_is_a_name_and_nothing_more(locked, newer):
    newer(locked, "beta")
    before = locked.lock_files()
    ended = locked.run("lock", "--upgrade-package", "beta==1.0")
    assert ended.code == 2
    assert "'beta==1.0' is not the name of a package to upgrade" in ended.stderr
    assert "--upgrade-package beta;" in ended.stderr
    assert locked.run("lock", "--upgrade-package=-x").code == 2
    for name in ("libstdc++6", "_libgcc_mutex"):
        assert f"{name} cannot be upgraded: nothing" in locked.run("lock", "--upgrade-package", name).stderr
    assert locked.lock_files() == before


def test_upgrade_moves_everything(locked, newer):
    newer(locked, "alpha", "beta", "gamma")
    assert locked.run("lock", "--upgrade").code == 0
    assert set(versions(locked).values()) == {"1.1"}
    assert asked(locked, "--outdated").stdout == ""


def test_a_sealed_lock_holds_the_build_to_its_digest(locked):
    assert locked.run("lock", "--seal").code == 0
    sealed = locked.lock_files()
    assert asked(locked, "--check", "--seal").code == 0
    assert locked.run("build").code == 0
    assert asked(locked, "--seal").stdout == "unchanged\n"
    assert locked.lock_files() == sealed
