"""Killed at any moment: what is there stays whole, and the next build is as if nothing had happened."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import time

import pytest

from envfreeze.oci import layout
from envfreeze.oci.validate import validate

KILLS = 5


def check_nothing_is_corrupt(work):
    """Everything that has its final name is what that name says."""
    for blob in (work.cache / "blobs").rglob("*"):
        if blob.is_file():
            assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name
    if (work.root / ".envfreeze" / "image").exists():
        assert not validate(layout.read(work.root / ".envfreeze" / "image"))
    work.records()  # each line can be read


@pytest.mark.parametrize("seed", range(10))
def test_the_build_after_a_kill_gives_the_same_image_and_leaves_nothing(project, seed):
    chance = random.Random(seed)
    began = time.monotonic()
    assert project.run("--version").code == 0
    first_moment = (time.monotonic() - began) / 2
    began = time.monotonic()
    expected = project.run("build").digest
    last_moment = time.monotonic() - began
    for kill in range(KILLS):
        if kill % 2 == 0:  # as on a new machine; else with whatever the one before has left
            shutil.rmtree(project.cache, ignore_errors=True)
            shutil.rmtree(project.root / ".envfreeze", ignore_errors=True)
        process = project.start("build")
        time.sleep(chance.uniform(first_moment, last_moment))
        project.kill(process)
        check_nothing_is_corrupt(project)
    assert project.run("build").digest == expected
    assert project.built() == expected
    assert not [place for place in project.leftovers() if str(project.temporary) not in place]
    verified = project.run("cache", "verify")
    assert (verified.code, verified.stdout) == (0, "clean\n")
    assert all(record.digest == expected for record in project.records())


def test_what_a_killed_session_was_writing_is_swept_by_the_next(project):
    expected = project.run("build").digest
    session = project.cache / "tmp" / "session-dead"
    (session / "scratch-1" / "checkout").mkdir(parents=True)
    (session / "alive").touch()
    (session / "blob-1").write_bytes(b"half")
    (project.root / ".envfreeze" / "image").chmod(0o755)
    assert project.run("build").digest == expected
    assert not project.leftovers()


def test_a_lock_file_that_a_killed_git_left_does_not_keep_the_record_away(project):
    expected = project.run("build").digest
    left = project.root / ".git" / "refs" / "notes" / "envfreeze.lock"
    left.touch()
    os.utime(left, (time.time() - 3600,) * 2)
    assert project.run("build").digest == expected
    assert len(project.records()) == 2
    assert not left.exists()
