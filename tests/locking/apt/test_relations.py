"""Relations between packages."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envfreeze.errors import UntrustedError
from envfreeze.locking.apt import relations
from envfreeze.locking.apt.relations import Relation

NAMES = st.from_regex(r"[a-z0-9][a-z0-9+.-]{1,8}", fullmatch=True)
VERSIONS = st.from_regex(r"([0-9]:)?[0-9][0-9a-z.+~]{0,5}(-[0-9a-z.+~]{1,3})?", fullmatch=True)
QUALIFIERS = st.sampled_from(["", "any", "native", "amd64"])
RELATIONS = st.one_of(
    st.builds(Relation, NAMES, qualifier=QUALIFIERS),
    st.builds(Relation, NAMES, st.sampled_from(["<<", "<=", "=", ">=", ">>"]), VERSIONS, QUALIFIERS),
)
GROUPS = st.lists(st.lists(RELATIONS, min_size=1, max_size=3).map(tuple), max_size=4).map(tuple)


def parse(text: str) -> tuple[tuple[Relation, ...], ...]:
    return relations.parse(text, where="x, Depends")


@given(GROUPS)
def test_what_is_written_is_read_back(groups: tuple[tuple[Relation, ...], ...]) -> None:
    text = ", ".join(" | ".join(map(str, group)) for group in groups)

    assert parse(text) == groups


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    # Whatever else is raised fails the test.
    with suppress(UntrustedError):
        parse(text)


def test_stray_commas_and_line_ends_do_not_matter() -> None:
    assert parse("a,\n b (>= 1) ,, c,") == (
        (Relation("a"),),
        (Relation("b", ">=", "1"),),
        (Relation("c"),),
    )


@pytest.mark.parametrize("text", ["a b", "(>= 1)", "a (~ 1)", "a ||", "é", "a (>< 1)", "a (>= 1:)"])
def test_nonsense_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(UntrustedError):
        parse(text)


@pytest.mark.parametrize(
    ("relation", "holds", "fails"),
    [
        ("a (<< 2)", ["1", "2~rc1"], ["2", "3"]),
        ("a (<= 2)", ["1", "2"], ["2+b1", "1:1"]),
        ("a (= 2-1)", ["2-1", "0:2-1"], ["2", "2-1+b1"]),
        ("a (>= 2)", ["2", "10", "1:0"], ["2~1", "1"]),
        ("a (>> 2)", ["2-1", "2+b1"], ["2", "2~"]),
        ("a (< 2)", ["2"], ["3"]),
        ("a (> 2)", ["2"], ["1"]),
        ("a", ["0"], []),
    ],
)
def test_versions_are_compared_as_policy_says(relation: str, holds: list[str], fails: list[str]) -> None:
    [[parsed]] = parse(relation)

    assert [version for version in holds + fails if parsed.holds_for(version)] == holds


def test_a_provision_without_a_version_satisfies_no_version() -> None:
    [[plain]] = parse("a")
    [[versioned]] = parse("a (>= 2)")
    [[with_version]] = parse("a (= 3)")

    assert plain.held_by_provision(Relation("a"))
    assert plain.held_by_provision(with_version)
    assert versioned.held_by_provision(with_version)
    assert not versioned.held_by_provision(Relation("a"))
    assert not versioned.held_by_provision(Relation("a", "=", "1"))


@pytest.mark.parametrize(
    ("qualifier", "reaches"), [("", True), ("any", True), ("native", True), ("amd64", True), ("i386", False)]
)
def test_a_relation_reaches_one_architecture(qualifier: str, reaches: bool) -> None:
    assert Relation("a", qualifier=qualifier).reaches("amd64") is reaches
