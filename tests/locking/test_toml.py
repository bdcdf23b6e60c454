"""The lock's own TOML, read back by the standard library's reader."""

from __future__ import annotations

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from envfreeze.locking import toml

texts = st.text(st.characters(codec="utf-8"), max_size=30)
scalars = texts | st.integers(-(2**63), 2**63 - 1) | st.booleans()
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4)
)


@given(st.dictionaries(texts, values, max_size=6))
def test_what_is_written_is_read_back(document: dict[str, object]) -> None:
    assert tomllib.loads(toml.dumps(document)) == document


def test_the_layout_is_one_fact_per_line() -> None:
    document = {
        "packages": [{"name": "a", "at": ["x", "y"]}, {"name": "b", "inner": {"n": 1}}],
        "odd": [{"only": {"tables": {"n": 2}}}],
        "table": {"rows": [{"a": 1, "b": True}, {}], "empty": [], "none": {}},
        "plain": 'say "no"',
        "long": ["word" * 20, "word" * 20],
        "odd key": "tab\there, 'both' \" \x7f",
        "short": (1, 2),
    }
    assert toml.dumps(document) == (
        "plain = 'say \"no\"'\n"
        "long = [\n"
        f'    "{"word" * 20}",\n'
        f'    "{"word" * 20}",\n'
        "]\n"
        '"odd key" = "tab\\there, \'both\' \\" \\u007f"\n'
        "short = [1, 2]\n"
        "\n[[packages]]\n"
        'name = "a"\n'
        'at = ["x", "y"]\n'
        "\n[[packages]]\n"
        'name = "b"\n'
        "\n[packages.inner]\n"
        "n = 1\n"
        "\n[[odd]]\n"
        "\n[odd.only.tables]\n"
        "n = 2\n"
        "\n[table]\n"
        "rows = [\n"
        "    { a = 1, b = true },\n"
        "    {},\n"
        "]\n"
        "empty = []\n"
        "\n[table.none]\n"
    )
