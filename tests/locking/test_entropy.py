"""The variables of `[entropy] seed` are those that the table names for an image, where they do something."""

from __future__ import annotations

import pytest

from envfreeze.gpu.tables import load
from envfreeze.locking.entropy import variables

ALWAYS = {"PYTHONHASHSEED": "7", "CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
XLA = {"XLA_FLAGS": "--xla_gpu_deterministic_ops=true"}


@pytest.mark.parametrize(
    ("packages", "more"),
    [
        ({}, {}),
        ({"torch": "2.9.0"}, {}),
        ({"jax": "0.9.2"}, XLA),
        ({"tensorflow": "2.7.4"}, {**XLA, "TF_DETERMINISTIC_OPS": "1"}),
        ({"tensorflow": "2.8.0"}, XLA),
        ({"tensorflow": "2.21.0"}, XLA),
    ],
)
def test_a_framework_gets_what_it_reads(packages, more):
    assert variables(7, packages) == {**ALWAYS, **more}


def test_without_a_seed_there_is_none():
    assert variables(None, {"tensorflow": "2.7.4"}) == {}


def test_every_variable_is_one_that_the_table_puts_into_an_image():
    rows = {(row.name, row.value) for row in load().determinism if row.where.startswith("image ENV")}
    for name, value in variables(0, {"tensorflow": "2.7.4"}).items():
        assert any(name == row and value in listed for row, listed in rows), name
