"""CUDA from the conda side: what the fleet's driver lets the solver take, and what a refusal offers."""

from __future__ import annotations

import sys
import tomllib

import pytest

MINOR = f"3.{sys.version_info.minor}"


@pytest.fixture
def conda_project(small_project, conda_channel, tools, tmp_path):
    """Make a project with conda's Python and PyTorch, and a `[gpu]` table; nothing is locked."""
    with conda_channel.serve(tmp_path / "channel") as channel:
        make = conda_channel.package
        channel.add(make("python", f"{MINOR}.4", "h0_0_cpython"))
        for cuda in ("12.2", "12.9", "13.0"):
            major = cuda.partition(".")[0]
            channel.add(
                make("cuda-version", cuda, "h0", constrains=[f"__cuda >={major}"]),
                make(
                    "pytorch",
                    "2.9.0",
                    f"cuda{cuda.replace('.', '')}_0",
                    depends=[f"python {MINOR}.*", f"cuda-version {cuda}.*"],
                ),
            )
        channel.index()

        def project(gpu, *specs):
            work = small_project()
            for name in ("gcc", "libc6-dev"):
                work.site.add_deb(name, tools.deb_of(name, "1-1", {f"./usr/share/doc/{name}/c": b"free"}))
            work.site.publish()
            listed = "".join(f"  - {spec}\n" for spec in (f"python={MINOR}", *specs))
            work.write("environment.yml", f"channels: [{channel.url}]\ndependencies:\n{listed}")
            work.write("requirements.txt", "")
            conda = '[conda]\nenvironment = "environment.yml"\n\n[pip]'
            work.replace("envfreeze.toml", "[pip]", f"[gpu]\n{gpu}\n\n{conda}")
            return work

        yield project


def locked(work):
    return tomllib.loads((work.root / "envfreeze.lock").read_text())["target"][0]


def test_the_driver_keeps_the_solver_from_a_cuda_that_it_cannot_run(conda_project):
    work = conda_project('driver = ">=550.54.15"\ngpus = ["A100"]', "pytorch")
    ended = work.run("lock")
    assert ended.code == 0, ended.stderr
    facts = locked(work)["gpu"]
    assert (facts["cuda"], facts["fleet"][0]["verdict"]) == ("12.9", "minor-compat")
    assert facts["sources"][0] == "cuda-version 12.9 (conda)"
    assert work.run("lock").stdout == "unchanged\n"


def test_the_line_that_a_refusal_offers_leads_to_a_lock(conda_project, refused):
    work = conda_project('gpus = ["V100"]', "pytorch", "cuda-version=13.0")
    said = refused(work, 5, "lock")
    assert "compute capability 7.0 (Volta) ends with CUDA 12.9, the stack has 13.0" in said
    assert "--solve-gpu" not in said  # it looks for older wheels
    (line,) = (line.strip() for line in said.splitlines() if "- cuda-version=" in line)
    work.replace("environment.yml", "- cuda-version=13.0", line)
    ended = work.run("lock")
    assert ended.code == 0, ended.stderr
    assert locked(work)["gpu"]["cuda"] == "12.9"


def test_solve_gpu_says_that_it_looks_for_wheels(conda_project, refused):
    work = conda_project('gpus = ["V100"]', "pytorch", "cuda-version=13.0")
    said = refused(work, 5, "lock", "--solve-gpu")
    assert "no framework is among the wheels" in said


def test_conda_s_python_brings_its_headers_itself(conda_project):
    work = conda_project("compile = true", "pytorch=*=cuda122_0")
    ended = work.run("lock")
    assert ended.code == 0, ended.stderr
    names = {row["name"] for row in locked(work)["base"]["packages"]}
    assert {"gcc", "libc6-dev"} <= names
    assert not [name for name in names if name.startswith("libpython")]
