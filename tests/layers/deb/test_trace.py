"""A script is followed through the branches that a fresh installation takes, and no others."""

from __future__ import annotations

import contextlib

import pytest

from envfreeze.layers.deb.scripts.conditions import compare_versions, holds
from envfreeze.layers.deb.scripts.trace import trace
from envfreeze.layers.deb.scripts.words import ShellSyntaxError


def reached(script, kind="postinst"):
    return [
        command.text for command in trace(script, kind) if command.name not in {"[", "test", "dpkg", "echo"}
    ]


@pytest.mark.parametrize(
    ("script", "commands"),
    [
        ('if [ "$1" = configure ]; then a; else b; fi', ["a"]),
        ('if [ "$1" = configure ] && [ -z "$2" ]; then a; fi', ["a"]),
        ('if [ "$1" = configure -a -n "$2" ]; then a; fi', []),
        ('[ -n "$2" ] && a', []),
        ('[ -z "$2" ] && a', ["a"]),
        ('test "x$2" != x || a', ["a"]),
        ('case "$1" in configure) a;; upgrade|abort-*) b;; esac', ["a"]),
        ('case "$1" in abort-upgrade) exit 0;; esac; a', ["a"]),
        ('case "$1" in configure) exit 0;; esac; a', []),
        ("if [ -d /run/systemd/system ]; then a; fi", []),
        ("if [ -e /etc/x ]; then a; else b; fi", ["a", "b"]),
        ("if [ -e /etc/x ]; then exit 0; fi; a", ["a"]),
        ("getent group x >/dev/null || a", ["getent group x", "a"]),
        ("f() { [ -z $2 ] || return 0; a; }; f one; f one two", ["a"]),
        ('f() { a "$@"; }; f 1 2', ["a 1 2"]),
        ("for i in x y; do a /usr/bin/$i; done", ["a /usr/bin/x", "a /usr/bin/y"]),
        ("for i in /etc/*; do a $i; done", ["a …"]),
        ("X=one; a ${X}-${Y:-two} ${DPKG_ROOT:+no}", ["a one-… "]),
        ("X=$(b c); a $X", ["b c", "a …"]),
        ('X=$(dpkg --x); [ "$X" = y ] && X=z; a $X', ["a …"]),
        ("if c; then X=1; else X=2; fi; a $X", ["c", "a …"]),
        ("while b; do X=1; a $X; done", ["b", "a 1"]),
        ("(exit 0); a", ["a"]),
        ("a | b", ["a", "b"]),
        ('! [ -n "$2" ] && a', ["a"]),
        ("$TOOL x", ["… x"]),
        ("set -- p q; shift; a $1", ["a q"]),
        ("command -v x >/dev/null && a", ["command -v x", "a"]),
        ("true || a; false || b; : && c", ["true", "false", "b", ":", "c"]),
    ],
)
def test_by_example(script, commands):
    assert reached(script) == commands


def test_a_preinst_is_told_that_it_installs():
    assert reached('case "$1" in install) a;; upgrade) b;; esac', "preinst") == ["a"]


@pytest.mark.parametrize(
    ("operator", "truth"),
    [
        ("lt", True),
        ("le", True),
        ("lt-nl", False),
        ("le-nl", False),
        ("gt-nl", True),
        ("eq", False),
        ("ge", False),
        ("<<", True),
    ],
)
def test_no_earlier_version_compares_as_dpkg_compares_it(operator, truth):
    assert compare_versions(["", operator, "1.0"]) is truth


def test_what_is_not_known_stays_not_known():
    assert holds(["-f", "/etc/passwd"]) is None
    assert holds(["a", "=", None]) is None
    assert holds(["-n", "x", "-o", "-f", "/etc/passwd"]) is True
    assert holds(["-f", "/etc/passwd", "-a", "-z", "x"]) is False


def test_files_that_a_script_writes_are_named():
    writes = [
        path
        for command in trace("echo x > /etc/x; { a; b; } >> /etc/y; c 2>/dev/null", "postinst")
        for path in command.writes
    ]
    assert writes == ["/etc/x", "/etc/y", "/dev/null"]


@pytest.mark.parametrize("script", ["f() { f; f; }; f", "f() { g; }; g() { f; }; f"])
def test_a_script_that_calls_itself_comes_to_an_end(script):
    with contextlib.suppress(ShellSyntaxError):
        trace(script, "postinst")
