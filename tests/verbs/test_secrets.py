"""Passwords stay where the user wrote them."""

from __future__ import annotations

import gzip
import os
import shutil
from pathlib import Path

import pytest

SECRET = "s3cr3t-of-ada"
USER = f"ada:{SECRET}"


@pytest.fixture
def private(small_project):
    """The small project with an index that asks who is there."""
    work = small_project()
    work.site.credentials = {"/simple/": USER, "/wheels/": USER}
    return work


@pytest.fixture
def run():
    """Run a command that must not tell the secret."""

    def check(work, *arguments, code=0, **environment):
        ended = work.run(*arguments, **environment)
        assert ended.code == code, ended.stderr
        assert SECRET not in ended.stdout + ended.stderr
        return ended

    return check


def check_nothing_tells(work, *written_by_the_user):
    """Neither the lock, the image, the records nor the cache."""
    places = [path for path in (work.root, work.cache, work.temporary) if path.exists()]
    for place in places:
        for path in place.rglob("*"):
            if path.is_file() and ".git" not in path.parts and path.name not in written_by_the_user:
                content = path.read_bytes()
                if content.startswith(b"\x1f\x8b"):
                    content = gzip.decompress(content)
                assert SECRET.encode() not in content, path
    for name in work.git("for-each-ref", "--format=%(refname)", "refs/notes", "refs/envfreeze").splitlines():
        for entry in work.git("ls-tree", "-r", name).splitlines():
            assert SECRET not in work.git("cat-file", "blob", entry.split()[2])
    for path in (work.root / ".git").rglob("*"):
        if path.is_file() and "objects" not in path.parts:
            assert SECRET.encode() not in path.read_bytes()


def test_the_password_of_an_index_is_used_and_told_to_nobody(private, run):
    private.replace(
        "envfreeze.toml",
        f'index-url = "http://{private.site.address}',
        f'index-url = "http://{USER}@{private.site.address}',
    )
    private.commit()
    run(private, "lock")
    digest = run(private, "build").digest
    run(private, "verify", str(digest))
    run(private, "lock", "--check")
    run(private, "log", "--json")
    private.site.credentials["/simple/"] = private.site.credentials["/wheels/"] = "ada:another"
    private.write("requirements.txt", "alpha\n")
    said = run(private, "lock", code=4).stderr
    assert private.site.address in said
    shutil.rmtree(private.cache)
    said = run(private, "build", code=4).stderr
    assert "401" in said
    check_nothing_tells(private, "envfreeze.toml")


def test_a_password_from_the_environment_stands_in_no_file_at_all(private, run):
    private.replace(
        "envfreeze.toml",
        f'index-url = "http://{private.site.address}',
        f'index-url = "http://ada:${{TOKEN}}@{private.site.address}',
    )
    run(private, "lock", TOKEN=SECRET)
    digest = run(private, "build", TOKEN=SECRET).digest
    run(private, "verify", str(digest), TOKEN=SECRET)
    check_nothing_tells(private)


def test_a_new_password_is_no_drift(private, run):
    private.replace(
        "envfreeze.toml",
        f'index-url = "http://{private.site.address}',
        f'index-url = "http://ada:${{TOKEN}}@{private.site.address}',
    )
    run(private, "lock", TOKEN=SECRET)
    assert run(private, "lock", TOKEN="another").stdout == "unchanged\n"


def test_a_password_in_a_direct_requirement_is_not_locked(private, run):
    private.replace(
        "envfreeze.toml",
        f'index-url = "http://{private.site.address}',
        f'index-url = "http://{USER}@{private.site.address}',
    )
    wheel = f"http://{USER}@{private.site.address}/wheels/gamma-1.0-py3-none-any.whl"
    private.write("requirements.txt", f"alpha\ngamma @ {wheel}\n")
    private.commit()
    run(private, "lock")
    run(private, "build")
    check_nothing_tells(private, "envfreeze.toml", "requirements.txt")


def test_a_mirror_takes_its_password_from_netrc(small_project, run):
    work = small_project()
    work.site.credentials = {"/debian/": USER}
    said = run(work, "lock", code=4).stderr
    assert "401" in said
    assert "netrc" in said
    netrc = Path(os.environ["HOME"]) / ".netrc"
    netrc.write_text(f"machine 127.0.0.1 login ada password {SECRET}\n")
    netrc.chmod(0o600)
    run(work, "lock")
    run(work, "build")
    check_nothing_tells(work)


def test_a_password_in_a_mirror_is_refused_and_not_repeated(small_project, run):
    work = small_project()
    work.replace(
        "envfreeze.toml",
        f'mirror = "http://{work.site.address}',
        f'mirror = "http://{USER}@{work.site.address}',
    )
    for verb in ("lock", "build"):
        said = run(work, verb, code=2).stderr
        assert "mirror" in said
