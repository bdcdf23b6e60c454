"""The JSON schema and the check agree, and nothing that TOML can hold breaks either."""

from __future__ import annotations

import datetime as dt
import json
import re

import jsonschema
import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envfreeze.errors import UsageError
from envfreeze.project.keys import TABLES
from envfreeze.project.load import load
from envfreeze.project.schema import schema
from envfreeze.project.validation import Written, check

VALIDATOR = jsonschema.Draft202012Validator(schema())
KEYS = [(table, key) for table in TABLES for key in table.keys]


def accepted(values):
    try:
        check(Written("envfreeze.toml", "", values))
    except UsageError:
        return False
    return True


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(schema())
    assert schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    json.dumps(schema(), allow_nan=False)


def test_the_schema_describes_every_key():
    for table, key in KEYS:
        described = schema()["properties"][table.name]
        described = described["items"] if table.repeated else described
        assert described["properties"][key.name]["description"].startswith(key.doc)


@pytest.mark.parametrize("key", [key for _, key in KEYS if key.default is not None], ids=lambda key: key.name)
def test_every_default_is_a_good_value(key):
    value = list(key.default) if isinstance(key.default, tuple) else key.default
    assert not list(key.kind.problems(value, key.name))
    jsonschema.validate(value, key.kind.schema())


def test_patterns_mean_the_same_in_javascript():
    # Python reads ECMA-262's classes, anchors and lookbehind in its own way: none of them is used.
    patterns = re.findall(r'"pattern": "(.*?)(?<!\\)"[,}]', json.dumps(schema()))
    assert len(patterns) > 20
    for pattern in patterns:
        assert not re.search(r"\\\\[dDsSwWbBAZ]|\(\?<|\(\?P|\(\?i", pattern), pattern


GOOD = [
    {},
    {"image": {}},
    {"image": {"base": "apt:debian/bookworm", "python": "3.11", "platform": "linux/arm64"}},
    {"image": {"platform": ["linux/amd64", "linux/arm64"], "env": {"A": ""}, "include": [".", "a/b/"]}},
    {"apt": []},
    {"apt": [{"url": "https://example.org/x", "suite": "x/y", "key": "a.gpg"}]},
    {"pip": {"requirements": [], "find-links": "wheels", "exclude-newer": "2026-01-01"}},
    {"pip": {"index-url": "https://${A}:${B}@example.org/", "extra-index-url": ["${C}", "file:///x"]}},
    {"gpu": {}},
    {"gpu": {"driver": ">=550.54.15", "gpus": ["RTX PRO 6000 Blackwell Server", "8.0"], "compile": False}},
    {"entropy": {"seed": 4294967295}, "record": {"store": ["notes"]}},
]
BAD = [
    {"images": {}},
    {"image": []},
    {"image": {"pythn": "3.11"}},
    {"image": {"python": 3.11}},
    {"image": {"base": "Debian:bookworm"}},
    {"image": {"base": "apt:debian"}},
    {"registry": {"mirrors": {"docker.io": "https://mirror.example.org"}}},
    {"image": {"platform": []}},
    {"image": {"platform": ["linux/amd64", "linux/amd64"]}},
    {"image": {"env": {"PATH": "/x"}}},
    {"image": {"include": ["../x"]}},
    {"image": {"workdir": "/proc/self"}},
    {"apt": {}},
    {"apt": [{"url": "https://example.org/x", "suite": "x"}]},
    {"pip": {"resolver": "poetry"}},
    {"pip": {"index": [{"name": "a"}]}},
    {"pip": {"index": [{"name": "a", "url": "https://a.example.org", "package": ["b"]}]}},
    {"pip": {"exclude-newer": "7 months"}},
    {"pip": {"find-links": "/abs"}},
    {"entropy": {"seed": True}},
    {"record": {"store": []}},
    {"gpu": {"driver": ">550"}},
    {"gpu": {"gpus": ["A100", "A100"]}},
    {"gpu": {"compile": "yes"}},
    {"data": {}},
]


@pytest.mark.parametrize("values", GOOD, ids=str)
def test_good(values):
    assert accepted(values)
    assert VALIDATOR.is_valid(values)


@pytest.mark.parametrize("values", BAD, ids=str)
def test_bad(values):
    assert not accepted(values)
    assert not VALIDATOR.is_valid(values)


