"""Pauses grow, vary, have a limit, and are as long as the server asks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envfreeze.store.retry import Retry, retry_after


def test_pauses_double_up_to_the_longest():
    retry = Retry(attempts=8, first=0.5, longest=4.0)
    assert [retry.delay(failed, chance=lambda: 1.0) for failed in range(1, 9)] == [
        *(0.5, 1.0, 2.0, 4.0, 4.0, 4.0, 4.0),
        None,
    ]


@given(failed=st.integers(1, 10_000), chance=st.floats(0, 1))
def test_a_pause_is_between_half_and_all_of_its_length(failed, chance):
    retry = Retry(attempts=20_000)
    full = retry.delay(failed, chance=lambda: 1.0)
    assert full is not None
    pause = retry.delay(failed, chance=lambda: chance)
    assert pause is not None
    assert full / 2 <= pause <= full <= retry.longest


def test_the_server_is_waited_for_but_not_for_ever():
    retry = Retry(first=0.5, patience=60)
    assert retry.delay(1, 30.0) == 30.0
    assert retry.delay(1, 61.0) is None


def test_retry_after_is_seconds_or_a_date():
    now = datetime(2026, 1, 2, tzinfo=UTC)
    assert retry_after(None) is None
    assert retry_after(" 7 ") == 7.0
    assert retry_after(format_datetime(now + timedelta(seconds=90), usegmt=True), now) == 90.0
    assert retry_after(format_datetime(now - timedelta(seconds=90), usegmt=True), now) == 0.0


@pytest.mark.parametrize("header", ["", "soon", "-1", "1.5", "²", "9" * 400])
def test_a_retry_after_that_says_nothing_usable_is_none_or_for_ever(header):
    assert retry_after(header) in {None, float("inf")}


@given(st.text())
def test_no_retry_after_raises(header):
    seconds = retry_after(header)
    assert seconds is None or seconds >= 0
