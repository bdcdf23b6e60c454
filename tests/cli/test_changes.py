"""How the difference between two locks reads."""

from __future__ import annotations

from envfreeze.cli.changes import told
from envfreeze.locking.changes import Change

AMD, ARM = "linux/amd64", "linux/arm64"


def change(name, before="1.0", after="1.1", *, side="pip", platform=AMD, kind="moved", direct=False):
    direction = "up" if kind == "moved" else None
    return Change(kind, side, platform, name, before, after, direction, direct)


def test_packages_are_told_by_side_with_their_direction():
    assert list(
        told(
            [
                change("delta", None, kind="added", direct=True),
                change("torch", "2.7.1", "2.8.0"),
                change("gone", after=None, kind="removed"),
                change("libc6", "2.41-1", "2.41-2", side="os"),
            ],
            limit=None,
        )
    ) == [
        "pip, linux/amd64: 1 added, 1 removed, 1 moved",
        "  added    delta 1.1  (asked for)",
        "  up       torch 2.7.1 -> 2.8.0",
        "  removed  gone 1.0",
        "os, linux/amd64: 1 moved",
        "  up  libc6 2.41-1 -> 2.41-2",
    ]


def test_what_is_the_same_on_two_platforms_is_told_once():
    both = [
        change("a"),
        change("a", platform=ARM),
        change("b", side="os"),
        change("c", side="os", platform=ARM),
    ]
    assert list(told(both, limit=None)) == [
        "pip, linux/amd64 and linux/arm64: 1 moved",
        "  up  a 1.0 -> 1.1",
        "os, linux/amd64: 1 moved",
        "  up  b 1.0 -> 1.1",
        "os, linux/arm64: 1 moved",
        "  up  c 1.0 -> 1.1",
    ]


def test_many_are_cut_short_with_their_count():
    lines = list(told([change(f"p{number:02}") for number in range(30)], limit=20))
    assert len(lines) == 22
    assert lines[0] == "pip, linux/amd64: 30 moved"
    assert lines[-1] == "  ... and 10 more (--verbose lists them)"
    assert len(list(told([change(f"p{number:02}") for number in range(30)], limit=None))) == 31


def test_a_platform_that_comes_is_one_line():
    added = Change("added", "target", ARM, ARM, None, "3.13.5", direct=True)
    assert list(told([added], limit=20)) == ["added target linux/arm64 (Python 3.13.5)"]


def test_a_file_that_was_replaced_has_one_version():
    assert list(told([change("a", "1.0", "1.0", kind="replaced")], limit=None))[1] == "  replaced  a 1.0"
