"""The files of commits and folders: one digest for the same files, and nothing outside them."""

from __future__ import annotations

import http.server
import io
import os
import subprocess
import tarfile
import threading
import zipfile
from functools import partial
from typing import TYPE_CHECKING

import pytest

from envfreeze.digest import Digest
from envfreeze.errors import UntrustedError, UsageError
from envfreeze.locking.sources import tree
from envfreeze.locking.sources.git import archive_commit
from envfreeze.locking.sources.unpack import unpack
from envfreeze.project import folders

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Repository

    from envfreeze.store.cache import Cache


@pytest.fixture
def commit(git_repository: Repository) -> str:
    (git_repository.root / "run.sh").write_text("#!/bin/sh\n")
    (git_repository.root / "run.sh").chmod(0o700)
    (git_repository.root / "link").symlink_to("a/b.txt")
    # What git archive would change: line ends, contents and which files there are.
    attributes = "*.txt text eol=crlf export-subst\nhidden export-ignore\n"
    return git_repository.commit(
        {"a/b.txt": "$Format:%H$\n", "a.txt": "x\n", "hidden": "h", ".gitattributes": attributes}
    )


def test_a_commit_s_archive_is_fixed(git_repository: Repository, commit: str, cache: Cache) -> None:
    digest = archive_commit(git_repository.root.as_uri(), commit, cache)
    path = cache.find(digest)
    assert path is not None
    with tarfile.open(path) as tar:
        listed = [(member.name, oct(member.mode), member.linkname or member.size) for member in tar]
    assert listed == [
        (".gitattributes", "0o644", 54),
        ("a.txt", "0o644", 2),
        ("a/b.txt", "0o644", 12),
        ("hidden", "0o644", 1),
        ("link", "0o777", "a/b.txt"),
        ("run.sh", "0o755", 10),
    ]
    assert digest == Digest.parse("sha256:0be91baf09249c341d6d3af05bdfa31b392b2b17647c3ecfd81a9db58d4c723b")


def test_a_folder_has_the_digest_of_the_commit_of_it(
    git_repository: Repository, commit: str, cache: Cache
) -> None:
    root = git_repository.root
    (root / ".gitignore").write_text("ignored\n")
    (root / "ignored").write_text("not the project's")
    (root / "a.txt").chmod(0o600)
    commit = git_repository.commit({"new.txt": "n"})
    digest = archive_commit(root.as_uri(), commit, cache)
    assert tree.archive(folders.entries(root), cache) == digest
    for name in ("envfreeze.lock", "pylock.toml", "pylock.linux-amd64.toml", "requirements.lock.txt"):
        (root / name).write_text("made of the others")
    (root / "__pycache__").mkdir()
    (root / "__pycache__" / "x.pyc").write_text("")
    assert tree.archive(folders.entries(root), cache) == digest


