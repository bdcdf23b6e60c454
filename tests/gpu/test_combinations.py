"""Frameworks, drivers, GPUs and bases: every expected answer worked out by hand from the source it names."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from envfreeze.gpu.judgement import judge
from envfreeze.gpu.model import RUNS

ROWS = list(csv.DictReader((Path(__file__).parent / "combinations.csv").read_text().splitlines()))
IMAGE = {"yes": True, "no": False, "unknown": None}


def test_there_are_at_least_sixty_each_with_its_source():
    assert len(ROWS) >= 60
    assert all(row["source"] for row in ROWS)
    assert len(
        {(row["stack"], row["base"], row["platform"], row["driver"], row["gpu"]) for row in ROWS}
    ) == len(ROWS)
    assert {row["word"] for row in ROWS} == {*RUNS, "reject-driver", "reject-arch", "unknown"}


@pytest.mark.parametrize(
    "row", ROWS, ids=lambda row: f"{row['stack']} {row['driver']} {row['gpu']} {row['base']}".strip()
)
def test_the_verdict_is_that_of_the_sources(row, stack, machine, base, tables):
    found = stack(
        *row["packages"].split(), base=base(row["base"]) if row["base"] else None, platform=row["platform"]
    )
    assert str(found.cuda or "") == row["cuda"]
    verdict = judge(found, machine(row["driver"] or None, row["gpu"] or None), tables)
    assert verdict.word == row["word"], verdict.reasons
    if row["image"]:
        image = next(answer for answer in verdict.answers if answer.source == "image requirement")
        assert image.holds is IMAGE[row["image"]], image.text
    assert verdict.reasons


@pytest.mark.parametrize(
    "row", ROWS, ids=lambda row: f"{row['stack']} {row['driver']} {row['gpu']} {row['base']}".strip()
)
def test_a_no_comes_with_remedies_and_a_yes_needs_none(row, stack, machine, base, tables):
    found = stack(
        *row["packages"].split(), base=base(row["base"]) if row["base"] else None, platform=row["platform"]
    )
    verdict = judge(found, machine(row["driver"] or None, row["gpu"] or None), tables)
    if verdict.word == "native":
        assert verdict.remedies == ()
    if verdict.word.startswith("reject") and "torch" in row["packages"]:
        assert verdict.remedies
    assert all(remedy.text for remedy in verdict.remedies)
