"""Indexes that are forged, stale or gone: `lock` refuses them and the last lock stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

NOW = datetime.now(UTC)


@pytest.fixture
def locked(small_project):
    work = small_project()
    assert work.run("lock").code == 0
    work.commit()
    return work


def test_an_index_that_somebody_else_signed_is_refused(small_project, refused, strange_key):
    work = small_project()
    work.site.publish(key=strange_key)
    said = refused(work, 6, "lock")
    assert "InRelease" in said
    assert "no valid signature" in said


def test_an_index_without_a_signature_is_refused(small_project, refused):
    work = small_project()
    work.site.publish(signed=False)
    assert "is not signed" in refused(work, 6, "lock")


def test_an_index_that_was_changed_is_refused(small_project, refused):
    work = small_project()
    path = "/debian/dists/trixie/InRelease"
    work.site.instead[path] = work.site.files[path].replace(b"Origin: Tests", b"Origin: Taste")
    assert "no valid signature" in refused(work, 6, "lock")


def test_a_package_list_that_was_changed_is_refused(small_project, refused):
    work = small_project()
    (path,) = [path for path in work.site.files if "by-hash" in path]
    work.site.instead[path] = work.site.files[path][:-1] + b"!"
    said = refused(work, 6, "lock")
    assert "Packages.xz" in said


def test_an_index_that_has_expired_is_refused_unless_told_otherwise(small_project, refused):
    work = small_project()
    work.site.publish(date=NOW - timedelta(days=9), until=NOW - timedelta(days=2))
    said = refused(work, 6, "lock")
    assert "expired" in said
    assert "--allow-stale-index" in said
    assert work.run("lock", "--allow-stale-index").code == 0


def test_an_index_older_than_the_locked_one_is_refused_unless_told_otherwise(locked, refused):
    locked.site.publish(date=NOW - timedelta(days=30))
    said = refused(locked, 6, "lock", "--upgrade")
    assert "older than the locked one" in said
    assert locked.run("lock", "--upgrade", "--allow-stale-index").code == 0


def test_a_locked_wheel_that_has_other_content_now_is_refused(locked, refused, tools):
    locked.site.add_wheel("alpha", tools.wheel_of("alpha", contents={"alpha/__init__.py": b"evil\n"}))
    locked.write("requirements.txt", "alpha\ngamma\nbeta\n")
    said = refused(locked, 6, "lock")
    assert "alpha-1.0-py3-none-any.whl" in said
    assert "--upgrade-package alpha" in said


def test_a_deb_that_is_not_what_the_index_says_is_refused(small_project, refused):
    work = small_project()
    path = "/debian/pool/tzdata_2026a-1_all.deb"
    work.site.instead[path] = work.site.files[path][:-1] + b"!"
    assert "tzdata_2026a-1_all.deb" in refused(work, 6, "lock")


def test_a_package_that_the_index_does_not_have_is_exit_3(small_project, refused):
    work = small_project()
    work.write("requirements.txt", "alpha\nmissing\n")
    assert "missing" in refused(work, 3, "lock")


def test_requirements_that_contradict_each_other_are_exit_3(small_project, refused):
    work = small_project()
    work.write("requirements.txt", "alpha\nbeta>=2\n")
    assert "beta" in refused(work, 3, "lock")


def test_a_python_that_the_suite_does_not_have_is_exit_2(small_project, refused):
    work = small_project()
    lines = '[image]\npython = "3.12"\npython-source = "distribution"\n'
    work.replace("envfreeze.toml", "[image]\n", lines)
    said = refused(work, 2, "lock")
    assert "apt:debian/trixie has Python 3.13, not 3.12" in said
