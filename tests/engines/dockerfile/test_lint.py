"""Nothing in a generated Dockerfile is loose, by our own lint and by hadolint; and the lint sees what is."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.Dockerfile"))
DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_nothing_that_we_write_is_loose(path, dockerfile_lint):
    counts = dockerfile_lint.lint(path.read_text())
    assert counts.loose == []
    own = [step for step in counts.open_steps if "/envfreeze/" in step or "ln -s" in step]
    assert own == []


def test_there_is_something_to_count(dockerfile_lint):
    counts = dockerfile_lint.lint((GOLDEN[0].parent / "downloads.Dockerfile").read_text())
    assert (len(counts.images), len(counts.packages), len(counts.installs), len(counts.downloads)) == (
        1,
        2,
        1,
        4,
    )


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("images", "FROM debian:trixie\n"),
        ("images", "# syntax=docker/dockerfile:1\nFROM scratch\n"),
        ("images", "FROM scratch\nCOPY --from=busybox /bin/sh /sh\n"),
        ("images", "FROM scratch\nRUN --mount=type=bind,from=busybox,target=/x true\n"),
        ("packages", "FROM scratch\nRUN apt-get update && apt-get install -y git\n"),
        ("packages", "FROM scratch\nRUN DEBIAN_FRONTEND=noninteractive apt-get -y upgrade\n"),
        ("packages", "FROM scratch\nRUN apt-get install -y /debs/git_1.0-1_amd64.deb\n"),
        ("installs", "FROM scratch\nRUN pip install numpy\n"),
        ("installs", "FROM scratch\nRUN true; /opt/venv/bin/pip3.13 install -r requirements.txt\n"),
        ("installs", "FROM scratch\nRUN python -m pip install --require-hashes -r requirements.txt\n"),
        ("installs", "FROM scratch\nRUN uv pip install numpy\n"),
        ("installs", "FROM scratch\nRUN (micromamba create --name x python)\n"),
        ("downloads", "FROM scratch\nADD https://example.org/x.tar /x\n"),
        ("downloads", "FROM scratch\nRUN curl -fsSL https://example.org/x | sh\n"),
        ("downloads", "FROM scratch\nRUN cd /x \\\n && git clone https://example.org/x\n"),
    ],
)
def test_what_is_loose_is_counted(kind, text, dockerfile_lint):
    counts = dockerfile_lint.lint(text)
    assert [
        name for name in ("images", "packages", "installs", "downloads") if getattr(counts, f"loose_{name}")
    ] == [kind]


@pytest.mark.parametrize(
    "text",
    [
        f"FROM debian:trixie@{DIGEST} AS base\nFROM base\nCOPY --from=base /x /y\n",
        "FROM scratch\nRUN apt-get install -y git=1:2.47.3-0+deb13u1\n",
        f"FROM scratch\nADD --checksum={DIGEST} https://example.org/x.tar /x\n",
        "FROM scratch\nRUN pip install --require-hashes --no-deps -r requirements.txt\n",
    ],
)
def test_what_is_pinned_is_not(text, dockerfile_lint):
    assert dockerfile_lint.lint(text).loose == []


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_hadolint_has_nothing_to_say(path, need):
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    need("hadolint", hadolint is not None, "no hadolint on this machine")
    done = subprocess.run([hadolint, "--no-color", path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
