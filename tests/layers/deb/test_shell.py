"""The shell language is read as a shell reads it, and whatever is written, reading it ends."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envfreeze.layers.deb.scripts.shell import AndOr, Case, For, Function, If, Simple, parse
from envfreeze.layers.deb.scripts.trace import trace
from envfreeze.layers.deb.scripts.words import Literal, ShellSyntaxError, tokens

_pieces = st.sampled_from(
    [
        "if",
        "then",
        "else",
        "elif",
        "fi",
        "case",
        "esac",
        "in",
        "for",
        "do",
        "done",
        "while",
        "{",
        "}",
        "(",
        ")",
        ";;",
        ";",
        "&",
        "&&",
        "||",
        "|",
        "\n",
        "\\\n",
        "$",
        "$(",
        "`",
        "${",
        "}",
        '"',
        "'",
        "#",
        "<<",
        "<<-EOF",
        "EOF",
        ">",
        "2>&1",
        "x",
        "y=1",
        "$1",
        '"$2"',
        "[",
        "]",
        "configure)",
        "*)",
        "f()",
        "exit",
        "return",
        "shift",
    ]
)


@given(st.one_of(st.text(max_size=80), st.lists(_pieces, max_size=25).map(" ".join)))
def test_any_text_is_traced_or_refused(text):
    with contextlib.suppress(ShellSyntaxError):
        trace(text, "postinst")


@given(st.text(alphabet=st.characters(exclude_characters="\0'"), max_size=40))
def test_a_quoted_text_is_one_word(text):
    word = tokens(f"'{text}'")[0]
    assert word.parts == (Literal(text, quoted=True),)


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        ("if a; then b; elif c; then d; else e; fi", If),
        ('case "$1" in\n  (a|b) c ;;\n  *) d\nesac', Case),
        ("for x in a b; do c; done", For),
        ("for x\ndo c\ndone", For),
        ("f () { a; }", Function),
        ("function f {\n a\n}", Function),
        ("a && b || c", AndOr),
        ("X=1 a 2>/dev/null >&2 <<-EOF\n\tnot; a $(command\n\tEOF\n", Simple),
        ("a \\\n  b # c && d\n", Simple),
    ],
)
def test_compound_commands_are_known(script, kind):
    assert [type(part) for part in parse(script).parts] == [kind]


@pytest.mark.parametrize(
    "script", ["if a; then b", "'", '"', "$(", "`", "${", "case x in a", "a )", "fi", "f() b", "{ a"]
)
def test_an_unfinished_script_is_refused(script):
    with pytest.raises(ShellSyntaxError):
        parse(script)


def test_a_here_document_is_no_command():
    script = "cat <<'A' <<B\nadduser one\nA\nadduser two\nB\nadduser three\n"
    assert [command.text for command in trace(script, "postinst")] == ["cat", "adduser three"]
