"""Packages without a wheel on their whole way: locked, built into an image, and built again elsewhere."""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import tarfile
import tomllib

import pytest
from packaging.pylock import Pylock

from envfreeze.digest import Digest
from envfreeze.locking import files
from envfreeze.locking.sources.sandbox import NOT_ISOLATED
from envfreeze.oci import layout
from envfreeze.replacing import replace


@pytest.fixture
def sourced(small_project, source_of, sdist_of, tools, git_repository):
    """The small project with an sdist, a commit and a folder, locked; delta is built with `tool`."""
    work = small_project()
    packed = sdist_of(source_of("delta", requires=["beta"], build=["tool"], body="import tool"), "delta")
    work.site.files["/wheels/delta-1.0.tar.gz"] = packed.read_bytes()
    work.site.add_wheel("tool", tools.wheel_of("tool"))
    git_repository.commit({f"python/{name}": text for name, text in source_of("epsilon").items()})
    git_repository.git("tag", "v2")
    (work.root / "inner").mkdir()
    for name, text in source_of("inner").items():
        work.write(f"inner/{name}", text)
    url = f"git+{git_repository.root.as_uri()}@v2#subdirectory=python"
    work.write("requirements.txt", f"alpha\ndelta\nepsilon @ {url}\n-e ./inner\n")
    work.write("envfreeze.toml", (work.root / "envfreeze.toml").read_text() + 'allow-sdist = ["Delta"]\n')
    ended = work.run("lock")
    assert ended.code == 0, ended.stderr
    work.commit()
    return work


def packages(work):
    document = tomllib.loads((work.root / "pylock.toml").read_text())
    Pylock.from_dict(document).validate()
    return {package["name"]: package for package in document["packages"]}


def contents(work, suffix):
    """Files of the image whose path ends so, by path."""
    found = {}
    for layer in layout.read(work.root / ".envfreeze" / "image").layers:
        with layer.open() as blob, tarfile.open(fileobj=io.BytesIO(gzip.decompress(blob.read()))) as tar:
            for member in tar:
                if member.name.endswith(suffix) and member.isfile():
                    found[member.name] = tar.extractfile(member).read()
    return found


def test_the_lock_and_the_image_tell_where_they_come_from(sourced, git_repository):
    work = sourced
    commit = git_repository.git("rev-parse", "HEAD")
    locked = packages(work)
    assert locked["delta"]["sdist"]["url"] == f"{work.site.url}/wheels/delta-1.0.tar.gz"
    about = locked["delta"]["tool"]["envfreeze"]
    assert about["wheel"] == "delta-1.0-py3-none-any.whl"
    assert [tool["name"] for tool in about["requires"]] == ["tool-1.0-py3-none-any.whl"]
    assert locked["epsilon"]["vcs"] == {
        "type": "git",
        "url": git_repository.root.as_uri(),
        "requested-revision": "v2",
        "commit-id": commit,
        "subdirectory": "python",
    }
    assert locked["inner"]["directory"] == {"path": "inner"}
    listed = (work.root / "requirements.lock.txt").read_text()
    assert f"delta==1.0 \\\n    --hash=sha256:{locked['delta']['sdist']['hashes']['sha256']}\n" in listed
    assert f"# epsilon is built from git+{git_repository.root.as_uri()}@{commit}" in listed

    ended = work.run("build")
    assert ended.code == 0, ended.stderr
    origins = {
        path.split("/")[-2].partition("-")[0]: json.loads(content)
        for path, content in contents(work, "/direct_url.json").items()
    }
    assert origins == {
        "epsilon": {
            "url": git_repository.root.as_uri(),
            "vcs_info": {"vcs": "git", "commit_id": commit, "requested_revision": "v2"},
            "subdirectory": "python",
        },
        "inner": {"url": "file:///inner", "dir_info": {}},
    }
    assert len(contents(work, ".dist-info/REQUESTED")) == 4


def test_another_machine_builds_the_same_wheels_from_the_lock(sourced, tools):
    work = sourced
    digest = work.run("build").digest
    shutil.rmtree(work.cache)
    # Another time zone, umask and hash seed; and the index has a newer tool, which is not the locked one.
    work.site.add_wheel("tool", tools.wheel_of("tool", "2.0"), "2.0")
    old = os.umask(0o077)
    try:
        ended = work.run("build", TZ="Asia/Tokyo", LANG="tr_TR.UTF-8", PYTHONHASHSEED="7")
    finally:
        os.umask(old)
    assert ended.digest == digest
    assert "building delta-1.0-py3-none-any.whl from its locked source" in ended.stderr
    assert not work.leftovers()
    shutil.rmtree(work.cache)
    ended = work.run("verify", str(digest))
    assert ended.code == 0, ended.stderr


def test_a_relock_builds_nothing_and_a_changed_folder_is_drift(sourced):
    work = sourced
    before = work.lock_files()
    assert work.run("lock").stdout == "unchanged\n"
    assert work.lock_files() == before
    work.write("requirements.txt", (work.root / "requirements.txt").read_text() + "gamma\n")
    ended = work.run("lock")
    assert ended.code == 0
    assert "building" not in ended.stderr
    assert work.run("lock", "--check").code == 0
    work.write("inner/new.py", "x = 1\n")
    ended = work.run("lock", "--check")
    assert ended.code == 1
    assert "inner is built from other files than the locked ones" in ended.stdout + ended.stderr


def test_what_is_not_what_was_locked_is_not_built_and_explained(sourced):
    work = sourced
    lock = files.read(work.root)
    target = lock.targets[0]

    def otherwise(wheel):
        source = replace(wheel.source, python="3.9", notes=(NOT_ISOLATED,))
        return replace(wheel, digest=Digest.of(b"other"), source=source)

    wheels = tuple(otherwise(wheel) if wheel.name == "delta" else wheel for wheel in target.wheels)
    files.write(replace(lock, targets=(replace(target, wheels=wheels),)), work.root)
    ended = work.run("build")
    assert ended.code == 6
    assert "delta-1.0-py3-none-any.whl: building its locked source here gives another wheel" in ended.stderr
    assert "it was built with Python 3.9" in ended.stderr
    assert NOT_ISOLATED in ended.stderr or "not isolated" in ended.stderr

    files.write(lock, work.root)
    shutil.rmtree(work.cache)
    work.write("inner/backend.py", (work.root / "inner/backend.py").read_text() + "# changed\n")
    ended = work.run("build")
    assert ended.code != 0
    assert "inner" in ended.stderr
