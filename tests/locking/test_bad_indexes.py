"""Indexes on loopback that answer badly: each is named, with the way out."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from envfreeze.digest import Digest
from envfreeze.errors import NetworkError, ResolutionError, UntrustedError, UsageError
from envfreeze.locking import pip
from envfreeze.locking.pip import PipTarget
from envfreeze.oci.platform import Platform
from envfreeze.project.model import Adjustments, PipIndex

if TYPE_CHECKING:
    from conftest import Index, MakeProject, MakeWheel

AMD64 = PipTarget(Platform("linux", "amd64"), "3.13.5", "2.41")
SIMPLE = "application/vnd.pypi.simple.v1+json"
SIGN_IN = b"<!DOCTYPE html><html><body><h1>Sign in</h1><form></form></body></html>"


@pytest.fixture(autouse=True)
def impatient(make_project, monkeypatch):  # noqa: ARG001 - which clears the variables first
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (500, "500"),
        (502, "502"),
        ((SIMPLE, SIGN_IN), "cannot be read"),
        (("text/html", SIGN_IN), "with a page that lists no files"),
        (("text/plain", b"hello"), "cannot be read"),
        ((SIMPLE, b'{"meta": {"api-version": "1.1"}, "name": "a", "files": [{"filen'), "cannot be read"),
    ],
    ids=["500", "502", "html-for-json", "sign-in", "plain", "half"],
)
@pytest.mark.parametrize("further", [False, True], ids=["alone", "before-another"])
def test_a_bad_answer_is_the_index_s_fault_and_names_it(
    answer, words, further, index, other_index, make_wheel, make_project
):
    index.broken["a"] = answer
    other_index.add(make_wheel("a"))
    settings = {"indexes": (PipIndex("x", index.url),)} if further else {"index_url": index.url}
    if further:
        settings["index_url"] = other_index.url
    with pytest.raises(NetworkError) as caught:
        pip.resolve(make_project("a", **settings), AMD64)
    said = " ".join([caught.value.message, *caught.value.details])
    assert words in said
    assert index.address in said
    assert caught.value.hint


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("further", [False, True], ids=["alone", "before-another"])
def test_an_index_that_refuses_is_not_passed_over(
    status, further, index, other_index, make_wheel, make_project
):
    index.broken["a"] = status
    other_index.add(make_wheel("a"))
    settings = {"indexes": (PipIndex("x", index.url),)} if further else {"index_url": index.url}
    if further:
        settings["index_url"] = other_index.url
    with pytest.raises(NetworkError) as caught:
        pip.resolve(make_project("a", **settings), AMD64)
    assert str(status) in " ".join(caught.value.details)
    assert index.address in " ".join([caught.value.message, *caught.value.details])
    assert "netrc" in caught.value.hint


def test_a_file_that_ends_early_is_the_network(index, make_wheel, make_project):
    wheel = make_wheel("a", requires=["b"])
    index.add(wheel, hashed=False)  # so that uv reads the file itself
    index.add(make_wheel("b"))
    content = wheel.read_bytes()
    wheel.write_bytes(content[: len(content) // 2])
    with pytest.raises(NetworkError, match=r"damaged, or came only in part: .*a==1.0"):
        pip.resolve(make_project("a", index_url=index.url), AMD64)


def test_both_sides_of_a_contradiction_are_named(index, make_wheel, make_project):
    index.add(make_wheel("left", requires=["base<2"]), make_wheel("right", requires=["base>=2"]))
    index.add(make_wheel("base", "1.0"), make_wheel("base", "2.0"))
    with pytest.raises(ResolutionError) as caught:
        pip.resolve(make_project("left", "right", index_url=index.url), AMD64)
    said = " ".join(caught.value.details)
    assert "left" in said
    assert "right" in said
    assert "base" in said


class TestYanked:
    """Files that their author took back (PEP 592)."""

    @pytest.fixture
    def yanked(self, index: Index, make_wheel: MakeWheel) -> Index:
        index.add(make_wheel("a", "1.0"))
        index.add(make_wheel("a", "2.0"), yanked="broken on CUDA 13")
        return index

    def test_they_are_not_chosen(self, yanked, make_project):
        (wheel,) = pip.resolve(make_project("a", index_url=yanked.url), AMD64)
        assert wheel.version == "1.0"

    def test_pinned_ones_are_kept_and_warned_of(self, yanked, make_project, heard):
        (wheel,) = pip.resolve(make_project("a==2.0", index_url=yanked.url), AMD64, progress=heard)
        assert wheel.version == "2.0"
        assert heard.warnings == [
            (
                'a==2.0 is yanked (reason: "broken on CUDA 13"); it is locked all the same, since the '
                "project or the lock pins it"
            )
        ]

    def test_locked_ones_are_kept_and_warned_of(self, index, make_wheel, make_project, heard):
        wheel = make_wheel("a", "2.0")
        index.add(make_wheel("a", "1.0"), wheel)
        project = make_project("a", index_url=index.url)
        pins = pip.resolve(project, AMD64)
        index.add(wheel, yanked="broken")
        assert pip.resolve(project, AMD64, pins=pins, progress=heard) == pins
        assert "a==2.0 is yanked" in heard.warnings[0]


class TestWithoutDates:
    """Indexes that do not say when files were uploaded, under a cutoff."""

    def test_it_is_refused_and_the_index_named(self, index, make_wheel, make_project):
        index.dated = False
        index.add(make_wheel("a"))
        project = make_project("a", index_url=index.url, exclude_newer=datetime(2026, 6, 1, tzinfo=UTC))
        with pytest.raises(ResolutionError) as caught:
            pip.resolve(project, AMD64)
        assert caught.value.message.startswith(f"{index.url} does not say when files of a were uploaded")
        assert "exclude-newer-package" in caught.value.hint

    def test_a_package_may_be_exempt(self, index, make_wheel, make_project):
        index.dated = False
        index.add(make_wheel("a"))
        project = make_project(
            "a",
            index_url=index.url,
            exclude_newer=datetime(2026, 6, 1, tzinfo=UTC),
            adjustments=Adjustments(package_cutoffs=(("a", "false"),)),
        )
        assert [wheel.version for wheel in pip.resolve(project, AMD64)] == ["1.0"]


def test_the_same_inputs_and_cutoff_give_the_same_whatever_is_released_since(
    index: Index, make_wheel: MakeWheel, make_project: MakeProject
) -> None:
    index.add(make_wheel("a", "1.0", requires=["b"]), make_wheel("b", "1.0"), uploaded="2025-03-01T00:00:00Z")
    project = make_project("a", index_url=index.url, exclude_newer=datetime(2025, 6, 1, tzinfo=UTC))
    first = pip.resolve(project, AMD64)
    index.add(make_wheel("a", "2.0"), make_wheel("b", "2.0"), uploaded="2025-07-01T00:00:00Z")
    index.add(make_wheel("b", "1.0", tag="cp313-none-any"), uploaded="2025-07-01T00:00:00Z")
    index.add(make_wheel("b", "1.0", build="7"), uploaded="2025-07-01T00:00:00Z")
    assert pip.resolve(project, AMD64) == first


class TestHashes:
    """`--hash` of the project's own requirements."""

    @pytest.fixture
    def two_files(self, index, make_wheel) -> dict[str, str]:
        plain, native = make_wheel("a"), make_wheel("a", tag="cp313-none-any")
        index.add(plain, native)
        return {"plain": Digest.of_file(plain).hex, "native": Digest.of_file(native).hex}

    @pytest.fixture
    def resolve(self, index, make_project):
        def run(line: str, **files: str):
            project = make_project(
                files={"requirements.txt": line, **files},
                requirements=("requirements.txt",),
                index_url=index.url,
            )
            return pip.resolve(project, AMD64)

        return run

    def test_the_file_that_is_meant_is_locked(self, two_files, resolve):
        for digest in two_files.values():
            (wheel,) = resolve(f"a==1.0 \\\n    --hash=sha256:{digest}\n")
            assert wheel.digest.hex == digest
        (wheel,) = resolve("a==1.0 " + " ".join(f"--hash=sha256:{digest}" for digest in two_files.values()))
        assert wheel.digest.hex == two_files["native"]

    def test_a_wrong_one_is_not_trusted_and_the_line_is_named(self, two_files, resolve):
        with pytest.raises(UntrustedError) as caught:
            resolve(f"# pins\na==1.0 --hash=sha256:{'0' * 64}\n")
        (detail,) = caught.value.details
        assert detail.startswith(f"requirements.txt, line 2: a 1.0: stated sha256 {'0' * 64}; offered ")
        assert two_files["plain"] in detail

    def test_those_of_constraints_count_too(self, two_files, index, make_project):
        project = make_project(
            files={"limits.txt": f"a==1.0 --hash=sha256:{two_files['plain']}\n"},
            dependencies=("a",),
            constraints=("limits.txt",),
            index_url=index.url,
        )
        (wheel,) = pip.resolve(project, AMD64)
        assert wheel.digest.hex == two_files["plain"]

    def test_a_line_for_another_platform_does_not_count(self, two_files, resolve):
        line = f"a==1.0 ; sys_platform == 'win32' --hash=sha256:{'0' * 64}\n"
        assert resolve(f"a==1.0 --hash=sha256:{two_files['plain']}\n{line}")

    @pytest.mark.usefixtures("two_files")
    def test_another_algorithm_alone_is_refused(self, resolve):
        with pytest.raises(UsageError, match="a has a hash by sha512 only"):
            resolve("a==1.0 --hash=sha512:00\n")


@pytest.mark.parametrize("option", ["-r", "-c"])
def test_files_that_include_each_other_are_read_once(option, index, make_wheel, make_project):
    index.add(make_wheel("a"), make_wheel("b"))
    files = {"one.txt": f"a\n{option} two.txt\n", "two.txt": f"b\n{option} one.txt\n"}
    project = make_project(files=files, requirements=("one.txt",), index_url=index.url)
    names = [wheel.name for wheel in pip.resolve(project, AMD64)]
    assert names == (["a", "b"] if option == "-r" else ["a"])


def test_variables_in_a_requirements_file_are_put_in(index, make_wheel, make_project, monkeypatch):
    index.add(make_wheel("a"))
    index.credentials = "me:s3cret"
    monkeypatch.setenv("TOKEN", "s3cret")
    line = f"--index-url http://me:${{TOKEN}}@{index.address}/simple/\na\n"
    project = make_project(files={"requirements.txt": line}, requirements=("requirements.txt",))
    (wheel,) = pip.resolve(project, AMD64)
    assert "s3cret" not in json.dumps(wheel.url)
    from envfreeze.locking import indexes

    assert indexes.authenticate(wheel.url, project) == wheel.url.replace("//", "//me:s3cret@")