def test_outside_git_what_tools_leave_behind_does_not_count(tmp_path: Path) -> None:
    root = tmp_path / "plain"
    for name in (
        "src/build/x.py",
        "build/lib/x.py",
        "x.egg-info/PKG-INFO",
        "a.pyc",
        ".venv/x",
        "pyproject.toml",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    assert [entry.path for entry in folders.entries(root)] == ["pyproject.toml", "src/build/x.py"]
    before = folders.listing(root)
    assert before.endswith(b" src/build/x.py\n")
    (root / "src/build/x.py").chmod(0o755)
    assert folders.listing(root) != before


def test_a_folder_s_links_stay_inside(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "link").symlink_to("../secret")
    with pytest.raises(UsageError, match="is a link that leads out of"):
        folders.entries(tmp_path / "plain")


class _Git(http.server.BaseHTTPRequestHandler):
    """git-http-backend(1): the smart protocol."""

    def __init__(self, *arguments: object, root: Path, **keys: object) -> None:
        self.root = root
        super().__init__(*arguments, **keys)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, body: bytes) -> None:
        path, _, query = self.path.partition("?")
        done = subprocess.run(
            ["git", "http-backend"],
            input=body,
            capture_output=True,
            check=True,
            env={
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": str(self.root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_CONFIG_COUNT": "1",
                "GIT_CONFIG_KEY_0": "safe.directory",
                "GIT_CONFIG_VALUE_0": "*",
                "REQUEST_METHOD": self.command,
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            },
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        lines = [line.decode().split(": ", 1) for line in head.split(b"\r\n")]
        status = next((value for name, value in lines if name == "Status"), "200 OK")
        self.send_response(int(status.split()[0]))
        for name, value in lines:
            if name != "Status":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Keep the tests' output clean."""


class _Files(http.server.SimpleHTTPRequestHandler):
    """Only files: git's dumb protocol."""

    def log_message(self, *_: object) -> None:
        """Keep the tests' output clean."""


@pytest.fixture(params=["smart", "dumb"])
def served(request: pytest.FixtureRequest, git_repository: Repository) -> Iterator[str]:
    """Serve the repository over HTTP on loopback, by the smart and by the dumb protocol."""
    root = git_repository.root.parent
    if request.param == "smart":
        handler: object = partial(_Git, root=root)
    else:
        handler = partial(_Files, directory=str(root))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:  # type: ignore[arg-type]
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/{git_repository.root.name}/.git"
        finally:
            server.shutdown()
            thread.join()


def test_a_commit_comes_over_http_too(
    served: str, git_repository: Repository, commit: str, cache: Cache
) -> None:
    for text in "abc":
        git_repository.commit({"later.txt": text})
    git_repository.git("update-server-info")
    assert archive_commit(served, commit, cache) == archive_commit(
        git_repository.root.as_uri(), commit, cache
    )


def test_an_archive_is_unpacked_with_one_time_and_the_modes_of_the_umask(
    git_repository: Repository, commit: str, cache: Cache, tmp_path: Path
) -> None:
    path = cache.find(archive_commit(git_repository.root.as_uri(), commit, cache))
    assert path is not None
    unpack(path, "x.tar", tmp_path / "one", umask=0o022)
    unpack(path, "x.tar", tmp_path / "two", umask=0o077, reverse=True)
    modes = [oct((tmp_path / where / "run.sh").stat().st_mode & 0o777) for where in ("one", "two")]
    assert modes == ["0o755", "0o700"]
    assert {entry.lstat().st_mtime for entry in (tmp_path / "one").rglob("*")} == {315619200.0}
    assert (tmp_path / "one" / "link").read_text() == "$Format:%H$\n"


def _tar(*members: tuple[str, bytes, str]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, kind, link in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, link
            tar.addfile(info)
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (_tar(("../x", tarfile.REGTYPE, "")), "the path '../x' leaves its root"),
        (_tar(("/x", tarfile.REGTYPE, "")), "the path '/x' is absolute"),
        (_tar(("a/../../x", tarfile.REGTYPE, "")), "leaves its root"),
        (_tar(("a", tarfile.SYMTYPE, "/etc")), "the link 'a' leads out of it, to '/etc'"),
        (_tar(("b/a", tarfile.SYMTYPE, "../../x")), "the link 'b/a' leads out of it"),
        (_tar(("a", tarfile.SYMTYPE, "b"), ("a/x", tarfile.REGTYPE, "")), "two of its members are one path"),
        (_tar(("a", tarfile.REGTYPE, ""), ("a/x", tarfile.REGTYPE, "")), "two of its members are one path"),
        (_tar(("a", tarfile.LNKTYPE, "/etc/passwd")), "a links to what is not in the archive"),
        (_tar(("a", tarfile.CHRTYPE, "")), "a is neither a file, a folder nor a link"),
        (b"no archive", "is no archive that can be read"),
        (_tar(("a", tarfile.REGTYPE, ""))[:300], "is no archive that can be read"),
    ],
)
def test_nothing_is_unpacked_elsewhere(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "x.tar.gz"
    path.write_bytes(content)
    with pytest.raises(UntrustedError) as caught:
        unpack(path, "x.tar.gz", tmp_path / "out", umask=0o022)
    assert caught.value.message.startswith("x.tar.gz: ")
    assert words in caught.value.message
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "x.tar.gz"]


@pytest.mark.parametrize("name", ["../x", "/x", "a\\b"])
def test_nor_from_a_zip(tmp_path: Path, name: str) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, "x")
    with pytest.raises(UntrustedError, match=r"x\.zip: the path"):
        unpack(path, "x.zip", tmp_path / "out", umask=0o022)
