"""`envfreeze diff`, from every place that an image can be in, and what it ends with."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import pytest

import envfreeze
from envfreeze.cli.commands import run
from envfreeze.compare.model import Kind, Level
from envfreeze.oci import archive, layout
from envfreeze.oci.image import ImageIndex
from envfreeze.oci.manifest import index_json
from envfreeze.oci.platform import Platform


@pytest.fixture
def two(registry_server):
    """Two images that differ in a file of the project."""
    make = registry_server.image_of
    return tuple(
        make([{"etc/os-release": b"ID=debian\n"}, {"app/train.py": text}]) for text in (b"1\n", b"2\n")
    )


@pytest.fixture
def here(tmp_path, monkeypatch, two):
    """Both as layouts in the folder that the command is run in."""
    monkeypatch.chdir(tmp_path)
    for name, image in zip(("old", "new"), two, strict=True):
        layout.write(image, tmp_path / name)
    return tmp_path


@pytest.fixture
def ended(capfd):
    """Run a command in this process: its exit code, stdout and stderr."""

    def call(*words):
        code = run(words)
        return (code, *capfd.readouterr())

    return call


def test_the_images_may_be_anywhere(here, two, registry_server):
    archive.write(two[0], here / "old.tar")
    with registry_server.serve() as registry:
        registry.push(two[1], "team/train", "v1")
        remote = f"{registry.host}/team/train:v1"
        for old in ("old", "oci:old", "old.tar", "oci-archive:old.tar"):
            for new in ("new", remote, f"docker://{remote}"):
                report = envfreeze.diff(old, new, root=here)
                assert report.verdict.level is Level.PACKAGES
                assert [one.path for one in report.verdict.findings] == ["app/train.py"]
        assert not registry.paths(f"blobs/{two[0].layers[0].digest}")  # what both have is not fetched


@pytest.mark.usefixtures("here")
def test_the_verdict_comes_first_and_the_code_is_that_of_the_level(ended):
    code, stdout, _ = ended("diff", "old", "new")
    assert (code, stdout.splitlines()[0]) == (1, "packages")
    assert "app/train.py" in stdout
    assert ended("diff", "old", "new", "--quiet")[:2] == (1, "packages\n")
    assert ended("diff", "old", "old")[:2] == (0, "identical\n")
    for level, expected in (("identical", 1), ("layers", 1), ("tree", 1), ("packages", 0), ("different", 0)):
        assert ended("diff", "old", "new", "--quiet", "--level", level)[0] == expected


@pytest.mark.usefixtures("here")
def test_every_form_is_written(ended):
    code, stdout, _ = ended("diff", "old", "new", "--json")
    document = json.loads(stdout)
    assert (code, document["verdict"], document["findings"][0]["path"]) == (1, "packages", "app/train.py")
    assert json.loads(ended("diff", "old", "new", "--format", "json")[1])["verdict"] == "packages"
    assert ended("diff", "old", "new", "--format", "markdown")[1].startswith("### ❌")
    xml = ended("diff", "old", "new", "--format", "junit")[1]
    assert ET.fromstring(xml.encode()).tag == "testsuites"  # noqa: S314 - it is our own
    page = ended("diff", "old", "new", "--format", "html")[1]
    assert page.startswith("<!doctype html>")
    assert '"name":"other files"' in page


def test_a_form_goes_to_a_file_and_the_verdict_to_stdout(here, ended):
    code, stdout, _ = ended("diff", "old", "new", "--format", "junit", "--output", "reports/diff.xml")
    assert (code, stdout) == (1, "packages\n")
    assert (here / "reports/diff.xml").read_text().startswith("<?xml")
    assert ended("diff", "old", "new", "--format", "json", "-o", "diff.json")[0] == 1
    assert json.loads((here / "diff.json").read_text())["verdict"] == "packages"


def test_what_goes_wrong_has_its_code(here, ended):
    for words, code, said in (
        (("diff", "old", "gone"), 2, "names no image"),
        (("diff", "old", "new", "--level", "most"), 2, "--level"),
        (("diff", "old", "new", "--format", "pdf"), 2, "--format"),
        (("diff", "old", "127.0.0.1:1/a:1", "--offline"), 2, "--offline"),
        (("diff", "old", "new", "--platform", "linux/arm64"), 2, "has no image for linux/arm64"),
    ):
        ended_with = ended(*words)
        assert (ended_with[0], said in ended_with[2]) == (code, True), words
    blob = next(
        path for path in (here / "new/blobs/sha256").iterdir() if path.read_bytes()[:2] == b"\x1f\x8b"
    )
    for path in (here / "new/blobs/sha256").iterdir():
        if path.read_bytes()[:2] == b"\x1f\x8b":
            path.chmod(0o644)
            path.write_bytes(path.read_bytes()[:-1] + b"!")
    code, _, stderr = ended("diff", "old", "new")
    assert code == 6, blob
    assert "damaged" in stderr


def test_an_index_is_compared_as_a_whole_or_for_one_platform(here, ended, registry_server):
    make = registry_server.image_of
    images = [make([{"a": b"1"}], architecture=one) for one in ("amd64", "arm64")]
    other = [images[0], make([{"a": b"2"}], architecture="arm64")]
    for name, both in (("one", images), ("two", other)):
        layout.write(ImageIndex(index_json(both), tuple(both)), here / name)
    report = envfreeze.diff("one", "two", root=here)
    assert [(one.platform, one.kind) for one in report.verdict.findings] == [("linux/arm64", Kind.CONTENT)]
    amd = envfreeze.diff("one", "two", root=here, platform=Platform.parse("linux/amd64"))
    assert amd.verdict.level is Level.IDENTICAL
    page = ended("diff", "one", "two", "--format", "html")[1]
    assert '"platform":"linux/arm64"' in page


def test_what_build_left_here_is_named_by_its_digest(here, ended, two):
    layout.write(two[0], here / ".envfreeze/image")
    assert ended("diff", str(two[0].digest), "old")[:2] == (0, "identical\n")
