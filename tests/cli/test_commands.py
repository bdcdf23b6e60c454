"""The whole job from the command line: what each command prints, in both shapes, and how it ends.

Needs the package index and the distribution's archive for one small project.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.network

REFERENCE = Path(__file__).parents[2] / "docs/reference/cli.md"
LOCK_FILES = {"envfreeze.lock", "pylock.toml", "requirements.lock.txt"}
DIGEST = re.compile(r"sha256:[0-9a-f]{64}\n")


def documented(command: str) -> list[dict]:
    """The documents that the reference shows for a command."""
    section = REFERENCE.read_text().partition(f"\n## `envfreeze {command}`\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"(?:^    .*\n)+", section, re.MULTILINE)
    return [json.loads(block.replace("{…}", "{}")) for block in blocks if block.lstrip().startswith("{")]


def keys(document: dict) -> dict:
    """A document's keys, and those of the first thing in each of its lists."""
    return {
        key: keys(value[0]) if isinstance(value, list) and value and isinstance(value[0], dict) else None
        for key, value in document.items()
    }


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """One cache for the module: what one test has fetched the next has."""
    return str(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def run(envfreeze, cache):
    return lambda *arguments: envfreeze(*arguments, ENVFREEZE_CACHE=cache)


@pytest.fixture
def project(tmp_path, need):
    need("git", shutil.which("git") is not None, "no git on this machine")
    (tmp_path / "requirements.txt").write_text("packaging==24.1\n")
    (tmp_path / "train.py").write_text("print('trained')\n")
    for arguments in (
        ["init", "--quiet"],
        ["add", "--all"],
        ["-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "--quiet", "--message", "start"],
    ):
        subprocess.run(["git", "-C", tmp_path, *arguments], check=True)
    return tmp_path


def test_the_whole_job_with_one_line_each(run, project):
    init = run("init")
    assert (init.code, init.stdout) == (0, f"{project / 'envfreeze.toml'}\n")
    again = run("init")
    assert (again.code, again.stdout) == (0, "")

    assert run("lock", "--check").code == 2  # there is no lock yet
    lock = run("lock")
    assert (lock.code, lock.stdout) == (0, "locked\n"), lock.stderr
    assert run("lock").stdout == "unchanged\n"
    check = run("lock", "--check")
    assert (check.code, check.stdout) == (0, "current\n")

    build = run("build")
    assert build.code == 0, build.stderr
    assert DIGEST.fullmatch(build.stdout)
    assert "\x1b" not in build.stderr
    digest = build.stdout.strip()

    verify = run("verify", digest)
    assert (verify.code, verify.stdout) == (0, "identical\n"), verify.stderr

    log = run("log")
    assert re.fullmatch(rf"{digest} \S+Z [0-9a-f]{{40}} (clean|dirty) identical\n", log.stdout)
    assert run("log", "0" * 64).stdout == ""

    quiet = run("build", "--quiet", "--no-record")
    assert (quiet.stdout, quiet.stderr) == (f"{digest}\n", "")
    assert len(run("log").stdout.splitlines()) == 1

    clean = run("cache", "verify")
    assert (clean.code, clean.stdout) == (0, "clean\n")


def test_the_whole_job_in_documents_as_the_reference_shows_them(run, project):
    lock = run("lock", "--json").document
    shown, check, outdated = documented("lock")
    assert keys(lock) == {**keys(shown), "changes": None}
    assert {Path(path).parent for path in lock["written"]} == {project}
    assert {Path(path).name for path in lock["written"]} == LOCK_FILES

    assert keys(run("lock", "--check", "--json").document) == keys(check)
    newer = run("lock", "--outdated", "--json").document
    assert keys(newer) == keys(outdated) or newer == {"outdated": []}

    build = run("build", "--json", "--archive", "image.tar", "--output", "image").document
    assert keys(build) == keys(documented("build")[0])
    assert build["archive"] == "image.tar"
    assert (project / "image/oci-layout").is_file()

    verify = run("verify", build["digest"], "--json").document
    assert keys(verify) == {**keys(documented("verify")[0]), "findings": None}
    assert verify["record"] == build["record"]

    log = run("log", "--json").document
    assert log == {
        "records": [build["record"]],
        "verified": {build["digest"]: "identical"},
        "packages": {},
    }

    for command in ("cache info", "cache prune", "cache verify"):
        expected = keys(documented(command)[0])
        assert keys(run(*command.split(), "--json").document).keys() == expected.keys()


def test_drift_is_a_no_that_names_its_cause(run, project):
    assert run("lock").code == 0
    (project / "requirements.txt").write_text("packaging==24.2\n")
    check = run("lock", "--check")
    assert (check.code, check.stdout) == (1, "drift\n")
    assert "packaging" in check.stderr
    assert check.stderr.endswith("hint: run `envfreeze lock`\n")
    document = run("lock", "--check", "--json")
    assert document.code == 1
    assert document.document["result"] == "drift"
    assert any("packaging" in cause for cause in document.document["causes"])

    moved = run("lock")
    assert moved.stdout == "locked\n"
    assert "up  packaging 24.1 -> 24.2" in moved.stderr


def test_an_edited_lock_is_not_built(run, project):
    assert run("lock").code == 0
    pylock = project / "pylock.toml"
    pylock.write_text(pylock.read_text().replace("24.1", "24.0"))
    ended = run("build")
    assert (ended.code, ended.stdout) == (6, "")
    assert "pylock.toml" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (project / ".envfreeze/image").exists()


@pytest.mark.usefixtures("project")
def test_verify_without_a_record_says_where_records_come_from(run):
    ended = run("verify", "sha256:" + "0" * 64)
    assert (ended.code, ended.stdout) == (2, "")
    assert "no record" in ended.stderr


def test_the_demo_ends_in_a_digest_and_identical(tmp_path, need, cache):
    need("git", shutil.which("git") is not None, "no git on this machine")
    demo = subprocess.run(
        ["bash", Path(__file__).parents[2] / "examples/demo.sh", Path(sys.executable).parent / "envfreeze"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path), "ENVFREEZE_CACHE": cache},
        check=False,
    )
    assert demo.returncode == 0, demo.stderr
    assert re.search(r"^digest   sha256:[0-9a-f]{64}$", demo.stdout, re.MULTILINE)
    assert re.search(r"^verdict  identical$", demo.stdout, re.MULTILINE)
    assert list(tmp_path.iterdir()) == []
