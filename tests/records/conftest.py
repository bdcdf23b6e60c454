"""Real git repositories to record in."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from envfreeze.digest import Digest
from envfreeze.oci.platform import Platform
from envfreeze.progress import SILENT
from envfreeze.records.model import Record, RecordedImage, RecordedLayer, Snapshot
from envfreeze.records.store import open_store
from envfreeze.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from envfreeze.progress import Task
    from envfreeze.records.store import RecordStore


def _digest(text: str) -> Digest:
    return Digest.of(text.encode())


def _record(source: Snapshot, name: str = "image", at: str = "2026-09-12T07:55:41Z") -> Record:
    return Record(
        at=at,
        engine="native",
        engine_version="0.1.0",
        writer=1,
        digest=_digest(name),
        manifests=(
            RecordedImage(
                platform=Platform.parse("linux/amd64"),
                manifest=_digest(name),
                config=_digest(f"{name} config"),
                layers=(RecordedLayer(_digest("layer"), _digest("tar")),),
            ),
        ),
        source=source,
    )


@dataclass
class Warnings:
    """A `Progress` that remembers what it was warned of."""

    told: list[str] = field(default_factory=list)

    def task(self, description: str, total: int | None = None) -> Task:
        return SILENT.task(description, total)

    def note(self, text: str) -> None:
        """Not a warning."""

    def warn(self, text: str) -> None:
        self.told.append(text)


@dataclass(frozen=True)
class Work:
    """A working tree, and git as its user would run it there."""

    root: Path
    warnings: Warnings = field(default_factory=Warnings)

    def git(self, *arguments: str, check: bool = True) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self.root, check=False, capture_output=True, text=True, errors="replace"
        )
        assert not check or done.returncode == 0, done.stderr
        return done.stdout.strip()

    def write(self, path: str, content: str | bytes = "") -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    def commit(self, message: str = "work") -> str:
        self.git("add", "--all")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def at(self, root: Path) -> Work:
        return replace(self, root=root)

    def store(self, project: str = ".") -> RecordStore:
        return open_store(self.root / project, progress=self.warnings)


@pytest.fixture
def a_record() -> Callable[..., Record]:
    """`a_record(source, name, at)`: of an image whose digest is that of its name."""
    return _record


@pytest.fixture
def lock() -> dict[str, bytes]:
    """Lock files, with bytes that no filter may touch."""
    return {"envfreeze.lock": b"schema = 1\n", "pylock.toml": b"crlf\r\n no end"}


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Work]:
    """Makes an empty repository of that name, for a user whom git knows."""
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Ada")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "ada@example.org")
    if shutil.which("git") is None:
        pytest.fail("git is needed to work on envfreeze")

    def make(name: str) -> Work:
        work = Work(tmp_path / name)
        work.root.mkdir()
        work.git("init", "-q", "-b", "main")
        return work

    return make


@pytest.fixture
def work(make: Callable[[str], Work]) -> Work:
    """A repository with one commit."""
    work = make("work")
    work.write("train.py", "print('train')\n")
    work.commit()
    return work
