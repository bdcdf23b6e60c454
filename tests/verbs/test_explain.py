"""`tree` and `why`, from the lock's files alone."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest

from envfreeze.locking import files as lock_files
from envfreeze.project.validation import Written, check
from envfreeze.replacing import replace

PAGE = Path(__file__).parents[2] / "docs/how-to/explain-a-lock.md"


@pytest.fixture
def locked(small_project):
    """The small project, locked, with its indexes gone."""
    work = small_project()
    (target,) = (lock := work.lock()).targets
    needs = {"alpha": ("beta",), "python3.13": ("libc6",)}
    wheels = tuple(
        replace(wheel, requested=wheel.name != "beta", dependencies=needs.get(wheel.name, ()))
        for wheel in target.wheels
    )
    debs = tuple(replace(deb, depends=needs.get(deb.name, ())) for deb in target.base.packages)
    target = replace(target, wheels=wheels, base=replace(target.base, packages=debs))
    lock_files.write(replace(lock, targets=(target,)), work.root)
    work.site.files.clear()
    return work


def test_a_tree_shows_both_sides_from_what_was_asked_for(locked):
    ended = locked.run("tree")
    assert ended.code == 0, ended.stderr
    assert ended.stdout.splitlines() == [
        "pip (linux/amd64)",
        "alpha 1.0  <- requirements.txt",
        "`-- beta 1.0",
        "gamma 1.0  <- requirements.txt",
        "",
        "os (linux/amd64)",
        "base-files 13.8  <- the seed of apt:debian/trixie",
        "libc6 2.41-12  <- the project",
        "python3.13 3.13.5-2  <- the Python of apt:debian/trixie",
        "`-- libc6 2.41-12",
        "tzdata 2026a-1  <- the seed of apt:debian/trixie",
    ]


def test_a_tree_may_begin_at_a_package_and_go_either_way(locked):
    assert locked.run("tree", "Alpha").stdout == (
        "pip (linux/amd64)\nalpha 1.0  <- requirements.txt\n`-- beta 1.0\n"
    )
    assert locked.run("tree", "beta", "--invert").stdout == (
        "pip (linux/amd64)\nbeta 1.0\n`-- alpha 1.0  <- requirements.txt\n"
    )
    assert locked.run("tree", "--side", "pip", "--depth", "0").stdout == (
        "pip (linux/amd64)\nalpha 1.0  <- requirements.txt\ngamma 1.0  <- requirements.txt\n"
    )


def test_a_tree_as_a_document_has_the_edges(locked):
    (target,) = locked.run("tree", "--side", "pip", "--json").document["targets"]
    assert target["platform"] == "linux/amd64"
    assert [root["name"] for root in target["roots"]] == ["alpha", "gamma"]
    alpha, beta, _ = target["packages"]
    assert alpha == {
        "side": "pip",
        "name": "alpha",
        "version": "1.0",
        "requested": True,
        "asked_by": ["requirements.txt"],
        "needs": [{"side": "pip", "name": "beta"}],
        "needed_by": [],
    }
    assert (beta["requested"], beta["asked_by"], beta["needed_by"][0]["name"]) == (False, [], "alpha")


def test_why_names_the_file_that_asks_and_the_chain(locked):
    ended = locked.run("why", "beta")
    assert (ended.code, ended.stdout) == (
        0,
        "beta 1.0 (pip, linux/amd64)\n  requirements.txt -> alpha 1.0 -> beta 1.0\n",
    )
    assert locked.run("why", "libc6").stdout.splitlines()[1:] == [
        "  the project -> libc6 2.41-12",
        "  the Python of apt:debian/trixie -> python3.13 3.13.5-2 -> libc6 2.41-12",
    ]
    (reason,) = locked.run("why", "beta", "--json").document["reasons"]
    assert reason["count"] == 1
    (chain,) = reason["chains"]
    assert chain["asked_by"] == ["requirements.txt"]
    assert [package["name"] for package in chain["packages"]] == ["alpha", "beta"]


def test_a_chain_too_many_is_counted(locked):
    assert locked.run("why", "libc6", "--limit", "1").stdout.splitlines()[-1] == "  ... and 1 more: --limit 2"


def test_included_files_are_named_as_the_ones_that_ask(small_project):
    work = small_project()
    work.write("requirements.txt", "-r more.txt\nalpha\n")
    work.write("more.txt", "gamma\nalpha\n")
    assert work.run("lock").code == 0
    assert work.run("why", "alpha").stdout.splitlines()[1:] == ["  requirements.txt, more.txt -> alpha 1.0"]
    assert work.run("why", "gamma").stdout.splitlines()[1:] == ["  more.txt -> gamma 1.0"]


def test_what_is_asked_of_the_os_comes_before_what_the_base_brings(small_project, tools):
    work = small_project()
    work.site.add_deb("git", tools.deb_of("git", "1:2.47", {}, depends="perl"))
    work.site.add_deb("perl", tools.deb_of("perl", "5.40", {}, depends="libc6"))
    work.site.publish()
    work.replace("envfreeze.toml", "[image]\n", '[image]\npackages = ["git"]\n')
    assert work.run("lock").code == 0
    assert work.run("why", "libc6", "--limit", "1").stdout.splitlines()[1] == (
        "  [image] packages -> git 1:2.47 -> perl 5.40 -> libc6 2.41-12"
    )


def test_an_unknown_package_is_told_with_the_nearest_names(locked):
    for command in ("tree", "why"):
        ended = locked.run(command, "alpa")
        assert (ended.code, ended.stdout) == (2, "")
        assert "nothing that is locked is called alpa" in ended.stderr
        assert "did you mean alpha?" in ended.stderr


def test_the_wrong_side_and_the_wrong_platform_are_told(locked):
    ended = locked.run("why", "alpha", "--side", "os")
    assert ended.code == 2
    assert "it is on the pip side" in ended.stderr
    ended = locked.run("tree", "--platform", "linux/arm64")
    assert ended.code == 2
    assert "it is for linux/amd64" in ended.stderr
    assert "--invert PACKAGE" in locked.run("tree", "--invert").stderr


def test_the_lock_files_alone_are_enough(locked, tmp_path):
    alone = tmp_path / "alone"
    alone.mkdir()
    for name in locked.lock_files():
        shutil.copy(locked.root / name, alone)
    assert locked.run("why", "beta", "-C", str(alone)).stdout.splitlines()[1:] == [
        "  the project -> alpha 1.0 -> beta 1.0"
    ]


def test_without_a_lock_there_is_nothing_to_explain(small_project):
    ended = small_project().run("tree")
    assert ended.code == 2
    assert "run `envfreeze lock`" in ended.stderr


def test_a_lock_that_was_written_before_edges_were_known_says_so(locked):
    lock_files.write(without_edges(lock_files.read(locked.root)), locked.root)
    ended = locked.run("tree", "--side", "pip")
    assert ended.code == 0
    assert "the lock does not say which pip packages need which" in ended.stderr
    assert ended.stdout.splitlines()[1:] == [
        "alpha 1.0  <- requirements.txt",
        "gamma 1.0  <- requirements.txt",
        "beta 1.0",
    ]
    assert locked.run("why", "beta").stdout.splitlines()[1:] == [
        "  nothing that is asked for by name is known to need it"
    ]


def test_edges_move_neither_image_nor_seal(small_project):
    work = small_project()
    assert work.run("lock", "--seal").code == 0
    sealed = (work.root / "envfreeze.lock").read_text()
    built = work.run("build", "--no-record").digest
    lock = lock_files.read(work.root)
    lock_files.write(without_edges(lock), work.root)
    assert "depends" not in (work.root / "envfreeze.lock").read_text()
    assert work.run("build", "--no-record").digest == built
    ended = work.run("lock", "--upgrade")
    assert (ended.code, ended.stdout) == (0, "locked\n")
    assert (work.root / "envfreeze.lock").read_text() == sealed


def without_edges(lock):
    """The same lock as a version that knew no edges would have written it."""
    return replace(
        lock,
        targets=tuple(
            replace(
                target,
                wheels=tuple(replace(wheel, dependencies=()) for wheel in target.wheels),
                base=replace(
                    target.base, packages=tuple(replace(deb, depends=()) for deb in target.base.packages)
                ),
            )
            for target in lock.targets
        ),
    )


def test_the_changes_of_a_lock_are_a_document_too(small_project, tools):
    work = small_project()
    assert work.run("lock").code == 0
    work.site.add_wheel("beta", tools.wheel_of("beta", "1.1"), "1.1")
    ended = work.run("lock", "--upgrade", "--json")
    assert "linux/amd64: Python 3.13.5, glibc 2.41, 4 OS packages, 3 wheels\n" in ended.stderr
    assert json.loads(ended.stdout)["changes"] == [
        {
            "kind": "moved",
            "side": "pip",
            "platform": "linux/amd64",
            "name": "beta",
            "before": "1.0",
            "after": "1.1",
            "direction": "up",
            "direct": False,
        }
    ]


# -------------------------------------------------------------------------------------------- how it looks


def test_a_terminal_that_can_gets_lines_and_arrows(locked):
    shown = on_a_terminal(locked, "tree", "alpha", PYTHONIOENCODING="utf-8")
    assert "└─ beta 1.0" in shown
    assert "requirements.txt → alpha 1.0 → beta 1.0" in on_a_terminal(
        locked, "why", "beta", PYTHONIOENCODING="utf-8"
    )
    assert "`-- beta 1.0" in on_a_terminal(locked, "tree", "alpha", PYTHONIOENCODING="ascii")


def on_a_terminal(work, *words, **environment):
    """Run a command with its stdout on a terminal; what that shows."""
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "envfreeze", *words],
            cwd=work.root,
            env=os.environ | {"PYTHONPYCACHEPREFIX": str(work.bytecode)} | environment,
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return os.read(ours, 1 << 16).decode()
    finally:
        os.close(ours)
        os.close(theirs)


# ------------------------------------------------------------------------------------------ the how-to page


def test_the_commands_of_the_page_do_what_it_says(locked, tmp_path):
    page = PAGE.read_text()
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "envfreeze"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m envfreeze "$@"\n')
    command.chmod(0o755)
    blocks = re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    done = subprocess.run(
        ["bash", "-eu", "-o", "pipefail"],
        cwd=locked.root,
        env=os.environ
        | {"PATH": f"{command.parent}:{os.environ['PATH']}", "PYTHONPYCACHEPREFIX": str(locked.bytecode)},
        input="\n".join(blocks),
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (shown,) = re.findall(r"^    beta 1\.0 \(pip.*\n(?:    .*\n)+", page, re.MULTILINE)
    assert textwrap.dedent(shown) in done.stdout
    assert "linux/amd64 alpha 1.0 requirements.txt\n" in done.stdout
    assert "os (linux/amd64)\nlibc6 2.41-12" in done.stdout


def test_the_configurations_of_the_page_on_archives_are_valid():
    page = PAGE.with_name("apt-archives.md").read_text()
    examples = re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert len(examples) == 4
    for example in examples:
        check(Written("envfreeze.toml", "", tomllib.loads(example)))
