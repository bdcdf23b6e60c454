"""Sixty things that can happen to an image, each told with its level, its place and its cause."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from envfreeze.compare.images import compare
from envfreeze.compare.model import Kind, Level
from envfreeze.oci.validate import validate


def load():
    if "mutations" not in sys.modules:
        spec = importlib.util.spec_from_file_location("mutations", Path(__file__).with_name("mutations.py"))
        assert spec is not None
        assert spec.loader is not None
        sys.modules["mutations"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules["mutations"])
    return sys.modules["mutations"]


MUTATIONS = load().MUTATIONS


@pytest.fixture(scope="module")
def original():
    return load().original()


def test_the_original_is_a_sound_image_that_is_itself(original):
    assert validate(original.image()) == ()
    assert compare(original.image(), original.copy().image()).level is Level.IDENTICAL


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_mutation_is_told_with_level_place_and_cause(original, mutation):
    changed = original.copy()
    mutation.change(changed)
    reference, rebuilt = original.image(), changed.image()
    verdict = compare(reference, rebuilt)
    assert verdict.level is Level(mutation.level)
    of_kind = [one for one in verdict.findings if one.kind is Kind(mutation.kind)]
    told = [(one.path or one.layer, one.cause.name, one.package or "") for one in of_kind]
    assert (mutation.place, mutation.cause or "unknown", mutation.package) in told
    # As much differs seen from the other side.
    assert compare(rebuilt, reference).level is verdict.level


def test_there_are_enough_of_them():
    assert len(MUTATIONS) >= 40
    assert len({mutation.name for mutation in MUTATIONS}) == len(MUTATIONS)
