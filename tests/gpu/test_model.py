"""Versions compare by their parts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envfreeze.gpu.model import Version

PARTS = st.lists(st.integers(0, 700), min_size=1, max_size=4)


def test_parts_are_integers_and_not_text():
    assert Version.parse("12.10") > Version.parse("12.9")
    assert Version.parse("580.65.06") == Version.parse("580.65.6")
    assert Version.parse("12.4") == Version.parse("12.4.0")
    assert hash(Version.parse("12.4")) == hash(Version.parse("12.4.0"))


def test_a_version_is_shown_as_it_was_written():
    assert str(Version.parse("580.65.06")) == "580.65.06"
    assert str(Version((12, 4))) == "12.4"
    assert str(Version.parse("12.4.127").minor) == "12.4"


@pytest.mark.parametrize("text", ["", "12.", ".4", "12.x", "12-4", "v12", "12.4 ", "٣.1"])
def test_what_is_no_version_is_refused(text):
    with pytest.raises(ValueError, match="not a version"):
        Version.parse(text)


@given(PARTS, PARTS)
def test_order_is_that_of_the_parts_with_zeros_for_what_is_missing(one, other):
    width = max(len(one), len(other))
    padded = [[*parts, *[0] * (width - len(parts))] for parts in (one, other)]
    assert (Version(tuple(one)) < Version(tuple(other))) is (padded[0] < padded[1])
    assert (Version(tuple(one)) == Version(tuple(other))) is (padded[0] == padded[1])
