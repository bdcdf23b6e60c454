"""Records that a push carries to the git remote."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from envfreeze.records.notes import NOTES


@pytest.fixture
def remote(make, work):
    """What `work` pushes to."""
    remote = make("remote.git")
    remote.git("config", "receive.denyCurrentBranch", "ignore")
    work.git("remote", "add", "origin", str(remote.root))
    work.git("push", "-q", "origin", "main")
    return remote


@pytest.fixture
def clone(work, tmp_path):
    """Clone the remote under a name."""

    def call(name):
        work.git("clone", "-q", str(tmp_path / "remote.git"), str(tmp_path / name))
        return work.at(tmp_path / name)

    return call


def build(work, a_record, lock, name="image"):
    """Record a build and publish it; the remote's name."""
    store = work.store()
    record = a_record(store.snapshot(lock, ()), name)
    store.add(record)
    return store.publish(record)


def names(work):
    return {record.digest for record in work.store().records()}


def test_records_and_a_lock_that_no_commit_has_go_to_the_remote(work, remote, a_record, lock, clone):
    assert build(work, a_record, lock) == "origin"
    assert not work.warnings.told
    assert remote.git("rev-parse", NOTES) == work.git("rev-parse", NOTES)
    assert len(remote.git("for-each-ref", "refs/envfreeze/kept").splitlines()) == 1
    there = clone("there")
    there.git("fetch", "-q", "origin", f"{NOTES}:{NOTES}")
    assert names(there) == names(work)


def test_a_committed_lock_needs_nothing_kept(work, remote, a_record, lock):
    for name, content in lock.items():
        work.write(name, content)
    work.commit()
    assert build(work, a_record, lock) == "origin"
    assert not remote.git("for-each-ref", "refs/envfreeze/kept")


def test_a_patch_of_uncommitted_work_stays(work, remote, a_record, lock):
    work.write("train.py", "password = 'hush'\n")
    assert build(work, a_record, lock) == "origin"
    assert not remote.git("for-each-ref", "refs/envfreeze/kept")
    (told,) = work.warnings.told
    assert "without what was not committed in train.py, so only this machine" in told
    assert "hush" not in told
    command = told[told.index("(") + 1 : -1]
    work.git(*command.split()[1:])
    assert remote.git("for-each-ref", "refs/envfreeze/kept")


def test_of_many_uncommitted_files_some_are_named(work, remote, a_record, lock):
    for number in range(7):
        work.write(f"config {number}.yml", "before\n")
    work.commit()
    for number in range(7):
        work.write(f"config {number}.yml", "password: hush\n")
    assert build(work, a_record, lock) == "origin"
    (told,) = work.warnings.told
    assert "config 0.yml, config 1.yml, config 2.yml, config 3.yml, config 4.yml and 2 more, so" in told
    assert "hush" not in told
    assert not remote.git("for-each-ref", "refs/envfreeze/kept")


def test_what_others_have_pushed_is_merged(work, remote, a_record, lock, clone):
    other = clone("other")
    assert build(work, a_record, lock, "one") == "origin"
    assert build(other, a_record, lock, "two") == "origin"
    assert build(work, a_record, lock, "three") == "origin"
    assert len(names(remote)) == 3
    assert names(work) == names(remote)
    assert not work.git("for-each-ref", "refs/notes").count("merge")


def test_many_at_once_lose_nothing(remote, a_record, lock, clone):
    clones = [clone(f"clone-{number}") for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda one: build(one, a_record, lock, one.root.name), clones))
    assert done == ["origin"] * 4
    assert len(names(remote)) == 4


def test_without_a_remote_it_is_said_that_the_record_stays(work, a_record, lock):
    assert build(work, a_record, lock) is None
    assert "no remote" in work.warnings.told[0]
    assert names(work)


def test_a_remote_that_does_not_answer_is_a_warning_without_its_password(work, a_record, lock):
    work.git("remote", "add", "origin", "http://me:hush@127.0.0.1:9/team.git")
    assert build(work, a_record, lock) is None
    (told,) = work.warnings.told
    assert "origin did not take it" in told
    assert "git push origin refs/notes/envfreeze" in told
    assert "hush" not in told
    assert names(work)


def test_the_remote_is_the_one_that_git_push_takes(work, remote, a_record, lock, make):
    mine = make("mine.git")
    work.git("remote", "add", "mine", str(mine.root))
    work.git("config", "remote.pushDefault", "mine")
    assert build(work, a_record, lock) == "mine"
    assert mine.git("rev-parse", NOTES)
    assert not remote.git("for-each-ref", NOTES)


def test_outside_git_the_file_stays(make, tmp_path, a_record, lock):
    outside = make("inside").at(tmp_path / "outside")
    outside.root.mkdir()
    assert build(outside, a_record, lock) is None
    assert "envfreeze.records.jsonl" in outside.warnings.told[0]
