"""The lists beside a catalogue come out as they went in, and whatever else comes is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envfreeze.engines.native.catalog_lists import pack, pack_contents, unpack, unpack_contents
from envfreeze.errors import UntrustedError
from envfreeze.locking.image.inventory import Item, LayerContents
from envfreeze.oci import gzip

# Also names that are not UTF-8, as Python has them.
NAMES = (
    st.binary(min_size=1, max_size=8)
    .map(lambda raw: raw.decode("utf-8", "surrogateescape"))
    .filter(lambda name: not name.startswith("/") and ".." not in name.split("/"))
)
NUMBERS = st.integers(0, (1 << 32) - 1)
ITEMS = st.builds(
    Item, st.sampled_from(["FILE", "DIRECTORY", "OTHER"]), NUMBERS, NUMBERS, NUMBERS, NAMES, NAMES
)
CONTENTS = st.builds(
    LayerContents,
    st.lists(st.tuples(NAMES, ITEMS), max_size=5).map(tuple),
    st.dictionaries(NAMES, st.binary(max_size=9), max_size=3),
)


@given(CONTENTS)
def test_the_contents_of_a_layer_come_back(contents):
    assert unpack_contents(pack_contents(contents), "x") == contents


@given(st.lists(st.lists(st.text(max_size=5), min_size=4, max_size=4), max_size=5))
def test_the_paths_of_a_layer_come_back(paths):
    assert unpack(pack(paths), "x") == paths


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["items", "texts", "a"]), inner)
    ),
    max_leaves=12,
)


@given(JSON.map(lambda value: gzip.compressed(json.dumps(value).encode())) | st.binary(max_size=40))
def test_what_is_no_list_is_refused(packed):
    for read in (unpack, unpack_contents):
        try:
            read(packed, "the list")
        except UntrustedError as error:
            assert error.message.startswith("the list")  # noqa: PT017 - either may be


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x"])
def test_a_path_that_leads_out_is_refused(path):
    document = {"items": [[path, "FILE", 0o644, 0, 0, "", "empty"]], "texts": {}}
    with pytest.raises(UntrustedError, match="no path of a layer"):
        unpack_contents(gzip.compressed(json.dumps(document).encode()), "x")
