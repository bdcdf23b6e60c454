"""docs/reference/configuration.md tells every key as it is, and its examples work."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import jsonschema
import pytest

from envfreeze.project.keys import TABLES
from envfreeze.project.schema import schema
from envfreeze.project.validation import Written, check

TEXT = (Path(__file__).parents[2] / "docs/reference/configuration.md").read_text(encoding="utf-8")
SECTIONS = {part.partition("`\n")[0]: part.partition("`\n")[2].strip() for part in TEXT.split("\n### `")[1:]}
EXAMPLES = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
KEYS = [(table, key) for table in TABLES for key in table.keys]


def told_default(key):
    if key.required:
        return "required"
    if key.default is None:
        return key.otherwise
    value = list(key.default) if isinstance(key.default, tuple) else key.default
    return f"`{json.dumps(value)}`" + (f": {key.otherwise}" if key.otherwise else "")


def test_every_key_has_a_section_and_every_section_a_key():
    assert list(SECTIONS) == [f"{table.name}.{key.name}" for table, key in KEYS]


def test_every_table_has_a_heading():
    for table in TABLES:
        assert f"\n## `{table.header}`\n\n{table.doc}\n" in TEXT


@pytest.mark.parametrize(("table", "key"), KEYS, ids=lambda part: part.name)
def test_a_section_tells_doc_type_default_and_example(table, key):
    section = SECTIONS[f"{table.name}.{key.name}"]
    flat = " ".join(section.split())
    assert flat.startswith(key.doc)
    assert f"* Type: {key.kind.words}\n" in section
    assert f"* Default: {told_default(key)} ```toml {table.header}" in flat
    (example,) = re.findall(r"```toml\n(.*?)```", section, re.DOTALL)
    assert key.example in example.splitlines()


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_a_configuration(example):
    values = tomllib.loads(example)
    check(Written("envfreeze.toml", "", values))
    jsonschema.validate(json.loads(json.dumps(values, default=str)), schema())


def test_the_examples_show_other_values_than_the_defaults():
    for table, key in KEYS:
        value = tomllib.loads(key.example)[key.name]
        default = list(key.default) if isinstance(key.default, tuple) else key.default
        if key.name != "store":  # which has only one
            assert value != default, f"{table.name}.{key.name}"
