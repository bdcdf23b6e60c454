"""A Python of python-build-standalone: chosen, locked, built, verified; and what can be wrong with it."""

from __future__ import annotations

import json

import pytest

from envfreeze.digest import Digest
from envfreeze.locking import files
from envfreeze.oci import layout

OLD, NEW = "3.12.12", "3.12.13"


def ok(ended):
    assert ended.code == 0, ended.stderr
    return ended


@pytest.fixture
def builds(site, standalone_archive):
    """Serve builds, and a list of them at `/builds.json`."""

    def serve(*versions, platforms=("linux/amd64",), **further):
        made, urls = {}, {}
        for version in versions:
            for platform in platforms:
                name = standalone_archive.filename(version, platform)
                made[name] = standalone_archive.archive(standalone_archive.small(version, **further))
                path = f"/pbs/{standalone_archive.BUILD}/{name}"
                site.files[path] = made[name]
                urls[name] = f"{site.url}{path.replace('+', '%2B')}"
        site.files["/builds.json"] = standalone_archive.index(made, urls)
        return made

    return serve


@pytest.fixture
def work(small_project, site, builds):
    """The small project with Python 3.12, which its suite has not."""
    builds(OLD, NEW, "3.11.15", "3.14.6")
    work = small_project()
    use(work, 'python = "3.12"', f'python-index = "{site.url}/builds.json"')
    return work


def use(work, *lines):
    work.replace("envfreeze.toml", "[image]\n", "\n".join(["[image]", *lines, ""]))
    work.commit()


def test_a_suite_gets_a_python_that_it_has_not(work, site, standalone_archive, contents_of, tmp_path):
    said = ok(work.run("lock"))
    assert "Python 3.12.13 is the build 20260807 of python-build-standalone" in said.stderr
    assert "apt:debian/trixie has Python 3.13" in said.stderr
    (target,) = files.read(work.root).targets
    name = standalone_archive.filename(NEW)
    content = site.files[f"/pbs/{standalone_archive.BUILD}/{name}"]
    python = target.standalone
    assert (python.version, python.build, python.filename) == (NEW, "20260807", name)
    assert (python.digest, python.size) == (Digest.of(content), len(content))
    assert python.urls == (f"{site.url}/pbs/20260807/{name.replace('+', '%2B')}",)
    assert target.python == NEW
    assert "python3.13" not in {deb.name for deb in target.base.packages}
    work.commit()
    built = ok(work.run("build", "--archive", f"{tmp_path}/image.tar"))
    assert ok(work.run("verify", str(built.digest))).stdout == "identical\n"
    found = contents_of(tmp_path / "image.tar")
    assert found["opt/venv/pyvenv.cfg"].startswith(b"home = /opt/python/bin\n")
    assert b"version = 3.12.13\n" in found["opt/venv/pyvenv.cfg"]
    assert "opt/venv/lib/python3.12/site-packages/alpha/__init__.py" in found
    assert found["opt/python/bin/python3.12"].startswith(b"\x7fELF")
    assert not any(path.endswith(".pyc") for path in found)


def test_json(work):
    assert json.loads(ok(work.run("lock", "--json")).stdout)["targets"][0]["python"] == NEW
    assert layout
