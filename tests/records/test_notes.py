"""Records on the commits of a repository."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from envfreeze.digest import Digest
from envfreeze.errors import MachineError, UntrustedError
from envfreeze.records import lines, refs
from envfreeze.records.folder_origin import FolderOrigin
from envfreeze.records.git import Repository
from envfreeze.records.model import Verification
from envfreeze.records.store import open_store

NOTES = "refs/notes/envfreeze"

# Adds records of its own, one after the other.
WRITER = """
import sys
from envfreeze.replacing import replace
from pathlib import Path
from envfreeze.records import lines
from envfreeze.records.store import open_store
store = open_store(Path(sys.argv[1]))
record = lines.parse(sys.argv[2].encode())
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[4])):
    store.add(replace(record, engine_version=f"{sys.argv[3]}.{number}"))
    print(number, flush=True)
"""


def start_writer(root, record, name, count):
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(root), lines.render(record).decode(), str(name), str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def versions(store, digest):
    return sorted(record.engine_version for record in store.find(digest))


def test_a_build_is_found_by_its_index_manifest_and_config(work, lock, a_record):
    store = work.store()
    record = a_record(store.snapshot(lock, []))
    store.add(record)
    for digest in (record.digest, record.manifests[0].manifest, record.manifests[0].config):
        assert store.find(digest) == (record,)
    assert store.find(record.manifests[0].layers[0].digest) == ()
    assert store.find(Digest.of(b"another")) == ()
    assert tuple(store.records()) == (record,)


def test_the_line_stands_in_the_note_of_the_commit(work, lock, a_record):
    store = work.store()
    record = a_record(store.snapshot(lock, []))
    store.add(record)
    assert work.git("notes", "--ref=envfreeze", "show", "HEAD") == lines.render(record).decode()


def test_several_builds_of_a_commit_are_all_kept_newest_first(work, lock, a_record):
    store = work.store()
    source = store.snapshot(lock, [])
    for name, at in (("one", "2026-01-01"), ("three", "2026-01-03"), ("two", "2026-01-02")):
        store.add(a_record(source, name, f"{at}T00:00:00Z"))
    expected = [Digest.of(name) for name in (b"three", b"two", b"one")]
    assert [record.digest for record in store.records()] == expected


def test_a_digest_may_belong_to_several_commits(work, lock, a_record):
    store = work.store()
    commits = []
    for number in (1, 2):
        commits.append(work.commit(f"commit {number}"))
        store.add(a_record(store.snapshot(lock, []), at=f"2026-01-0{number}T00:00:00Z"))
    assert [record.source.commit for record in store.find(Digest.of(b"image"))] == commits[::-1]


def test_a_verification_is_added_to_the_record(work, lock, a_record):
    store = work.store()
    record = a_record(store.snapshot(lock, []))
    store.add(record)
    done = Verification(record.at, "0.1.0", record.digest, "identical", record.source.commit)
    store.add_verification(done)
    assert store.verifications(record.digest) == (done,)
    assert store.find(record.digest) == (record,)
    assert len(work.git("notes", "--ref=envfreeze", "show", "HEAD").splitlines()) == 2


def test_eight_builds_at_once_while_git_collects_garbage_keep_every_line(work, lock, a_record):
    store = work.store()
    record = a_record(store.snapshot(lock, []))
    writers = [start_writer(work.root, record, name, 3) for name in range(8)]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    collector = subprocess.Popen(["git", "gc", "-q"], cwd=work.root)
    for writer in writers:
        writer.stdin.write("\n")
        writer.stdin.close()
    for writer in writers:
        with writer:
            writer.stdout.read()
        assert writer.returncode == 0
    assert collector.wait() == 0
    assert versions(store, record.digest) == [f"{name}.{number}" for name in range(8) for number in range(3)]
    work.git("fsck", "--strict")


def test_a_build_killed_while_it_records_leaves_a_repository_that_works(work, lock, a_record):
    store = work.store()
    record = a_record(store.snapshot(lock, []))
    shuffled = random.Random(7)
    done = set()
    for attempt in range(6):
        writer = start_writer(work.root, record, attempt, 100)
        writer.stdout.readline()
        writer.stdin.write("\n")
        writer.stdin.close()
        time.sleep(shuffled.uniform(0.01, 0.25))
        os.killpg(writer.pid, signal.SIGKILL)
        with writer:
            done |= {f"{attempt}.{number}" for number in writer.stdout.read().split()}
    store.add(record)
    assert done <= set(versions(store, record.digest))
    work.git("fsck", "--strict")


def test_the_note_that_git_itself_wrote_is_continued(work, lock, a_record):
    work.git("notes", "--ref=envfreeze", "add", "-m", "not a record", "HEAD")
    store = work.store()
    record = a_record(store.snapshot(lock, []))
    store.add(record)
    assert tuple(store.records()) == (record,)
    text = work.git("notes", "--ref=envfreeze", "show", "HEAD")
    assert text == f"not a record\n{lines.render(record).decode()}"


def test_thousands_of_notes_are_read_and_continued_whatever_their_folders(work, lock, a_record):
    """As `git notes` does it, a note lies in folders of two characters once there are many."""
    store = work.store()
    source = store.snapshot(lock, [])
    line = lines.render(a_record(source)).decode()
    stream = ["commit refs/heads/many", "committer A <a@example.org> 1 +0000", "data 1", "m"]
    count = 2000
    for number in range(1, count):
        stream += ["commit refs/heads/many", f"committer A <a@example.org> {number} +0000", "data 1", "m"]
    done = subprocess.run(
        ["git", "fast-import", "--quiet"],
        cwd=work.root,
        input="\n".join(stream) + "\n",
        text=True,
        check=True,
    )
    assert done.returncode == 0
    commits = work.git("rev-list", "many").split()
    stream = [f"commit {NOTES}", "committer A <a@example.org> 1 +0000", "data 1", "m"]
    for commit in commits:
        one = line.replace(source.commit, commit)
        stream += [f"N inline {commit}", f"data {len(one.encode()) + 1}", one, ""]
    subprocess.run(
        ["git", "fast-import", "--quiet"],
        cwd=work.root,
        input="\n".join(stream) + "\n",
        text=True,
        check=True,
    )
    assert "/" in work.git("ls-tree", "-r", "--name-only", NOTES).splitlines()[0]
    began = time.monotonic()
    assert len(tuple(store.records())) == count
    assert time.monotonic() - began < 5
    again = a_record(store.snapshot(lock, []), "again")
    store.add(again)
    work.git("checkout", "-q", commits[0])
    onto_a_note = a_record(store.snapshot(lock, []), "onto a note")
    store.add(onto_a_note)
    assert store.find(again.digest) == (again,)
    assert len(work.git("notes", "--ref=envfreeze", "show", commits[0]).splitlines()) == 2
    assert len(work.git("notes", "--ref=envfreeze", "list").splitlines()) == count + 1
    work.git("fsck", "--strict")


def test_the_notes_of_two_clones_merge_line_by_line(work, lock, a_record, tmp_path):
    subprocess.run(["git", "clone", "-q", str(work.root), str(tmp_path / "clone")], check=True)
    clone = work.at(tmp_path / "clone")
    source = work.store().snapshot(lock, [])
    for place, names in ((work, ("a", "both", "c")), (clone, ("both", "b"))):
        for name in names:
            place.store().add(a_record(source, name))
    clone.git("fetch", "-q", "origin", f"{NOTES}:refs/notes/origin/envfreeze")
    clone.git("notes", "--ref=envfreeze", "merge", "-s", "cat_sort_uniq", "origin/envfreeze")
    assert sorted(record.digest for record in clone.store().records()) == sorted(
        Digest.of(name) for name in (b"a", b"b", b"c", b"both")
    )
    clone.store().add(a_record(source, "d"))
    assert len(tuple(clone.store().records())) == 5


def test_a_note_carried_over_to_an_amended_commit_is_not_counted_twice(work, lock, a_record):
    store = work.store()
    record = a_record(store.snapshot(lock, []))
    store.add(record)
    old = work.git("rev-parse", "HEAD")
    work.git("commit", "-q", "--amend", "-m", "better words")
    work.git("notes", "--ref=envfreeze", "copy", old, "HEAD")
    assert tuple(store.records()) == (record,)


def test_a_damaged_line_is_passed_over_with_a_warning_and_refused_where_it_is_wanted(work, lock, a_record):
    store = work.store()
    good, bad = (a_record(store.snapshot(lock, []), name) for name in ("good", "bad"))
    store.add(good)
    torn = lines.render(bad).decode().replace('"writer":1', '"writer":')
    work.git("notes", "--ref=envfreeze", "append", "-m", torn, "HEAD")
    assert tuple(store.records()) == (good,)
    assert len(work.warnings.told) == 1
    assert "not a line of JSON" in work.warnings.told[0]
    assert good.source.commit in work.warnings.told[0]
    assert store.find(good.digest) == (good,)
    with pytest.raises(UntrustedError, match="damaged"):
        store.find(bad.digest)
    store.add(bad)
    assert store.find(bad.digest) == (bad,)


def test_a_record_of_a_newer_schema_is_refused_by_name(work, lock, a_record):
    store = work.store()
    record = a_record(store.snapshot(lock, []))
    newer = lines.render(record).decode().replace('"schema":1', '"schema":7')
    work.git("notes", "--ref=envfreeze", "append", "-m", newer, "HEAD")
    with pytest.raises(UntrustedError, match="schema 7"):
        store.find(record.digest)
    assert tuple(store.records()) == ()


def test_who_git_does_not_know_records_as_envfreeze_and_not_under_the_hosts_name(
    work, lock, a_record, monkeypatch
):
    store = work.store()
    record = a_record(store.snapshot(lock, []))
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.delenv(f"GIT_{role}_NAME")
        monkeypatch.delenv(f"GIT_{role}_EMAIL")
    store.add(record)
    who = "%an <%ae> %cn <%ce>"
    assert work.git("log", "-1", f"--format={who}", NOTES) == (
        "envfreeze <envfreeze@localhost> envfreeze <envfreeze@localhost>"
    )
    work.git("config", "user.name", "Grace")
    work.git("config", "user.email", "grace@example.org")
    store.add(a_record(record.source, "another"))
    assert work.git("log", "-1", f"--format={who}", NOTES) == (
        "Grace <grace@example.org> Grace <grace@example.org>"
    )


def test_hooks_signatures_and_other_comforts_of_the_user_do_not_interfere(work, lock, a_record, tmp_path):
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("reference-transaction", "post-index-change", "pre-commit", "post-rewrite"):
        hook = hooks / name
        hook.write_text("#!/bin/sh\necho ran >> hook-ran\nexit 1\n")
        hook.chmod(0o755)
    for key, value in (
        ("core.hooksPath", str(hooks)),
        ("commit.gpgSign", "true"),
        ("gpg.program", "false"),
        ("core.notesRef", "refs/notes/other"),
        ("user.useConfigOnly", "true"),
        ("color.ui", "always"),
        ("i18n.commitEncoding", "latin-1"),
    ):
        work.git("config", key, value)
    store = work.store()
    record = a_record(store.snapshot(lock, []))
    store.add(record)
    assert store.find(record.digest) == (record,)
    assert not (work.root / "hook-ran").exists()


def test_the_environment_of_a_hook_does_not_lead_elsewhere(make, work, lock, a_record, monkeypatch):
    other = make("other")
    monkeypatch.setenv("GIT_DIR", str(other.root / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other.root))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other.root / "index"))
    store = work.store()
    store.add(a_record(store.snapshot(lock, [])))
    monkeypatch.undo()
    assert not (other.root / ".git/refs/notes").exists()
    assert not (other.root / "index").exists()


@pytest.mark.parametrize("way", ["worktree", "submodule", "detached", "sha256"])
def test_records_work_in_any_kind_of_checkout(way, make, work, lock, a_record, tmp_path):
    place = work
    if way == "worktree":
        work.git("worktree", "add", "-q", str(tmp_path / "second"))
        place = work.at(tmp_path / "second")
    elif way == "submodule":
        outer = make("outer")
        outer.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(work.root), "inner")
        place = work.at(outer.root / "inner")
    elif way == "detached":
        work.git("checkout", "-q", "--detach")
    else:
        place = work.at(tmp_path / "sha256")
        place.root.mkdir()
        place.git("init", "-q", "--object-format=sha256")
        place.commit()
    place.write("new.py", "new\n")
    store = place.store()
    record = a_record(store.snapshot(lock, ["new.py"]))
    store.add(record)
    assert store.find(record.digest) == (record,)
    folder = store.restore(record, tmp_path / "restored")
    assert (folder / "new.py").read_text() == "new\n"
    assert (folder / "envfreeze.lock").read_bytes() == lock["envfreeze.lock"]
    if way == "worktree":
        assert work.store().find(record.digest) == (record,)


def test_a_lock_that_a_killed_git_left_behind_is_named(work, lock, a_record, monkeypatch):
    monkeypatch.setattr(refs.change, "__kwdefaults__", {"patience": 0.3})
    store = work.store()
    record = a_record(store.snapshot(lock, []))
    left = work.write(".git/refs/notes/envfreeze.lock")
    with pytest.raises(MachineError, match=r"envfreeze\.lock") as caught:
        store.add(record)
    assert "remove it" in caught.value.hint
    left.unlink()
    store.add(record)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_repository_that_cannot_be_written_is_a_matter_of_this_machine(work, lock, a_record):
    store = work.store()
    record = a_record(store.snapshot(lock, []))
    folders = [work.root / ".git", *(path for path in (work.root / ".git").rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        with pytest.raises(MachineError) as caught:
            store.add(record)
        assert "writable" in caught.value.hint
    finally:
        for folder in folders:
            folder.chmod(0o755)


def test_a_repository_of_another_user_is_refused_with_the_command_that_allows_it(work, monkeypatch):
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(MachineError, match="ownership") as caught:
        open_store(work.root)
    assert caught.value.hint == f"git config --global --add safe.directory {work.root}"


def test_without_git_only_a_repository_is_a_problem(work, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "plain").mkdir()
    assert isinstance(open_store(tmp_path / "plain").origin, FolderOrigin)
    with pytest.raises(MachineError, match="no git") as caught:
        open_store(work.root)
    assert caught.value.hint == "install git"


def test_a_bare_repository_has_no_commit_checked_out(work, tmp_path):
    subprocess.run(["git", "clone", "-q", "--bare", str(work.root), str(tmp_path / "bare.git")], check=True)
    assert isinstance(open_store(tmp_path / "bare.git").origin, FolderOrigin)
    assert isinstance(open_store(Path(work.root, ".git")).origin, FolderOrigin)


def test_a_broken_link_to_a_repository_is_not_taken_for_no_repository(work, tmp_path):
    work.git("worktree", "add", "-q", str(tmp_path / "second"))
    work.root.rename(tmp_path / "moved")
    with pytest.raises(MachineError, match="not a git repository"):
        open_store(tmp_path / "second")


@pytest.mark.parametrize("damage", ["empty HEAD", "no HEAD", "stray file"])
def test_a_damaged_repository_does_not_pass_for_none(tmp_path, damage):
    git = tmp_path / ".git"
    if damage == "stray file":
        git.write_text("gitdir: nowhere\n")
    else:
        subprocess.run(["git", "init", "-q", tmp_path], check=True)
        (git / "HEAD").write_text("")
        if damage == "no HEAD":
            (git / "HEAD").unlink()
    with pytest.raises(MachineError, match="repository"):
        Repository.find(tmp_path)


def test_an_empty_folder_named_git_is_no_repository(tmp_path):
    (tmp_path / ".git").mkdir()
    assert Repository.find(tmp_path) is None
