"""Every way to say who is asking, for resolving and for downloading; and nobody is told."""

from __future__ import annotations

import gzip
import os
import shutil
import sys
import threading
from pathlib import Path

import pytest

SECRET = "s3cr3t-of-ada"
USER = f"ada:{SECRET}"

RING = f"""
from keyring.backend import KeyringBackend


class Ring(KeyringBackend):
    priority = 1

    def get_password(self, service, username):
        return {SECRET!r} if username == "ada" and "/simple/" in service else None

    def set_password(self, service, username, password):
        raise NotImplementedError
"""


@pytest.fixture
def private(small_project):
    """The small project; its index asks who is there, and is called `own`."""
    work = small_project()
    work.site.credentials = {"/simple/": USER, "/wheels/": USER}
    work.replace(
        "envfreeze.toml",
        f'index-url = "{work.site.url}/simple/"',
        f'index = [{{ name = "own", url = "{work.site.url}/simple/", default = true }}]',
    )
    work.commit()
    return work


@pytest.fixture
def no_command_line_tells():
    """Watch every command line on the machine while the test runs."""
    seen: list[bytes] = []
    over = threading.Event()

    def watch():
        while not over.wait(0.005):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    line = path.read_bytes()
                except OSError:
                    continue
                if SECRET.encode() in line:
                    seen.append(line)

    thread = threading.Thread(target=watch)
    thread.start()
    yield
    over.set()
    thread.join()
    assert seen == []


def check_nothing_tells(work):
    for place in (work.root, work.cache, work.temporary):
        for path in place.rglob("*"):
            if path.is_file() and ".git" not in path.parts:
                content = path.read_bytes()
                if content.startswith(b"\x1f\x8b"):
                    content = gzip.decompress(content)
                assert SECRET.encode() not in content, path


def lock_and_build(work, **environment):
    """Both ask the index: one for its pages, the other for its files."""
    for verb in ("lock", "build"):
        ended = work.run(verb, **environment)
        assert ended.code == 0, ended.stderr
        assert SECRET not in ended.stdout + ended.stderr
    check_nothing_tells(work)


def verify_and_check(work, **environment):
    """Both ask again: `--check` for pages once an input has changed, `verify` for files without a cache."""
    digest = work.run("build", **environment).stdout.strip()
    work.replace("requirements.txt", "gamma", "gamma>=1")
    ended = work.run("lock", "--check", **environment)
    assert (ended.code, ended.stdout) == (0, "current\n"), ended.stderr
    work.git("checkout", "--quiet", "--", "requirements.txt")
    shutil.rmtree(work.cache)
    work.site.asked.clear()
    verified = work.run("verify", digest, **environment)
    assert verified.code == 0, verified.stderr
    assert any(path.startswith("/wheels/") for path in work.site.asked)
    assert SECRET not in verified.stdout + verified.stderr + ended.stderr
    check_nothing_tells(work)


@pytest.mark.usefixtures("no_command_line_tells")
def test_the_environment_names_user_and_password_of_an_index(private):
    lock_and_build(private, UV_INDEX_OWN_USERNAME="ada", UV_INDEX_OWN_PASSWORD=SECRET)


@pytest.mark.usefixtures("no_command_line_tells")
def test_the_keyring_is_asked_for_the_user_of_the_url(private, tmp_path):
    (tmp_path / "ring").mkdir()
    (tmp_path / "ring" / "testring.py").write_text(RING)
    private.replace("envfreeze.toml", 'url = "http://', 'url = "http://ada@')
    private.replace("envfreeze.toml", "[pip]\n", '[pip]\nkeyring-provider = "subprocess"\n')
    ring = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": f"{tmp_path / 'ring'}:{os.environ.get('PYTHONPATH', '')}",
        "PYTHON_KEYRING_BACKEND": "testring.Ring",
    }
    lock_and_build(private, **ring)
    private.commit()
    verify_and_check(private, **ring)


@pytest.mark.usefixtures("no_command_line_tells")
def test_netrc_opens_an_index_too(private):
    netrc = Path(os.environ["HOME"]) / ".netrc"
    netrc.write_text(f"machine 127.0.0.1 login ada password {SECRET}\n")
    netrc.chmod(0o600)
    lock_and_build(private)
    private.commit()
    verify_and_check(private)


@pytest.mark.usefixtures("no_command_line_tells")
def test_a_requirements_file_takes_its_password_from_the_environment(private):
    private.replace(
        "envfreeze.toml",
        f'index = [{{ name = "own", url = "{private.site.url}/simple/", default = true }}]',
        "",
    )
    private.write(
        "requirements.txt",
        f"--index-url http://ada:${{TOKEN}}@{private.site.address}/simple/\nalpha\ngamma\n",
    )
    private.commit()
    lock_and_build(private, TOKEN=SECRET)


def test_a_lock_with_a_span_keeps_its_moment_until_an_upgrade(small_project):
    work = small_project()
    work.replace("envfreeze.toml", "[pip]\n", '[pip]\nexclude-newer = "1 hour"\n')
    ended = work.run("lock")
    assert ended.code == 3
    assert "does not say when files of" in ended.stderr
    work.site.uploaded = "2026-01-01T00:00:00Z"
    assert work.run("lock").code == 0
    first = (work.root / "envfreeze.lock").read_text()
    work.write("requirements.txt", "alpha\n")
    assert work.run("lock").code == 0
    (moment,) = [line for line in first.splitlines() if line.startswith("exclude-newer")]
    assert moment in (work.root / "envfreeze.lock").read_text()
    ended = work.run("lock", "--exclude-newer", "2026-02-01T00:00:00Z")
    assert ended.code == 0, ended.stderr
    assert 'exclude-newer = "2026-02-01T00:00:00Z"' in (work.root / "envfreeze.lock").read_text()
    assert work.run("lock").stdout == "unchanged\n"
    assert work.run("lock", "--exclude-newer", "soon").code == 2