_TEXTS = st.sampled_from(
    [
        "",
        ".",
        "..",
        "./a",
        "a/",
        "a/../b",
        "/",
        "/app",
        "/app/",
        "//",
        "/dev",
        "/devices",
        "git",
        "x",
        "3.13",
        "3.130",
        "apt:debian/trixie",
        "debian",
        "linux/amd64",
        "linux/arm64",
        "1000:1000",
        "1000:",
        "www-data",
        "uv",
        "notes",
        "https://example.org/",
        "https://u:p@example.org/x",
        "file:///x",
        "http://",
        "${A}",
        "${A}/x",
        "${",
        "a b",
        "ä",
        "2026-01-31",
        "2026-01-31T00:00:00Z",
        "2026-01-31T00:00:00",
        "PATH",
        "VIRTUAL_ENV",
        "A_B",
        "1A",
        "\x00",
        "a\tb",
    ]
) | st.text(max_size=12).filter(
    lambda text: not text.endswith("\n")
)  # `$` is laxer in Python than in JSON schema
_SCALARS = (
    _TEXTS | st.integers(-(2**40), 2**40) | st.booleans() | st.floats(allow_nan=False, allow_infinity=False)
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=6,
)
_NAMES = st.sampled_from(
    sorted({key.name for _, key in KEYS} | {table.name for table in TABLES} | {"pyhton"})
)
_TABLE = st.dictionaries(_NAMES, _VALUES, max_size=4)
_CONFIGS = st.dictionaries(_NAMES | _TEXTS, _VALUES | _TABLE | st.lists(_TABLE, max_size=2), max_size=3)


def is_same_for_json(value):
    """Whether JSON schema sees what TOML sees: 1.0 is an integer to it, and 1 equals true to neither."""
    if isinstance(value, dict):
        return all(map(is_same_for_json, value.values()))
    if isinstance(value, list):
        return all(map(is_same_for_json, value))
    return not (isinstance(value, float) and value.is_integer())


@given(st.sampled_from(KEYS), _VALUES)
def test_the_schema_accepts_what_the_check_accepts(place, value):
    table, key = place
    if not is_same_for_json(value):
        return
    row = {key.name: value}
    for other in table.keys:
        if other.required and other is not key:
            row[other.name] = {"url": "https://example.org", "suite": "x", "key": "k"}[other.name]
    values = {table.name: [row] if table.repeated else row}
    assert accepted(values) == VALIDATOR.is_valid(values)


@given(_CONFIGS)
def test_the_schema_accepts_whole_configurations_that_the_check_accepts(values):
    if is_same_for_json(values):
        assert accepted(values) == VALIDATOR.is_valid(values)


def said_of(folder):
    """What is wrong with a folder; any error but ours goes through."""
    try:
        load(folder.root)
    except UsageError as error:
        return error.message
    return "nothing"


_TOML = st.recursive(
    _SCALARS
    | st.floats()
    | st.dates()
    | st.times()
    | st.datetimes()
    | st.datetimes(timezones=st.sampled_from([dt.UTC, dt.timezone(dt.timedelta(hours=-5))])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=6,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    own=st.dictionaries(_NAMES, st.dictionaries(_NAMES, _TOML, max_size=3) | _TOML, max_size=3),
    pyproject=st.dictionaries(
        st.sampled_from(["project", "dependency-groups", "tool"]),
        _TOML
        | st.dictionaries(
            st.sampled_from(
                ["name", "dependencies", "optional-dependencies", "dynamic", "envfreeze", "uv", "sources"]
            ),
            _TOML,
        ),
    ),
)
def test_nothing_in_toml_breaks_loading(folder, own, pyproject):
    folder.write("requirements.txt", "numpy\n")
    folder.write("envfreeze.toml", tomli_w.dumps(own))
    folder.write("pyproject.toml", tomli_w.dumps(pyproject))
    assert said_of(folder).startswith(
        ("envfreeze.toml", "pyproject.toml", "the configuration stands in both", "nothing")
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_nothing_in_a_file_breaks_loading(folder, content):
    folder.write("requirements.txt", "numpy\n")
    folder.write("envfreeze.toml", content)
    assert said_of(folder).startswith(("envfreeze.toml", "nothing"))
