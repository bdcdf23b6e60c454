"""A span of time becomes one moment, which a lock keeps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from envfreeze.locking import cutoffs, origins
from envfreeze.locking.origins import Origin
from envfreeze.project.model import CondaSettings
from envfreeze.project.moments import span
from envfreeze.replacing import replace

NOW = datetime(2026, 9, 12, 8, 30, 5, 123456, tzinfo=UTC)
WEEK_AGO = datetime(2026, 9, 5, 8, 30, 5, tzinfo=UTC)


@pytest.fixture
def weekly(make_project):
    return make_project("a", exclude_newer_span=timedelta(days=7))


def moment(project):
    assert project.pip.exclude_newer_span is None
    return project.pip.exclude_newer


def test_it_ends_when_the_first_lock_is_made(weekly):
    assert moment(cutoffs.fixed(weekly, None, now=NOW)) == WEEK_AGO


def test_a_later_lock_keeps_it_until_pins_may_move(weekly):
    locked = "2026-08-01T00:00:00Z"
    assert moment(cutoffs.fixed(weekly, locked, now=NOW)) == datetime(2026, 8, 1, tzinfo=UTC)
    assert moment(cutoffs.fixed(weekly, locked, now=NOW, moving=True)) == WEEK_AGO


def test_a_longer_span_than_before_holds_at_once(weekly):
    assert moment(cutoffs.fixed(weekly, "2026-09-11T00:00:00Z", now=NOW)) == WEEK_AGO


def test_a_moment_stays_what_it_is_and_one_that_is_asked_for_counts_for_more(make_project):
    project = make_project("a", exclude_newer=WEEK_AGO)
    assert moment(cutoffs.fixed(project, "2026-01-01T00:00:00Z", now=NOW)) == WEEK_AGO
    assert moment(cutoffs.fixed(project, None, asked=NOW, now=NOW)) == NOW
    assert moment(cutoffs.fixed(make_project("a"), "2026-01-01T00:00:00Z", now=NOW)) is None


def test_the_conda_side_has_the_same_moment_unless_it_names_its_own(weekly):
    conda = CondaSettings("environment.yml", (), (), {}, "strict", None, (), {})
    both = replace(weekly, conda=conda)
    assert cutoffs.fixed(both, None, now=NOW).conda.exclude_newer == WEEK_AGO
    own = replace(weekly, conda=replace(conda, exclude_newer=NOW))
    assert cutoffs.fixed(own, None, now=NOW).conda.exclude_newer == NOW
    assert cutoffs.fixed(own, None, asked=WEEK_AGO, now=NOW).conda.exclude_newer == WEEK_AGO


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("7 days", timedelta(days=7)),
        ("1 day", timedelta(days=1)),
        ("24 hours", timedelta(days=1)),
        ("2 weeks", timedelta(days=14)),
        ("P7D", timedelta(days=7)),
        ("P2W", timedelta(days=14)),
        ("PT24H", timedelta(days=1)),
        ("1 month", None),
        ("2026-09-12", None),
        (7, None),
    ],
)
def test_spans(text, length):
    assert span(text) == length


def test_where_packages_came_from_is_read_from_uv_s_comments():
    text = (
        "app==1.0\n    # via -r requirements.txt\n    # from https://user:word@index.example.org/simple\n"
        "torch[opt]==2.9+cu128\n    # via\n    #   envfreeze-assigned (pyproject.toml)\n    #   app\n"
        "    # from https://wheels.example.org/cu128\n"
        "Lib.A @ file:///wheels/lib_a-1-py3-none-any.whl\n    # via app\n"
    )
    assert origins.parse(text) == {
        "app": Origin("https://index.example.org/simple", ("-r requirements.txt",)),
        "torch": Origin("https://wheels.example.org/cu128", ("envfreeze-assigned (pyproject.toml)", "app")),
        "lib-a": Origin(None, ("app",)),
    }
