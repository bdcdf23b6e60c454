"""Locks of the frameworks as they are today: each derives the CUDA that its runtime package states."""

from __future__ import annotations

import json
import tomllib

import pytest

pytestmark = pytest.mark.network

RUNTIMES = ("nvidia-cuda-runtime", "nvidia-cuda-runtime-cu12", "nvidia-cuda-runtime-cu11")

CASES = {
    "torch==2.4.1": "12.1",
    "torch==2.5.1": "12.4",
    "torch==2.6.0": "12.4",
    "torch==2.7.1": "12.6",
    "torch==2.8.0": "12.8",
    "torch==2.9.1": "12.8",
    "torch==2.10.0": "12.8",
    "torch==2.11.0": "13.0",
    "torch==2.12.1": "13.0",
    "torch==2.13.0": "13.0",
    "torch==2.14.1": "13.0",
    "torch": None,
    "jax[cuda12]": "12",
    "jax[cuda13]": "13",
    "tensorflow[and-cuda]": "12",
}
"""What is asked for, and what rule R2 says of its CUDA; None: nothing of the newest yet."""


@pytest.mark.parametrize("requirement", CASES)
def test_a_real_lock_derives_the_cuda_of_its_runtime_package(requirement, envfreeze, tmp_path):
    # bookworm's Python 3.11 is the newest that the oldest of them has wheels for.
    (tmp_path / "envfreeze.toml").write_text('[image]\nbase = "apt:debian/bookworm"\n')
    (tmp_path / "requirements.txt").write_text(f"{requirement}\n")
    said = json.loads(envfreeze("lock", "--json", at=tmp_path))
    facts = said["targets"][0]["gpu"]
    locked = tomllib.loads((tmp_path / "pylock.toml").read_text())["packages"]
    runtime = {row["name"]: row["version"] for row in locked if row["name"] in RUNTIMES}
    assert [facts["runtime"]] == list(runtime.values())
    assert facts["cuda"] == ".".join(facts["runtime"].split(".")[:2])
    if CASES[requirement] is not None:
        assert f"{facts['cuda']}.".startswith(f"{CASES[requirement]}.")
    assert facts["sources"][0].startswith(next(iter(runtime)))
    env = tomllib.loads((tmp_path / "envfreeze.lock").read_text())["target"][0]["gpu"]["env"]
    assert f"cuda>={facts['cuda']}" in env["NVIDIA_REQUIRE_CUDA"]
