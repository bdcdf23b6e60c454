"""Records in a file beside the lock."""

from __future__ import annotations

import subprocess
import sys

import pytest

from envfreeze.digest import Digest
from envfreeze.errors import MachineError, UntrustedError, UsageError
from envfreeze.records import lines
from envfreeze.records.file_shelf import FILE
from envfreeze.records.folder_origin import FolderOrigin
from envfreeze.records.git_origin import GitOrigin
from envfreeze.records.model import Verification
from envfreeze.records.store import open_store

WRITER = """
import sys
from envfreeze.replacing import replace
from pathlib import Path
from envfreeze.records import lines
from envfreeze.records.store import open_store
store = open_store(Path(sys.argv[1]))
record = lines.parse(sys.argv[2].encode())
for number in range(50):
    store.add(replace(record, engine_version=f"{sys.argv[3]}.{number}"))
"""


@pytest.fixture
def project(tmp_path, lock):
    for name, content in lock.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "train.py").write_text("print('train')\n")
    return tmp_path


def test_a_build_outside_git_is_recorded_beside_the_lock(project, lock, a_record):
    store = open_store(project)
    assert isinstance(store.origin, FolderOrigin)
    source = store.snapshot(lock, ["train.py"])
    assert (source.commit, source.project, source.dirty, source.patch) == (None, ".", False, None)
    assert source.lock["envfreeze.lock"].digest == Digest.of(lock["envfreeze.lock"])
    record = a_record(source)
    store.add(record)
    done = Verification(record.at, "0.1.0", record.digest, "different", None)
    store.add_verification(done)
    assert (project / FILE).read_bytes() == lines.render(record) + b"\n" + lines.render(done) + b"\n"
    assert store.find(record.digest) == (record,)
    assert store.verifications(record.digest) == (done,)
    assert tuple(store.records()) == (record,)
    assert store.restore(record, project / "elsewhere") == project
    assert not (project / "elsewhere").exists()


def test_without_a_record_there_is_nothing_to_find(project):
    store = open_store(project)
    assert tuple(store.records()) == ()
    assert store.find(Digest.of(b"image")) == ()
    assert store.fetch_hint == ""


def test_a_lock_that_is_no_longer_the_recorded_one_is_named(project, lock, a_record):
    store = open_store(project)
    record = a_record(store.snapshot(lock, []))
    (project / "envfreeze.lock").write_bytes(b"schema = 1\n# edited\n")
    (project / "pylock.toml").unlink()
    with pytest.raises(UsageError, match="not the one") as caught:
        store.restore(record, project / "elsewhere")
    before, after = Digest.of(lock["envfreeze.lock"]), Digest.of(b"schema = 1\n# edited\n")
    assert caught.value.details == (
        f"envfreeze.lock was {before} and is {after}",
        f"pylock.toml was {Digest.of(lock['pylock.toml'])} and is missing",
    )


def test_builds_that_record_at_once_keep_every_line(project, lock, a_record):
    record = a_record(open_store(project).snapshot(lock, []))
    line = lines.render(record).decode()
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(project), line, str(name)]) for name in range(4)
    ]
    assert [writer.wait() for writer in writers] == [0] * 4
    assert len(open_store(project).find(record.digest)) == 200


def test_a_line_that_a_killed_build_left_unfinished_spoils_no_other(project, lock, a_record):
    store = open_store(project)
    first, second = (a_record(store.snapshot(lock, []), name) for name in ("first", "second"))
    store.add(first)
    (project / FILE).write_bytes((project / FILE).read_bytes() + lines.render(second)[:300])
    with pytest.raises(UntrustedError, match="damaged"):
        store.find(second.digest)
    store.add(second)
    assert store.find(first.digest) == (first,)
    assert store.find(second.digest) == (second,)


def test_a_full_disk_is_told_and_leaves_the_file_as_it_was(project, lock, a_record):
    """A limit on the size of files stands in for the disk: the write ends short in the same way."""
    store = open_store(project)
    record = a_record(store.snapshot(lock, []))
    store.add(record)
    before = (project / FILE).read_bytes()
    script = (
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({len(before) + 99}, {len(before) + 99}))\n" + WRITER
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(project), lines.render(record).decode(), "1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "MachineError" in done.stderr
    assert "could not be written" in done.stderr
    assert (project / FILE).read_bytes() == before


def test_a_records_file_that_cannot_be_opened_is_a_matter_of_this_machine(project, lock, a_record):
    store = open_store(project)
    (project / FILE).mkdir()
    with pytest.raises(MachineError, match=FILE):
        store.add(a_record(store.snapshot(lock, [])))
    with pytest.raises(MachineError, match=FILE):
        store.find(Digest.of(b"image"))


def test_a_build_before_the_first_commit_is_found_after_it(make, lock, a_record, tmp_path):
    work = make("unborn")
    for name, content in lock.items():
        work.write(name, content)
    store = work.store()
    assert isinstance(store.origin, GitOrigin)
    early = a_record(store.snapshot(lock, []), "early", "2026-01-01T00:00:00Z")
    assert early.source.commit is None
    store.add(early)
    store.add_verification(Verification(early.at, "0.1.0", early.digest, "identical", None))
    work.git("add", *lock)
    work.git("commit", "-q", "-m", "first")
    late = a_record(store.snapshot(lock, []), "late", "2026-01-02T00:00:00Z")
    assert late.source.dirty is False
    store.add(late)
    assert tuple(store.records()) == (late, early)
    assert store.find(early.digest) == (early,)
    assert len(store.verifications(early.digest)) == 1
    assert store.restore(early, tmp_path / "restored") == work.root


def test_a_committed_file_merges_line_by_line_between_branches(work, lock, a_record):
    """Two branches that both built: git itself keeps the lines of both, without a conflict."""
    for name, content in lock.items():
        work.write(name, content)
    work.commit()
    store = open_store(work.root, stores=("file",), progress=work.warnings)
    first = a_record(store.snapshot(lock, []), "first", "2026-01-01T00:00:00Z")
    store.add(first)
    assert [".gitattributes" in told for told in work.warnings.told] == [True]
    assert work.git("notes", "--ref=envfreeze", "list") == ""
    work.commit("the record")
    made = [first]
    for number, branch in enumerate(("here", "there")):
        work.git("checkout", "-q", "-b", branch, "main")
        source = store.snapshot(lock, [])
        assert not source.dirty
        made.append(a_record(source, branch, f"2026-01-0{number + 2}T00:00:00Z"))
        store.add(made[-1])
        work.commit(branch)
    work.git("merge", "-q", "-m", "both", "here")
    assert tuple(store.records()) == tuple(made[::-1])
    assert store.find(made[1].digest) == (made[1],)
    assert len(work.warnings.told) == 1


def test_gitattributes_that_are_there_are_kept(work, lock, a_record):
    work.write(".gitattributes", "*.bin binary")
    store = open_store(work.root, stores=("file", "notes"))
    record = a_record(store.snapshot(lock, []))
    store.add(record)
    expected = "*.bin binary\nenvfreeze.records.jsonl merge=union\n"
    assert (work.root / ".gitattributes").read_text() == expected
    store.add(record)
    assert (work.root / ".gitattributes").read_text() == expected
    assert store.find(record.digest) == (record,)
    assert work.git("notes", "--ref=envfreeze", "show", "HEAD") == lines.render(record).decode() + "\n" + (
        lines.render(record).decode()
    )
