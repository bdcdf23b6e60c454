from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envfreeze.errors import UntrustedError
from envfreeze.oci import canonical

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(TEXT, VALUES, max_size=5)


@given(OBJECTS)
def test_what_is_written_is_read_back(value):
    assert canonical.parse(canonical.dump(value), "it") == value


@given(OBJECTS)
def test_the_order_of_keys_makes_no_difference(value):
    assert canonical.dump(dict(reversed(value.items()))) == canonical.dump(value)


@given(OBJECTS)
def test_canonical_bytes_have_one_form(value):
    data = canonical.dump(value)
    assert canonical.dump(json.loads(data)) == data
    assert not data.endswith(b"\n")


def test_text_is_utf8_and_not_escaped():
    assert canonical.dump({"b": "größe", "a": [1, True, None]}) == '{"a":[1,true,null],"b":"größe"}'.encode()


@pytest.mark.parametrize(
    "document",
    [b"", b"[]", b"{", b'{"a":1,"a":2}', b'{"a":NaN}', b'{"a":"\xff"}', b'{"a":' + b"[" * 100_000],
    ids=["empty", "list", "cut", "key twice", "NaN", "not UTF-8", "deep"],
)
def test_ambiguous_or_broken_json_is_refused(document):
    with pytest.raises(UntrustedError, match=r"^index\.json"):
        canonical.parse(document, "index.json")


def test_huge_json_is_refused():
    with pytest.raises(UntrustedError, match="more than"):
        canonical.parse(b'{"a":"' + b"a" * canonical.LIMIT + b'"}', "it")


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data):
    with suppress(UntrustedError):
        canonical.parse(data, "it")
