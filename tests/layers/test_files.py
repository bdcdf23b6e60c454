"""Project files: what is in them counts, and nothing of who has them checked out."""

from __future__ import annotations

import os

import pytest

from envfreeze.errors import UsageError
from envfreeze.layers.files import file_entries, included
from envfreeze.oci.entry import FromFile


def fingerprint(entries):
    """All that reaches the layer."""
    return tuple(
        (entry.path, entry.kind, entry.mode, entry.link, entry.content and entry.content.data)
        for entry in entries
    )


@pytest.fixture
def project(tmp_path):
    (tmp_path / "src/pkg").mkdir(parents=True)
    (tmp_path / "src/pkg/a.py").write_text("a")
    (tmp_path / "src/run.sh").write_text("#!/bin/sh\n")
    (tmp_path / "src/run.sh").chmod(0o755)
    (tmp_path / "train.py").write_text("train")
    (tmp_path / "src/link").symlink_to("pkg/a.py")
    return tmp_path


def test_folders_are_walked_and_names_sorted(project):
    assert included(project, ["train.py", "src/"]) == ["src/link", "src/pkg/a.py", "src/run.sh", "train.py"]


def test_a_dot_is_the_whole_project_without_what_never_belongs(project):
    for name in (".git", ".envfreeze", "__pycache__", ".venv"):
        (project / name).mkdir()
        (project / name / "x").write_text("x")
    assert included(project, ["."]) == included(project, ["train.py", "src"])


def test_a_umask_and_times_do_not_matter(project):
    names = included(project, ["src", "train.py"])
    before = fingerprint(file_entries(project, names, "/app"))
    (project / "train.py").chmod(0o600)
    (project / "src/run.sh").chmod(0o700)
    os.utime(project / "train.py", (1, 1))
    assert fingerprint(file_entries(project, names, "/app")) == before


def test_content_names_links_and_the_right_to_execute_matter(project):
    names = included(project, ["src", "train.py"])
    before = fingerprint(file_entries(project, names, "/app"))
    (project / "train.py").chmod(0o755)
    executable = fingerprint(file_entries(project, names, "/app"))
    (project / "train.py").write_text("other")
    assert len({before, executable, fingerprint(file_entries(project, names, "/app"))}) == 3


def test_files_go_below_the_working_directory(project):
    entries = {
        entry.path: entry for entry in file_entries(project, ["train.py", "src/run.sh", "src/link"], "/app")
    }
    assert entries["app/train.py"].mode == 0o644
    assert entries["app/src/run.sh"].mode == 0o755
    assert entries["app/src/link"].link == "pkg/a.py"


@pytest.mark.parametrize("target", ["/etc/passwd", "../../etc", "../../../x"])
def test_a_link_out_of_the_project_is_refused(project, target):
    (project / "src/out").symlink_to(target)
    with pytest.raises(UsageError, match="leads out of the project"):
        included(project, ["src"])


@pytest.mark.parametrize("name", ["../x", "missing", "a/../../b"])
def test_a_name_that_is_not_in_the_project_is_refused(project, name):
    with pytest.raises(UsageError):
        included(project, [name])


def test_a_fifo_is_refused(project):
    os.mkfifo(project / "src/fifo")
    with pytest.raises(UsageError, match="neither a file"):
        included(project, ["src"])


def test_the_file_of_records_is_never_included(project):
    (project / "envfreeze.records.jsonl").write_text("{}")
    assert "envfreeze.records.jsonl" not in included(project, ["."])


def test_a_name_behind_a_link_is_refused(project):
    (project / "linked").symlink_to("src")
    with pytest.raises(UsageError, match="through the link linked"):
        included(project, ["linked/run.sh"])


def test_content_stays_on_disk_until_it_is_written(project):
    entries = {entry.path: entry for entry in file_entries(project, ["train.py"], "/app")}
    assert entries["app/train.py"].content == FromFile(project / "train.py", 5)
