"""A project's Python as the lock has it: fetched, kept, moved; and where it cannot be had."""

from __future__ import annotations

import pytest

from envfreeze.digest import Digest
from envfreeze.errors import NetworkError, ResolutionError, UntrustedError, UsageError
from envfreeze.locking.standalone import builds, places, resolution
from envfreeze.locking.standalone.resolution import download
from envfreeze.oci.platform import Platform
from envfreeze.replacing import replace
from envfreeze.store.cache import Cache

AMD64, ARM64 = Platform.parse("linux/amd64"), Platform.parse("linux/arm64")
OLD, NEW = "3.12.12", "3.12.13"


@pytest.fixture
def shelf(tmp_path, standalone_archive):
    """A folder of builds in the shape of the project's releases, and a list of them."""
    folder = tmp_path / "releases" / standalone_archive.BUILD
    folder.mkdir(parents=True)
    contents, urls = {}, {}

    class Shelf:
        root = folder.parent
        index = tmp_path / "builds.json"

        @staticmethod
        def add(version, platform="linux/amd64", content=None):
            name = standalone_archive.filename(version, platform)
            contents[name] = content or standalone_archive.archive(standalone_archive.small(version))
            (folder / name).write_bytes(contents[name])
            urls[name] = (folder / name).as_uri()
            Shelf.index.write_bytes(standalone_archive.index(contents, urls))
            return contents[name]

        @staticmethod
        def file(version):
            return folder / standalone_archive.filename(version)

    Shelf.add(OLD)
    Shelf.add(NEW)
    return Shelf


@pytest.fixture
def asking(make_project, shelf):
    def make(python="3.12", **image):
        project = make_project()
        settings = {"python": python, "python_index": shelf.index.as_uri(), **image}
        return replace(project, image=replace(project.image, **settings))

    return make


@pytest.fixture
def means(tmp_path):
    with Cache.open(tmp_path / "cache") as cache:
        yield resolution.Means(cache)


def resolve(project, means, platform=AMD64, **further):
    return resolution.resolve(project, platform, means, **{"glibc": "2.36", **further})


def test_the_build_is_fetched(asking, means, shelf):
    python = resolve(asking(), means)
    content = shelf.file(NEW).read_bytes()
    assert (python.version, python.build, python.size) == (NEW, "20260807", len(content))
    assert python.digest == Digest.of(content)
    assert python.urls == (shelf.file(NEW).as_uri(),)
    assert (python.prefix, python.interpreter) == ("opt/python", "/opt/python/bin/python3.12")
    assert means.cache.find(python.digest) is not None


def test_each_platform_has_a_build_of_its_own(asking, means, shelf):
    content = shelf.add(NEW, "linux/arm64")
    python = resolve(asking(), means, ARM64)
    assert "-aarch64-unknown-linux-gnu-" in python.filename
    assert python.digest == Digest.of(content)


def test_a_locked_build_stays_until_it_is_to_move_or_no_longer_fits(asking, means, shelf):
    exact = asking(python_exact=OLD)
    locked = resolve(exact, means)
    assert locked.version == OLD
    shelf.index.unlink()  # nothing is asked
    assert resolve(asking(), means, last=locked) == locked
    shelf.add(NEW)
    assert resolve(asking(), means, last=locked, move=True).version == NEW
    assert resolve(exact, means, last=locked, move=True) == locked
    assert resolve(asking(python_exact=NEW), means, last=locked).version == NEW


def test_a_mirror_of_the_configuration_stands_in_the_lock_before_the_builds_own_place(
    asking, means, shelf, standalone_archive
):
    mirror = shelf.root.as_uri()
    python = resolve(asking(python_mirror=f"{mirror}/"), means)
    name = standalone_archive.filename(NEW).replace("+", "%2B")
    assert python.urls == (f"{mirror}/20260807/{name}", shelf.file(NEW).as_uri())
    # It is the configuration's, so it goes with it.
    assert resolve(asking(), means, last=python).urls == (shelf.file(NEW).as_uri(),)


