"""Which wheel fits a target, by tags alone."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.tags import Tag, sys_tags

from envfreeze.errors import UsageError
from envfreeze.locking.manylinux import UV_LEVELS, newest_level, platform_tags
from envfreeze.locking.wheels import best, ranks

PY313 = ranks("3.13.5", 40, "x86_64")


@pytest.mark.parametrize(
    ("glibc", "level"),
    [("2.41", 40), ("2.40", 40), ("2.36", 36), ("2.31", 31), ("2.30", 28), ("2.28", 28), ("2.17", 17)],
)
def test_the_level_is_the_newest_that_glibc_has(glibc: str, level: int) -> None:
    assert newest_level(glibc) == level


@pytest.mark.parametrize("glibc", ["2.16", "1.2", "musl", ""])
def test_a_glibc_that_no_level_fits_is_refused(glibc: str) -> None:
    with pytest.raises(UsageError):
        newest_level(glibc)


def test_platform_tags_have_the_old_names_where_they_belong() -> None:
    assert list(platform_tags(18, "aarch64")) == [
        "manylinux_2_18_aarch64",
        "manylinux_2_17_aarch64",
        "manylinux2014_aarch64",
        "linux_aarch64",
    ]
    amd64 = list(platform_tags(40, "x86_64"))
    assert amd64[-3:] == ["manylinux_2_5_x86_64", "manylinux1_x86_64", "linux_x86_64"]


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (["a-1-cp313-cp313-manylinux_2_28_x86_64.whl", "a-1-py3-none-any.whl"], 0),
        (["a-1-cp313-cp313-manylinux_2_28_x86_64.whl", "a-1-cp313-cp313-manylinux_2_39_x86_64.whl"], 1),
        (["a-1-cp313-cp313-manylinux_2_41_x86_64.whl"], None),
        (["a-1-cp39-abi3-manylinux2014_x86_64.whl", "a-1-cp312-abi3-manylinux2014_x86_64.whl"], 1),
        (["a-1-cp314-abi3-manylinux2014_x86_64.whl"], None),
        (["a-1-cp313-cp313t-manylinux_2_28_x86_64.whl"], None),
        (["a-1-cp313-cp313-musllinux_1_2_x86_64.whl"], None),
        (["a-1-cp312-cp312-manylinux_2_28_x86_64.whl"], None),
        (["a-1-cp313-cp313-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"], 0),
        (["a-1-cp313-cp313-linux_x86_64.whl"], 0),
        (["a-1-py2-none-any.whl", "a-1-py2.py3-none-any.whl"], 1),
        (["a-1-py3-none-any.whl", "a-1-2-py3-none-any.whl", "a-1-10-py3-none-any.whl"], 2),
        (["a-1-cp313-cp313-win_amd64.whl", "a-1.tar.gz", "not a wheel.whl"], None),
        ([], None),
    ],
)
def test_the_best_wheel_is_chosen(offered: list[str], chosen: int | None) -> None:
    assert best(offered, PY313) == (None if chosen is None else offered[chosen])


def test_no_tag_of_the_running_interpreter_is_in_the_ranks() -> None:
    other = ranks("3.99.1", UV_LEVELS[0], "aarch64")
    native = {
        tag for tag in sys_tags() if tag.abi.startswith(f"cp{sys.version_info[0]}{sys.version_info[1]}")
    }
    assert native
    assert not native & set(other)
    assert other[Tag("cp399", "cp399", "manylinux_2_17_aarch64")] == 0


@given(
    st.permutations(
        [f"a-1-{build}{tag}.whl" for build in ("", "3-", "20-") for tag in map(str, list(PY313)[::40])]
    )
)
def test_the_order_of_the_index_does_not_matter(offered: list[str]) -> None:
    assert best(offered, PY313) == f"a-1-20-{next(iter(PY313))}.whl"
