"""A staged build folder holds nothing of the machine that it is on."""

from __future__ import annotations

import os
import socket
import stat
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envfreeze.engines.driven.context import staged
from envfreeze.engines.driven.model import EPOCH
from envfreeze.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


def made(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir()
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


@pytest.fixture
def stage(tmp_path: Path):
    count = 0

    def call(folder: Path) -> Path:
        nonlocal count
        count += 1
        scratch = tmp_path / f"scratch-{count}"
        scratch.mkdir()
        with staged(folder, scratch) as found:
            return found

    return call


def test_every_entry_has_the_one_time_and_a_plain_mode(tmp_path, stage):
    folder = made(tmp_path / "a", {"Dockerfile": b"FROM scratch\n", "deep/er/run.sh": b"#!/bin/sh\n"})
    (folder / "link").symlink_to("deep/er/run.sh")
    (folder / "deep/er/run.sh").chmod(0o4710)
    (folder / "Dockerfile").chmod(0o600)
    os.utime(folder / "Dockerfile", (1, 1))

    found = stage(folder)

    entries = {path.relative_to(found).as_posix(): path.lstat() for path in found.rglob("*")}
    assert {status.st_mtime for status in entries.values()} == {EPOCH}
    assert {name: stat.S_IMODE(status.st_mode) for name, status in entries.items() if name != "link"} == {
        "Dockerfile": 0o644,
        "deep": 0o755,
        "deep/er": 0o755,
        "deep/er/run.sh": 0o755,
    }
    assert os.readlink(found / "link") == "deep/er/run.sh"  # noqa: PTH115 - as it is written
    assert found.stat().st_mtime == EPOCH


def test_the_folder_itself_stays_as_it_is(tmp_path, stage):
    folder = made(tmp_path / "a", {"x": b"1"})
    before = (folder / "x").stat()

    copy = stage(folder) / "x"

    after = (folder / "x").stat()
    assert (after.st_mtime_ns, after.st_mode, after.st_nlink) == (before.st_mtime_ns, before.st_mode, 1)
    assert copy.stat().st_ino != after.st_ino


def test_equal_folders_have_one_name_and_others_have_others(tmp_path, stage):
    names = [
        stage(made(tmp_path / name, files)).name
        for name, files in {
            "a": {"x": b"before", "y/z": b""},
            "b": {"y/z": b"", "x": b"before"},
            "same size": {"x": b"after!", "y/z": b""},
            "moved": {"x": b"before", "yz": b""},
        }.items()
    ]

    assert names[0] == names[1]
    assert len(set(names)) == 3


def test_the_right_to_execute_is_part_of_the_name(tmp_path, stage):
    folder = made(tmp_path / "a", {"x": b"1"})
    plain = stage(folder).name
    (folder / "x").chmod(0o755)

    assert stage(folder).name != plain


@given(
    st.lists(
        st.dictionaries(st.text("ab:1", min_size=1, max_size=3), st.binary(max_size=3), max_size=3),
        min_size=2,
        max_size=2,
        unique_by=lambda files: tuple(sorted(files.items())),
    )
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_two_folders_have_one_name(tmp_path_factory, both):
    root = tmp_path_factory.mktemp("both")
    names = set()
    for number, files in enumerate(both):
        folder = made(root / f"folder-{number}", files)
        (root / f"scratch-{number}").mkdir()
        with staged(folder, root / f"scratch-{number}") as found:
            names.add(found.name)

    assert len(names) == 2


def test_what_is_no_file_is_refused(tmp_path, stage, monkeypatch):
    folder = made(tmp_path / "a", {})
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("agent")

        with pytest.raises(UsageError, match="agent is no file"):
            stage(folder)
