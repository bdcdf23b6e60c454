"""Locks and configurations that cannot be built from: said before anything is fetched."""

from __future__ import annotations

import re

import pytest

from envfreeze.digest import Digest


def resealed(text):
    """The lock with a checksum that is right again, as somebody who knows the format would have it."""
    plain = re.sub(r"^checksum = .*\n", "", text, flags=re.MULTILINE)
    checksum = f'checksum = "{Digest.of(plain.encode())}"\n'
    return re.sub(r"^checksum = .*\n", checksum, text, flags=re.MULTILINE)


def test_a_lock_that_was_edited_by_hand_is_refused(project, refused):
    project.replace("envfreeze.lock", '"2.41-12"', '"2.41-13"')
    said = refused(project, 6, "build")
    assert "envfreeze.lock" in said
    assert "envfreeze lock" in said


def test_a_bound_file_that_was_edited_by_hand_is_refused(project, refused):
    project.replace("pylock.toml", "alpha-1.0", "alpha-1.1")
    assert "pylock.toml is not the file" in refused(project, 6, "build")


def test_a_bound_file_that_is_missing_is_named(project, refused):
    (project.root / "requirements.lock.txt").unlink()
    assert "requirements.lock.txt is missing" in refused(project, 6, "build")


@pytest.mark.parametrize("number", ["schema", "writer"])
@pytest.mark.parametrize("verb", ["build", "lock"])
def test_a_lock_of_a_newer_envfreeze_is_refused_and_left_alone(project, refused, number, verb):
    text = (project.root / "envfreeze.lock").read_text()
    project.write(
        "envfreeze.lock", resealed(re.sub(rf"^{number} = 1$", f"{number} = 2", text, flags=re.MULTILINE))
    )
    said = refused(project, 6, verb)
    assert f"{number} 2" in said or "writer version 2" in said
    assert "upgrade" in said


@pytest.mark.parametrize("name", ["envfreeze.lock", "pylock.toml"])
def test_a_lock_with_conflict_markers_is_refused(project, refused, name):
    text = (project.root / name).read_text()
    project.write(name, f"<<<<<<< ours\n{text}=======\n{text}>>>>>>> theirs\n")
    said = refused(project, 6, "build")
    assert name in said
    assert "conflict" in said


@pytest.mark.parametrize("content", [b"\xff\xfe", b"", b"schema = [", b"schema = 1\n"])
def test_a_lock_that_is_no_lock_is_refused(project, refused, content):
    (project.root / "envfreeze.lock").write_bytes(content)
    assert "envfreeze.lock" in refused(project, 6, "build")


def test_without_a_lock_there_is_nothing_to_build(small_project, refused):
    work = small_project()
    said = refused(work, 2, "build")
    assert "there is no envfreeze.lock" in said
    assert "envfreeze lock" in said
    refused(work, 2, "lock", "--check")
    refused(work, 2, "lock", "--outdated")


def test_an_unknown_key_is_named_with_its_nearest(small_project, refused):
    work = small_project()
    work.replace("envfreeze.toml", "workdir", "workdirs")
    for verb in ("lock", "build"):
        said = refused(work, 2, verb)
        for word in ("envfreeze.toml", "workdirs", "workdir"):
            assert word in said


def test_a_platform_that_is_not_locked_is_refused(project, refused):
    assert "linux/arm64" in refused(project, 2, "build", "--platform", "linux/arm64")


def test_an_included_file_that_is_missing_is_named(project, refused):
    (project.root / "train.py").unlink()
    assert "train.py" in refused(project, 2, "build")


def test_an_output_that_is_no_layout_is_left_as_it_is(project, refused):
    (project.root / "mine").mkdir()
    project.write("mine/thesis.txt", "years of work")
    said = refused(project, 2, "build", "--output", "mine")
    assert "mine exists and is not an OCI image layout" in said
    project.write("file", "more work")
    assert "file exists" in refused(project, 2, "build", "--output", "file")


def test_a_layout_that_holds_files_of_somebody_elses_is_left_as_it_is(project, refused):
    assert project.run("build", "--output", "image").code == 0
    project.write("image/thesis.txt", "years of work")
    assert "thesis.txt" in refused(project, 2, "build", "--output", "image")


@pytest.mark.parametrize("name", ["envfreeze.lock", "pylock.toml", "requirements.lock.txt"])
def test_a_file_of_somebody_elses_is_not_written_over(small_project, refused, name):
    work = small_project()
    work.write(name, "by hand\n")
    assert f"{name} would be written over" in refused(work, 2, "lock")
