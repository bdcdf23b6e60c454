"""The commands of docs/how-to/records.md do what the page says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from envfreeze.digest import Digest

PAGE = Path(__file__).parents[2] / "docs/how-to/records.md"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """`run(work, heading, place)`: run the blocks under a heading that are for a place."""
    program = tmp_path / "bin" / "envfreeze"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m envfreeze "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    sections = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.MULTILINE | re.DOTALL))

    def run(work, heading, place):
        blocks = re.findall(rf"^```sh {place}\n(.*?)^```", sections[heading], re.MULTILINE | re.DOTALL)
        assert blocks
        done = subprocess.run(
            ["bash", "-eu", "-o", "pipefail"],
            cwd=work.root,
            input="\n".join(blocks),
            text=True,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def clones(work, tmp_path):
    """Two clones of one repository, and that repository."""
    origin, there = tmp_path / "origin.git", tmp_path / "there"
    for source, target, options in ((work.root, origin, ["--bare"]), (origin, there, [])):
        subprocess.run(["git", "clone", "-q", *options, source.as_uri(), str(target)], check=True)
    work.git("remote", "add", "origin", origin.as_uri())
    work.git("fetch", "-q", "origin")
    return work, work.at(there), work.at(origin)


def test_records_are_shared_merged_and_verified_elsewhere(clones, lock, a_record, run, tmp_path, monkeypatch):
    here, there, origin = clones
    first = a_record(here.store().snapshot(lock, []), "first", "2026-01-01T00:00:00Z")
    here.store().add(first)
    assert str(first.digest) in run(here, "See them", "here")
    monkeypatch.setenv("DIGEST", str(first.digest))
    found = run(here, "Find them", "here").splitlines()
    assert found[0] == "not in any image"
    assert [line.split()[0] for line in found[1:]] == [str(first.digest)] * 2
    run(here, "Share them", "here")

    there.git("config", "fetch.prune", "true")
    there.write("train.py", "changed there\n")
    second = a_record(there.store().snapshot(lock, []), "second", "2026-01-02T00:00:00Z")
    there.store().add(second)
    run(there, "Get them", "there")
    assert tuple(there.store().records()) == (second, first)
    there.git("gc", "-q", "--prune=now")
    for record in (first, second):
        there.store().restore(record, tmp_path / f"restored there {record.at}")

    third = a_record(here.store().snapshot({"envfreeze.lock": b"third"}, []), "third", "2026-01-03T00:00:00Z")
    here.store().add(third)
    run(here, "Share them", "here")
    fourth = a_record(second.source, "fourth", "2026-01-04T00:00:00Z")
    there.store().add(fourth)
    run(there, "Share them", "here")
    assert tuple(there.store().records()) == (fourth, third, second, first)

    work = here.at(tmp_path / "elsewhere")
    here.commit("later")
    here.git("push", "-q", "origin", "main")
    subprocess.run(["git", "clone", "-q", "--depth=1", origin.root.as_uri(), str(work.root)], check=True)
    assert work.store().find(first.digest) == ()
    run(work, "Get them", "elsewhere")
    for record in (first, second, third, fourth):
        assert work.store().find(record.digest) == (record,)
        work.store().restore(record, tmp_path / f"restored elsewhere {record.at}")
    restored = tmp_path / f"restored elsewhere {second.at}"
    assert (restored / "train.py").read_text() == "changed there\n"


def test_a_tag_keeps_what_was_shipped(clones, run):
    here, _, origin = clones
    run(here, "Rewritten commits", "here")
    assert origin.git("rev-parse", "shipped-2026-09") == here.git("rev-parse", "HEAD")


def test_the_patch_of_uncommitted_work_can_be_read_and_forgotten(work, lock, a_record, run):
    work.write("train.py", "print('changed')\n")
    work.store().add(a_record(work.store().snapshot(lock, []), "image"))
    shown = run(work, "Uncommitted work", "dirty")
    assert "+print('changed')" in shown
    assert work.git("for-each-ref", "refs/envfreeze") == ""
    assert len(work.store().find(Digest.of(b"image"))) == 1
