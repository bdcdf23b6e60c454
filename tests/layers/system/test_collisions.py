"""Paths that several packages have."""

from __future__ import annotations

import pytest

from envfreeze.layers.system import conflicts


def test_equal_files_and_folders_are_no_conflict(packages, kit):
    same = [kit.folder("./usr/"), kit.Member("./usr/x", b"1"), kit.link("./usr/y", "x")]
    assert conflicts(packages(a=same, b=same)) == []


@pytest.mark.parametrize("other", ["content", "mode", "kind", "link"])
def test_different_ones_are_named(packages, kit, other):
    second = {
        "content": kit.Member("./usr/x", b"2"),
        "mode": kit.Member("./usr/x", b"1", mode=0o755),
        "kind": kit.folder("./usr/x"),
        "link": kit.link("./usr/x", "y"),
    }[other]
    found = conflicts(packages(b=[second], a=[kit.Member("./usr/x", b"1")]))
    assert found == ["a, b: /usr/x is in each of them, and differs"]


@pytest.mark.parametrize(
    ("relation", "winner"),
    [
        ("a", b"2"),
        ("a (<< 2)", b"2"),
        ("a (<< 1)", b"1"),
        ("a (>= 1.0-1)", b"2"),
        ("z, a:any (= 1.0-1)", b"2"),
        ("aa", b"1"),
    ],
)
def test_the_package_that_replaces_the_other_wins(system, kit, relation, winner):
    tree = system(
        a=[kit.Member("./usr/x", b"1")],
        b={"members": [kit.Member("./usr/x", b"2")], "fields": f"Replaces: {relation}\n"},
    )
    assert tree.bytes("usr/x") == winner
    assert bool(conflicts(tree.packages)) is (winner == b"1")


def test_a_path_below_another_package_s_link_is_named(packages, kit):
    found = conflicts(packages(a=[kit.link("./usr/d", "e")], b=[kit.Member("./usr/d/x", b"1")]))
    assert found == ["b: /usr/d/x lies below /usr/d, which is no directory in a"]


def test_a_winning_hard_link_is_given_with_its_content(system, kit):
    tree = system(
        a=[kit.Member("./usr/w", b"w"), kit.hard("./usr/x", "./usr/w")],
        b=[kit.Member("./usr/x", b"2")],
    )
    assert tree.bytes("usr/x") == b"w"