def test_a_mirror_of_the_environment_is_asked_first_and_stands_in_no_lock(
    asking, means, shelf, monkeypatch, tmp_path, standalone_archive
):
    elsewhere = tmp_path / "mirror" / standalone_archive.BUILD
    elsewhere.mkdir(parents=True)
    shelf.file(NEW).rename(elsewhere / shelf.file(NEW).name)
    monkeypatch.setenv(places.MIRROR, elsewhere.parent.as_uri())
    python = resolve(asking(), means)
    assert python.urls == (shelf.file(NEW).as_uri(),)
    assert download(python).urls[0] == f"{elsewhere.as_uri()}/{python.filename.replace('+', '%2B')}"
    monkeypatch.delenv(places.MIRROR)
    assert download(python).urls == python.urls


def test_a_list_of_the_environment_may_be_a_path(asking, means, shelf, monkeypatch):
    monkeypatch.setenv(places.INDEX, str(shelf.index))
    assert resolve(asking(python_index=None), means).version == NEW


def test_without_a_list_that_of_the_package_counts(asking, means, monkeypatch, shelf):
    known = builds.Build(
        NEW,
        "20260807",
        shelf.file(NEW).name,
        Digest.of(shelf.file(NEW).read_bytes()),
        shelf.file(NEW).as_uri(),
        stripped=True,
    )
    monkeypatch.setattr(builds, "shipped", lambda platform: (known,) if platform == AMD64 else ())
    assert resolve(asking(python_index=None), means).version == NEW


def test_another_file_than_the_listed_one_is_refused(asking, means, shelf):
    shelf.file(NEW).write_bytes(b"another")
    with pytest.raises(UntrustedError, match="is not the file that is wanted"):
        resolve(asking(), means)


def test_a_file_that_is_gone_is_told_with_what_to_do(asking, means, shelf):
    shelf.file(NEW).unlink()
    with pytest.raises(NetworkError) as refused:
        resolve(asking(), means)
    assert "[image] python-mirror, or UV_PYTHON_INSTALL_MIRROR" in refused.value.hint


def test_a_list_that_is_gone_or_none_is_told(asking, means, shelf):
    shelf.index.write_bytes(b"<html>")
    with pytest.raises(UntrustedError, match=r"builds\.json is no list of Pythons"):
        resolve(asking(), means)
    shelf.index.unlink()
    with pytest.raises(NetworkError, match=r"builds\.json could not be fetched"):
        resolve(asking(), means)


def test_offline_nothing_is_asked_of_the_network(asking, means):
    offline = replace(means, offline=True)
    with pytest.raises(NetworkError, match="nothing is fetched offline"):
        resolve(asking(python_index="http://127.0.0.1:9/builds.json"), offline)
    assert resolve(asking(), offline).version == NEW


def test_a_version_that_there_is_not_is_refused(asking, means):
    with pytest.raises(ResolutionError, match=r"has no Python 3\.12\.99"):
        resolve(asking(python_exact="3.12.99"), means)


@pytest.mark.parametrize(
    ("glibc", "old"), [("2.12", True), ("2.16", True), ("2.17", False), ("2.41.1", False)]
)
def test_the_builds_need_a_c_library(asking, means, glibc, old):
    if old:
        with pytest.raises(UsageError, match=rf"has glibc {glibc}, and python-build-standalone needs 2\.17"):
            resolve(asking(), means, glibc=glibc)
    else:
        assert resolve(asking(), means, glibc=glibc).version == NEW


def test_credentials_of_a_list_stand_in_no_lock(asking, means, shelf):
    text = shelf.index.read_text().replace("file:///", "file://user:sesame@/")
    shelf.index.write_text(text)
    python = resolve(asking(), means)
    assert not any("sesame" in url for url in python.urls)
