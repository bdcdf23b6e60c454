"""Packages that come from an index of their own: two real indexes that both have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envfreeze.errors import ResolutionError, UsageError
from envfreeze.locking import pip, requirements_lock
from envfreeze.locking.model import AptBase, Target
from envfreeze.locking.pip import PipTarget
from envfreeze.oci.platform import Platform
from envfreeze.project.model import Adjustments, Assignment, PipIndex

if TYPE_CHECKING:
    from conftest import Index, MakeWheel

AMD64 = PipTarget(Platform("linux", "amd64"), "3.13.5", "2.41")
ARM64 = PipTarget(Platform("linux", "arm64"), "3.13.5", "2.41")


def versions(wheels) -> dict[str, str]:
    return {wheel.name: wheel.version for wheel in wheels}


@pytest.fixture
def cuda(index: Index, other_index: Index, make_wheel: MakeWheel) -> dict[str, object]:
    """Settings: a main index, and one with CUDA builds that also has a stale numpy."""
    for version in ("2.9", "2.10"):
        index.add(make_wheel("torch", version, requires=["numpy", "nvidia-cublas"]))
    index.add(make_wheel("numpy", "2.3"), make_wheel("nvidia-cublas", "1"))
    index.add(make_wheel("train", requires=["torch>=2", "numpy"]))
    other_index.add(make_wheel("torch", "2.9+cu128", requires=["numpy", "nvidia-cublas"]))
    other_index.add(make_wheel("numpy", "1.0"), make_wheel("nvidia-cublas", "1+cu128"))
    return {
        "index_url": index.url,
        "indexes": (PipIndex("cu128", other_index.url, explicit=True),),
        "assignments": (Assignment("torch", "cu128"),),
    }


def test_only_the_assigned_package_comes_from_an_explicit_index(
    cuda, index, other_index, make_project, heard
):
    wheels = pip.resolve(make_project("torch", **cuda), AMD64, progress=heard)
    assert versions(wheels) == {"torch": "2.9+cu128", "numpy": "2.3", "nvidia-cublas": "1"}
    assert {wheel.name: wheel.index for wheel in wheels} == {
        "torch": other_index.url,
        "numpy": index.url,
        "nvidia-cublas": index.url,
    }
    assert heard.warnings == []


def test_it_comes_from_there_also_where_only_another_package_needs_it(cuda, make_project):
    wheels = pip.resolve(make_project("train", **cuda), AMD64)
    assert versions(wheels)["torch"] == "2.9+cu128"
    assert {wheel.name for wheel in wheels if wheel.requested} == {"train"}


def test_requirements_files_are_held_to_it_too(cuda, make_project):
    project = make_project(
        files={"requirements.txt": "-r more.txt\n", "more.txt": "torch>=2 # wanted\n"},
        requirements=("requirements.txt",),
        **cuda,
    )
    assert versions(pip.resolve(project, AMD64))["torch"] == "2.9+cu128"


def test_a_pattern_stands_for_what_turns_out_to_be_needed(cuda, make_project):
    cuda["assignments"] = (*cuda["assignments"], Assignment("nvidia-*", "cu128"))
    wheels = pip.resolve(make_project("train", **cuda), AMD64)
    assert versions(wheels) == {
        "train": "1.0",
        "torch": "2.9+cu128",
        "numpy": "2.3",
        "nvidia-cublas": "1+cu128",
    }


def test_an_assigned_package_that_nothing_needs_is_not_locked(cuda, make_project):
    assert versions(pip.resolve(make_project("numpy", **cuda), AMD64)) == {"numpy": "2.3"}


def test_a_needed_package_may_be_on_its_own_index_only(cuda, index, other_index, make_wheel, make_project):
    index.add(make_wheel("uses", requires=["inner"]))
    other_index.add(make_wheel("inner"))
    other_index.add(make_wheel("unrelated"))
    cuda["assignments"] = (Assignment("inner", "cu128"), Assignment("unrelated", "cu128"))
    assert versions(pip.resolve(make_project("uses", **cuda), AMD64)) == {"uses": "1.0", "inner": "1.0"}


def test_an_assignment_may_hold_for_one_platform(cuda, make_project):
    cuda["assignments"] = (Assignment("torch", "cu128", "platform_machine == 'x86_64'"),)
    project = make_project("torch", **cuda)
    assert versions(pip.resolve(project, AMD64))["torch"] == "2.9+cu128"
    assert versions(pip.resolve(project, ARM64))["torch"] == "2.10"


def test_a_package_that_another_platform_asks_for_is_not_dragged_in(cuda, make_project):
    project = make_project("numpy", "torch ; platform_machine == 'aarch64'", **cuda)
    assert versions(pip.resolve(project, AMD64)) == {"numpy": "2.3"}
    assert versions(pip.resolve(project, ARM64))["torch"] == "2.9+cu128"


def test_named_indexes_are_asked_in_their_order_and_the_choice_is_said_aloud(
    cuda, other_index, make_project, heard
):
    cuda |= {"indexes": (PipIndex("cu128", other_index.url),), "assignments": ()}
    wheels = pip.resolve(make_project("torch", **cuda), AMD64, progress=heard)
    assert versions(wheels) == {"torch": "2.9+cu128", "numpy": "1.0", "nvidia-cublas": "1+cu128"}
    (warning,) = heard.warnings
    assert warning.startswith(
        f"numpy, nvidia-cublas, torch: on several indexes, taken from {other_index.url}, the first"
    )


def test_a_package_may_be_kept_to_the_default_index(cuda, other_index, make_project):
    cuda |= {
        "indexes": (PipIndex("cu128", other_index.url),),
        "index_name": "main",
        "assignments": (Assignment("numpy", "main"),),
    }
    wheels = pip.resolve(make_project("torch", **cuda), AMD64)
    assert versions(wheels)["numpy"] == "2.3"
    assert versions(wheels)["torch"] == "2.9+cu128"


def test_an_older_version_on_the_first_index_is_explained(cuda, other_index, make_project):
    cuda |= {"indexes": (PipIndex("cu128", other_index.url),), "assignments": ()}
    with pytest.raises(ResolutionError) as caught:
        pip.resolve(make_project("numpy>=2", **cuda), AMD64)
    assert caught.value.hint.startswith("numpy is on several indexes")
    assert 'packages = ["numpy"]' in caught.value.hint
    assert "--index-strategy" not in " ".join(caught.value.details)


def test_pins_are_kept(cuda, index, make_wheel, make_project):
    project = make_project("train", **cuda)
    first = pip.resolve(project, AMD64)
    index.add(make_wheel("numpy", "2.4"))
    assert pip.resolve(project, AMD64, pins=first) == first


def test_passwords_of_named_indexes_reach_them(cuda, other_index, make_project, monkeypatch):
    other_index.credentials = "me:p%w"
    open_url = other_index.url
    with_password = open_url.replace("http://", "http://me:p%25w@")
    cuda["indexes"] = (PipIndex("cu128", with_password, explicit=True),)
    (wheel,) = [wheel for wheel in pip.resolve(make_project("torch", **cuda), AMD64) if wheel.name == "torch"]
    assert wheel.index == open_url
    assert "@" not in wheel.url
    for explicit in (True, False):
        cuda["indexes"] = (PipIndex("cu128", open_url, explicit=explicit),)
        monkeypatch.setenv("UV_INDEX_CU128_USERNAME", "me")
        monkeypatch.setenv("UV_INDEX_CU128_PASSWORD", "p%w")
        project = make_project("torch", **cuda)
        assert versions(pip.resolve(project, AMD64))["torch"] == "2.9+cu128"
        from envfreeze.locking import indexes

        assert indexes.authenticate(wheel.url, project) == wheel.url.replace("//", "//me:p%25w@")


def test_a_further_index_of_a_requirements_file_is_named_in_the_lock(
    index, other_index, make_wheel, make_project
):
    index.add(make_wheel("a"))
    other_index.add(make_wheel("b"))
    project = make_project(
        files={"requirements.txt": f"--index-url {index.url}\n--extra-index-url {other_index.url}\na\nb\n"},
        requirements=("requirements.txt",),
    )
    assert [wheel.index for wheel in pip.resolve(project, AMD64)] == [index.url, other_index.url]


def test_platforms_may_have_different_versions(index, make_wheel, make_project):
    for version in ("1.0", "2.0"):
        index.add(make_wheel("a", version))
    project = make_project(
        "a<2 ; platform_machine == 'x86_64'", "a>=2 ; platform_machine == 'aarch64'", index_url=index.url
    )
    assert versions(pip.resolve(project, AMD64)) == {"a": "1.0"}
    assert versions(pip.resolve(project, ARM64)) == {"a": "2.0"}


def test_what_tool_uv_says_of_versions_is_followed(index, make_wheel, make_project):
    for version in ("1.0", "2.0", "3.0", "4.0rc1"):
        index.add(make_wheel("a", version, requires=["b<2", "c"]), make_wheel("b", version))
    index.add(make_wheel("c"))

    def found(**said):
        project = make_project("a", index_url=index.url, adjustments=Adjustments(**said))
        return versions(pip.resolve(project, AMD64))

    assert found() == {"a": "3.0", "b": "1.0", "c": "1.0"}
    assert found(constraints=("a<3",))["a"] == "2.0"
    assert found(overrides=("b>=3",))["b"] == "3.0"
    assert found(excludes=("c",)) == {"a": "3.0", "b": "1.0"}
    assert found(prerelease="allow")["a"] == "4.0rc1"
    assert found(resolution="lowest")["a"] == "1.0"
    with pytest.raises(UsageError, match=r"tool\.uv\.environments leaves out linux/amd64"):
        found(environments=("platform_machine == 'aarch64'",))


def test_without_an_index_only_links_are_looked_at(make_wheel, make_project, tmp_path):
    make_wheel("a", folder=tmp_path / "project" / "wheels")
    project = make_project("a", find_links=("wheels",), no_index=True)
    assert versions(pip.resolve(project, AMD64)) == {"a": "1.0"}


def test_a_file_of_several_indexes_stands_by_its_url_where_only_names_are_read(
    cuda, other_index, make_project
):
    wheels = pip.resolve(make_project("torch", **cuda), AMD64)
    target = Target(
        AMD64.platform, "3.13.5", "2.41", "manylinux_2_40", AptBase("apt:x/y", (), (), ()), wheels
    )
    text = requirements_lock.render(target, folder=None).decode()
    assert (
        f"\ntorch @ {other_index.url.replace('simple/', 'files/')}torch-2.9%2Bcu128-py3-none-any.whl \\\n"
        in text
    )
