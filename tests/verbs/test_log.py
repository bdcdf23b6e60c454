"""Which builds `log` and `records find` choose."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from envfreeze.cli.main import main
from envfreeze.digest import Digest
from envfreeze.errors import UsageError
from envfreeze.oci.platform import Platform
from envfreeze.records.model import Record, RecordedImage, Verification
from envfreeze.records.selection import Selection
from envfreeze.records.store import open_store
from envfreeze.replacing import replace
from envfreeze.verbs.log import log, since, until

LOCK = (
    b'[target.base]\npackages = [\n    { name = "libc6", version = "2.41-12", architecture = "amd64" },\n]\n'
)
PYLOCK = b'[[packages]]\nname = "numpy"\nversion = "%s"\n'


@dataclass(frozen=True)
class Team:
    root: object
    commits: list[str]

    def names(self, selection=None, **options):
        return [
            name
            for build in log(self.root, selection, **options).builds
            for name in "abc"
            if build.entry.digest == Digest.of(name.encode())
        ]


@pytest.fixture
def team(made, tmp_path):
    """A copy of `made` for each test."""
    return replace(made, root=Path(shutil.copytree(made.root, tmp_path / "team", symlinks=True)))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Three commits with a build each: `a` and `b` of two numpys, `c` of a dirty tree and two platforms."""
    tmp_path = tmp_path_factory.mktemp("made")

    def git(*arguments):
        command = ["git", "-C", tmp_path, "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "-q", "-b", "main")
    store = open_store(tmp_path)
    commits = []
    for number, name in enumerate("abc"):
        (tmp_path / "train.py").write_text(f"print({number})\n")
        git("add", "--all")
        git("commit", "-q", "-m", name)
        commits.append(git("rev-parse", "HEAD"))
        if name == "c":
            (tmp_path / "train.py").write_text("dirty\n")
        lock = {
            "envfreeze.lock": LOCK + b"#%d" % number,
            "pylock.toml": PYLOCK % (b"2.3.1" if number else b"1.26.4"),
        }
        source = store.snapshot(lock, [])
        digest = Digest.of(name.encode())
        platforms = ["linux/amd64", "linux/arm64"] if name == "c" else ["linux/amd64"]
        images = tuple(
            RecordedImage(Platform.parse(one), digest, Digest.of(f"config {name} {one}".encode()), ())
            for one in platforms
        )
        store.add(
            Record(f"2026-01-0{number + 1}T12:00:00Z", "native", "0.1.0", 1, digest, images, source, ())
        )
    for at, name, level in (("03", "a", "different"), ("04", "a", "identical"), ("05", "b", "different")):
        store.add_verification(
            Verification(f"2026-02-{at}T00:00:00Z", "0.1.0", Digest.of(name.encode()), level, commits[0])
        )
    return Team(tmp_path, commits)


def test_all_builds_newest_first_and_at_most_so_many(team):
    assert team.names() == ["c", "b", "a"]
    assert team.names(limit=2) == ["c", "b"]
    assert [record.at[:10] for record in log(team.root, limit=2, whole=True).records] == [
        "2026-01-03",
        "2026-01-02",
    ]


def test_builds_of_a_commit_and_of_a_range(team):
    first, second, _ = team.commits
    assert team.names(commit=second) == ["b"]
    assert team.names(commit="HEAD~2") == ["a"]
    assert team.names(commit=first[:8]) == ["a"]
    assert team.names(commit=f"{first}..main") == ["c", "b"]
    assert team.names(commit="HEAD~1..") == ["c"]
    assert team.names(commit="ffff") == []
    for wrong in ("no-branch", "no-branch..main", "--all"):
        with pytest.raises(UsageError, match="no commit"):
            log(team.root, commit=wrong)


def test_builds_of_a_digest(team):
    assert team.names(Selection(digest=Digest.of(b"b"))) == ["b"]
    assert team.names(Selection(digest=Digest.of(b"config c linux/arm64"))) == ["c"]
    assert team.names(Selection(digest=Digest.of(b"another"))) == []


def test_builds_with_a_package(team):
    assert team.names(package="NumPy") == ["c", "b", "a"]
    assert team.names(package="numpy==2.3.1") == ["c", "b"]
    assert team.names(package="libc6", limit=1) == ["c"]
    assert team.names(package="libc6==2.40") == []
    assert team.names(package="num") == []
    (build,) = log(team.root, package="numpy==1.26.4").builds
    assert [(one.side, one.name, one.version) for one in build.packages] == [("pip", "numpy", "1.26.4")]
    for wrong in ("numpy==", "", "numpy>=2", "../numpy"):
        with pytest.raises(UsageError, match="names no package"):
            log(team.root, package=wrong)


def test_builds_of_a_time(team):
    assert team.names(Selection(since=since("2026-01-02"))) == ["c", "b"]
    assert team.names(Selection(until=until("2026-01-02"))) == ["b", "a"]
    assert team.names(
        Selection(since=since("2026-01-02T12:00:00Z"), until=until("2026-01-03T12:00:00Z"))
    ) == ["b"]
    assert team.names(Selection(since=since("2 weeks"))) == []
    assert team.names(Selection(until=until("1 day"))) == ["c", "b", "a"]
    for read in (since, until):
        with pytest.raises(UsageError, match="no moment"):
            read("yesterday")
        with pytest.raises(UsageError, match="no moment"):
            read("2026-02-30")


def test_builds_by_engine_platform_state_and_verification(team):
    assert team.names(Selection(engine="native")) == ["c", "b", "a"]
    assert team.names(Selection(engine="docker")) == []
    assert team.names(Selection(platform=Platform.parse("linux/arm64"))) == ["c"]
    assert team.names(Selection(dirty=True)) == ["c"]
    assert team.names(Selection(dirty=False)) == ["b", "a"]
    assert team.names(Selection(verified=frozenset({"identical"}))) == ["a"]
    assert team.names(Selection(verified=frozenset({"different", "never"}))) == ["c", "b"]
    assert team.names(Selection(dirty=False, verified=frozenset({"different"}))) == ["b"]


def test_a_lock_that_is_not_here_is_said(team, tmp_path_factory):
    clone = tmp_path_factory.mktemp("clone") / "clone"
    subprocess.run(["git", "clone", "-q", team.root.as_uri(), str(clone)], check=True)
    subprocess.run(
        ["git", "-C", str(clone), "fetch", "-q", "origin", "refs/notes/envfreeze:refs/notes/envfreeze"],
        check=True,
    )
    told = []

    class Told:
        warn = told.append

    assert log(clone, package="numpy", progress=Told()).builds == ()
    assert len(told) == 1
    assert "envfreeze records fetch" in told[0]


def run(capsys, *words):
    code = main([str(word) for word in words])
    return code, capsys.readouterr()


def test_the_command_prints_a_line_for_each_build(team, capsys):
    code, said = run(
        capsys, "log", "-C", team.root, "--clean", "--verified", "identical", "--package", "numpy"
    )
    assert code == 0
    assert said.out == (
        f"{Digest.of(b'a')} 2026-01-01T12:00:00Z {team.commits[0]} clean identical numpy==1.26.4\n"
    )
    code, said = run(
        capsys, "log", "-C", team.root, "--dirty", "--since", "2026-01-01", "--engine", "native", "-n", 5
    )
    assert said.out.split() == [str(Digest.of(b"c")), "2026-01-03T12:00:00Z", team.commits[2], "dirty", "-"]


def test_the_document_has_the_records_and_what_was_found_of_them(team, capsys):
    code, said = run(capsys, "log", "-C", team.root, "--json", "--commit", "HEAD~2", "--package", "numpy")
    document = json.loads(said.out)
    digest = str(Digest.of(b"a"))
    assert code == 0
    assert [record["digest"] for record in document["records"]] == [digest]
    assert document["verified"] == {digest: "identical"}
    assert document["packages"] == {digest: [{"side": "pip", "name": "numpy", "version": "1.26.4"}]}


def test_find_answers_with_its_exit_code(team, capsys):
    code, said = run(capsys, "records", "find", "-C", team.root, "--digest", Digest.of(b"b").hex)
    assert (code, said.out.split()[0]) == (0, str(Digest.of(b"b")))
    code, said = run(capsys, "records", "find", "-C", team.root, "--package", "numpy==3.0")
    assert (code, said.out) == (1, "")
    assert run(capsys, "records", "find", "-C", team.root)[0] == 2
    assert run(capsys, "log", "-C", team.root, "--verified", "well")[0] == 2
    assert run(capsys, "log", "-C", team.root, "sha256:" + "0" * 64, "--digest", "1" * 64)[0] == 2


def test_the_records_commands_end_with_a_word(team, capsys):
    assert run(capsys, "records", "merge", "-C", team.root)[1].out == "unchanged\n"
    code, said = run(capsys, "records", "push", "-C", team.root)
    assert code == 2
    assert "git remote add origin URL" in said.err
    remote = team.root / "remote.git"
    subprocess.run(["git", "clone", "-q", "--bare", str(team.root), str(remote)], check=True)
    subprocess.run(["git", "-C", str(team.root), "remote", "add", "origin", str(remote)], check=True)
    assert run(capsys, "records", "push", "-C", team.root)[1].out == "pushed\n"
    code, said = run(capsys, "records", "fetch", "-C", team.root, "--configure", "--json")
    assert (code, json.loads(said.out)["remotes"]) == (0, ["origin"])
    assert len(json.loads(said.out)["configured"]) == 2
