"""The tag of a CUDA base: one that is known, never one that is put together."""

from __future__ import annotations

import pytest

from envfreeze.gpu.flavour import candidates, library_path, saving
from envfreeze.gpu.model import Stack, Version


def has(cuda, toolkit=None, cudnn=None):
    version = {"cuda": cuda, "toolkit": toolkit, "cudnn": cudnn}
    return Stack(**{name: text and Version.parse(text) for name, text in version.items()})


def names(*found, **more):
    return [tag.name for tag in candidates(*found, **more)]


def test_a_stack_that_needs_nothing_gets_no_base(tables):
    assert candidates(has("12.8"), "nothing", tables=tables) == ()
    assert candidates(Stack(None), "runtime", tables=tables) == ()


@pytest.mark.parametrize("need", ["base", "runtime", "devel"])
def test_the_flavour_is_what_is_needed_of_the_stack_s_own_release(need, tables):
    found = candidates(has("12.8", "12.8.1"), need, tables=tables)
    assert found[0].name == f"12.8.1-{need}-ubuntu24.04"
    assert {tag.flavour for tag in found} == {need}
    assert {str(tag.cuda.minor) for tag in found} == {"12.8"}
    assert not any(tag.confirmed for tag in found)


def test_cudnn_is_taken_only_where_it_is_the_lock_s(tables):
    assert names(has("12.8", "12.8.1", "9.8.0.87"), "runtime", tables=tables)[:2] == [
        "12.8.1-cudnn-runtime-ubuntu24.04",
        "12.8.1-runtime-ubuntu24.04",
    ]
    assert not [
        tag for tag in names(has("12.8", "12.8.1", "9.10.2.21"), "runtime", tables=tables) if "cudnn" in tag
    ]
    # 13.2.1 has a tag with cuDNN of which the table does not know the version.
    assert not [
        tag for tag in names(has("13.2", "13.2.1", "9.20.0.48"), "runtime", tables=tables) if "cudnn" in tag
    ]


def test_a_release_without_tags_takes_another_of_the_same_minor_version_that_is_kept_up(tables):
    assert names(has("12.6", "12.6.9"), "base", tables=tables)[0] == "12.6.3-base-ubuntu24.04"
    assert names(has("12.6"), "base", tables=tables)[0] == "12.6.3-base-ubuntu24.04"
    assert names(has("13.5"), "base", tables=tables) == []


def test_a_preferred_system_is_the_only_one(tables):
    found = candidates(has("12.8", "12.8.1"), "base", os_preference=("ubi9", "rockylinux9"), tables=tables)
    assert [tag.os for tag in found][:2] == ["ubi9", "rockylinux9"]
    assert {tag.os for tag in found} == {"ubi9", "rockylinux9"}
    # ubuntu24.04 is there from 12.5.1 on (gpu-rules R7).
    assert names(has("12.4", "12.4.1"), "base", os_preference=("ubuntu24.04",), tables=tables) == []


def test_only_what_the_registry_lists_is_taken_and_it_is_confirmed(tables):
    listed = [
        "12.8.1-base-ubuntu22.04",
        "12.8.1-runtime-ubuntu24.04",
        "12.8.1-base-ubuntu22.04-amd64",
        "latest",
    ]
    (found,) = candidates(has("12.8", "12.8.1"), "base", tables=tables, available=listed)
    assert (found.name, found.confirmed) == ("12.8.1-base-ubuntu22.04", True)
    assert candidates(has("12.8", "12.8.1"), "base", tables=tables, available=[]) == ()


def test_a_listed_tag_that_is_newer_than_the_table_is_taken_by_its_words(tables):
    listed = [
        "13.5.0-runtime-ubuntu24.04",
        "13.5.0-cudnn-runtime-ubuntu24.04",
        "13.5.0-tensorrt-runtime-ubuntu24.04",
    ]
    found = candidates(has("13.5", cudnn="9.28.0.42"), "runtime", tables=tables, available=listed)
    assert [tag.name for tag in found] == ["13.5.0-runtime-ubuntu24.04"]


@pytest.mark.parametrize("need", ["base", "runtime", "devel"])
def test_no_tag_is_invented(need, tables):
    known = {row.tag for row in tables.tags}
    for release in {row.cuda for row in tables.tags}:
        found = names(has(str(release.minor), str(release), "9.8.0.87"), need, tables=tables)
        assert set(found) <= known


def test_a_platform_that_a_tag_is_not_for_is_passed_over(tables):
    single = {row.tag for row in tables.tags if row.architectures == ("amd64",)}
    assert single
    for row in tables.tags:
        if row.tag in single:
            stack = has(str(row.cuda.minor), str(row.cuda), row.cudnn and str(row.cudnn))
            found = names(stack, row.flavour, os_preference=(row.os,), tables=tables, platform="linux/arm64")
            assert row.tag not in found


def test_a_plain_base_s_saving_is_told_where_the_packages_bring_cuda(stack, tables):
    found = stack("torch==2.9.1", "nvidia-cuda-runtime-cu12==12.8.90")
    (tag, *_) = candidates(found, "devel", tables=tables)
    text = saving(found, tag)
    assert "nvidia-cuda-runtime-cu12 12.8.90 (pip) brings CUDA 12.8" in text
    assert tag.name in text
    assert saving(stack("torch==2.9.1+cpu"), tag) == ""


def test_a_base_that_brings_the_cuda_itself_saves_nothing_by_leaving(stack, base, tables):
    found = stack("tensorflow==2.18.1", base=base("12.5.1"))
    (tag, *_) = candidates(found, "runtime", tables=tables)
    assert saving(found, tag) == ""


def test_jax_on_a_cuda_base_is_warned_of_its_library_path(stack, tables):
    found = stack("jax==0.9.2", "jax-cuda12-plugin==0.9.2", "nvidia-cuda-runtime-cu12==12.9.79")
    (tag, *_) = candidates(found, "runtime", tables=tables)
    assert "LD_LIBRARY_PATH" in library_path(found, tag)
    assert library_path(stack("torch==2.9.1", "nvidia-cuda-runtime-cu12==12.9.79"), tag) == ""
