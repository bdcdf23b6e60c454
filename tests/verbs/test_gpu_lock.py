"""Locks of CUDA stacks: what is derived, and what the project's machines say to it."""

from __future__ import annotations

import json
import re
import textwrap
import tomllib
from pathlib import Path

import pytest

from envfreeze.oci import layout

PAGE = Path(__file__).parents[2] / "docs/how-to/gpu-machines.md"

CUDA = {
    "2.9.0": ("nvidia-cuda-runtime-cu12", "12.8.90"),
    "2.12.0": ("nvidia-cuda-runtime", "13.0.96"),
    "2.13.0": ("nvidia-cuda-runtime", "13.0.96"),
}
"""What torch of the package index brings (framework_lock_cuda.csv)."""


@pytest.fixture
def gpu_project(small_project, tools):
    """Make a project that asks for torch, with triton, and a `[gpu]` table or none; nothing is locked."""

    def make(gpu: str | None, requirements: str = "torch\n"):
        work = small_project()
        for version, (runtime, of_runtime) in CUDA.items():
            needs = [f"{runtime}=={of_runtime}", "triton"]
            work.site.add_wheel("torch", tools.wheel_of("torch", version, requires=needs), version)
            name = runtime.replace("-", "_")
            work.site.add_wheel(name, tools.wheel_of(name, of_runtime), of_runtime)
        work.site.add_wheel("triton", tools.wheel_of("triton", "3.5.0"), "3.5.0")
        for name in ("gcc", "libc6-dev", "libpython3.13-dev"):
            work.site.add_deb(name, tools.deb_of(name, "1-1", {f"./usr/share/doc/{name}/copyright": b"free"}))
        work.site.publish()
        work.write("requirements.txt", requirements)
        tables = "" if gpu is None else f"\n[gpu]\n{gpu}\n"
        work.write("envfreeze.toml", (work.root / "envfreeze.toml").read_text() + tables)
        work.commit()
        return work

    return make


def locked(work):
    return tomllib.loads((work.root / "envfreeze.lock").read_text())["target"][0]


def test_without_machines_the_lock_says_what_it_brings_and_judges_nothing(gpu_project):
    work = gpu_project(None)
    ended = work.run("lock")
    assert ended.code == 0, ended.stderr
    facts = locked(work)["gpu"]
    assert (facts["cuda"], facts["runtime"], facts["fleet"]) == ("13.0", "13.0.96", [])
    assert facts["sources"][0] == "nvidia-cuda-runtime 13.0.96 (pip)"
    assert facts["env"]["NVIDIA_VISIBLE_DEVICES"] == "all"
    assert "cuda>=13.0" in facts["env"]["NVIDIA_REQUIRE_CUDA"]
    assert "triton compiles C for each kernel" in ended.stderr
    assert "`compile = true` in [gpu]" in ended.stderr
    assert not {"gcc", "libc6-dev"} & {row["name"] for row in locked(work)["base"]["packages"]}


def test_a_fleet_that_runs_it_stands_in_the_lock_and_the_image_says_what_it_needs(gpu_project):
    work = gpu_project('driver = ">=580.95.05"\ngpus = ["H100", "8.0"]')
    assert work.run("lock").code == 0
    facts = locked(work)["gpu"]
    assert facts["fleet"] == [
        {"driver": "580.95.05", "gpu": "H100", "verdict": "native"},
        {"driver": "580.95.05", "gpu": "compute capability 8.0", "verdict": "native"},
    ]
    packages = {row["name"] for row in locked(work)["base"]["packages"]}
    assert {"gcc", "libc6-dev", "libpython3.13-dev"} <= packages
    before = work.listing()
    assert work.run("lock").stdout == "unchanged\n"
    assert work.listing() == before
    work.commit()
    built = work.run("build")
    assert built.code == 0, built.stderr
    config = json.loads(layout.read(work.root / ".envfreeze" / "image").config)["config"]
    env, labels = config["Env"], config["Labels"]
    assert labels == facts["labels"] | labels
    assert (labels["org.envfreeze.cuda"], labels["org.envfreeze.cuda.driver"]) == ("13.0", "580.65.06")
    assert "NVIDIA_VISIBLE_DEVICES=all" in env
    assert f"NVIDIA_REQUIRE_CUDA={facts['env']['NVIDIA_REQUIRE_CUDA']}" in env


def test_a_driver_that_is_too_old_stops_the_lock_before_packages_are_downloaded(gpu_project, refused):
    work = gpu_project('driver = ">=550.54"\ngpus = ["A100"]')
    said = refused(work, 5, "lock")
    assert "CUDA 13.0 (nvidia-cuda-runtime 13.0.96 (pip)) does not run on 1 of the 1 machines" in said
    assert "A100 with driver 550.54: reject-driver" in said
    assert "580.65.06" in said
    assert "envfreeze lock --solve-gpu" in said
    assert not [path for path in work.site.asked if path.endswith(".deb")]


def test_forward_compatibility_needs_its_package_in_the_image(gpu_project, refused, tools):
    work = gpu_project('driver = ">=535.183"\ngpus = ["A100"]')
    said = refused(work, 5, "lock")
    assert "A100 with driver 535.183: forward-compat" in said
    assert "the image does not have cuda-compat-13-0" in said
    made = tools.deb_of(
        "cuda-compat-13-0", "580.95-1", {"./usr/local/cuda-13.0/compat/libcuda.so.1": b"\x7fELF"}
    )
    work.site.add_deb("cuda-compat-13-0", made)
    work.site.publish()
    text = (work.root / "envfreeze.toml").read_text()
    work.write("envfreeze.toml", text.replace("[image]\n", '[image]\npackages = ["cuda-compat-13-0"]\n'))
    ended = work.run("lock")
    assert ended.code == 0, ended.stderr
    assert locked(work)["gpu"]["fleet"][0]["verdict"] == "forward-compat"


def test_solve_gpu_goes_back_to_the_newest_framework_that_fits(gpu_project):
    work = gpu_project('driver = ">=550.54"\ngpus = ["A100"]')
    ended = work.run("lock", "--solve-gpu")
    assert ended.code == 0, ended.stderr
    facts = locked(work)["gpu"]
    assert facts["cuda"] == "12.8"
    assert facts["fleet"] == [{"driver": "550.54", "gpu": "A100", "verdict": "minor-compat"}]
    assert "torch 2.9.0 with CUDA 12.8 runs on all machines" in ended.stderr
    assert '"torch<' in ended.stderr
    # What was found stays, since nothing that the project asks for has changed.
    assert work.run("lock").stdout == "unchanged\n"
    work.write("requirements.txt", "torch\nbeta\n")
    assert work.run("lock").code == 0
    assert locked(work)["gpu"]["cuda"] == "12.8"


def test_solve_gpu_says_what_it_tried_where_nothing_fits(gpu_project, refused):
    work = gpu_project('driver = ">=470.57"\ngpus = ["A100"]')
    said = refused(work, 5, "lock", "--solve-gpu")
    assert "--solve-gpu tried torch<" in said
    assert "13.0" in said


def test_solve_gpu_does_not_take_a_version_that_uses_no_gpu(gpu_project, refused, tools):
    work = gpu_project('driver = ">=550.54"\ngpus = ["A100"]', "jax[cuda13]\n")
    for name in ("jax", "jax-cuda13-plugin"):
        needs = ["jax-cuda13-plugin; extra == 'cuda13'", "nvidia-cuda-runtime; extra == 'cuda13'"]
        wheel = tools.wheel_of(name.replace("-", "_"), "0.9.2", requires=needs if name == "jax" else [])
        work.site.add_wheel(name.replace("-", "_"), wheel, "0.9.2")
    # Older ones know nothing of CUDA 13: uv takes them without the extra.
    work.site.add_wheel("jax", tools.wheel_of("jax", "0.6.2"), "0.6.2")
    work.site.publish()
    said = refused(work, 5, "lock", "--solve-gpu")
    assert "--solve-gpu tried jax<0.9: older ones do not use a GPU" in said
    assert "jax 0.6.2 is locked without jax[cuda12] or jax[cuda13]" in said
    assert "jax[cuda12]==0.9.2" in said


@pytest.mark.parametrize("gpu", [None, "compile = false"])
def test_solve_gpu_needs_machines(gpu_project, refused, gpu):
    said = refused(gpu_project(gpu), 2, "lock", "--solve-gpu")
    assert "the project names none" in said
    assert "[gpu] driver" in said


def test_solve_gpu_does_not_move_what_another_lock_decides(gpu_project, refused):
    work = gpu_project('driver = ">=550.54"\ngpus = ["A100"]')
    work.write("given.txt", (work.root / "requirements.txt").read_text())
    said = refused(work, 2, "lock", "--from", "given.txt", "--solve-gpu")
    assert "those of the lock come from given.txt" in said
    assert "--resolve --solve-gpu" in said


def test_the_machines_are_held_against_an_imported_lock_too(gpu_project, refused):
    work = gpu_project('driver = ">=550.54"\ngpus = ["A100"]')
    work.write("given.txt", "torch==2.12.0\nnvidia-cuda-runtime==13.0.96\ntriton==3.5.0\n")
    said = refused(work, 5, "lock", "--from", "given.txt")
    assert "A100 with driver 550.54: reject-driver" in said
    assert "--solve-gpu" not in said
    work.write("given.txt", "torch==2.9.0\nnvidia-cuda-runtime-cu12==12.8.90\ntriton==3.5.0\n")
    ended = work.run("lock", "--from", "given.txt")
    assert ended.code == 0, ended.stderr
    assert locked(work)["gpu"]["fleet"][0]["verdict"] == "minor-compat"
    assert "gcc" in {row["name"] for row in locked(work)["base"]["packages"]}


def test_older_versions_are_not_offered_where_the_gpu_is_newer_than_the_stack(gpu_project, refused):
    work = gpu_project('gpus = ["B300"]', "torch==2.9.0\n")
    said = refused(work, 5, "lock")
    assert "compute capability 10.3 (Blackwell) needs CUDA 12.9 or later" in said
    assert "--solve-gpu" not in said


def test_the_error_s_document_has_every_machine_with_reasons_answers_and_remedies(gpu_project):
    work = gpu_project('driver = ">=535.183"\ngpus = ["A100", "8.0"]')
    ended = work.run("lock", "--json")
    assert ended.code == 5
    told = json.loads(ended.stdout)["error"]["gpu"]
    assert (told["platform"], told["cuda"], told["runtime"]) == ("linux/amd64", "13.0", "13.0.96")
    assert told["sources"] == ["nvidia-cuda-runtime 13.0.96 (pip)"]
    first, second = told["machines"]
    assert (first["gpu"]["name"], first["verdict"]) == ("A100", "forward-compat")
    assert (second["driver"], second["verdict"]) == ("535.183", "unknown")
    assert [one["source"] for one in first["answers"]] == [
        "toolkit table",
        "compatibility table",
        "image requirement",
    ]
    assert (first["starts"]["legacy"], first["starts"]["cdi"]) == (False, True)
    assert "NVIDIA_REQUIRE_CUDA" in first["starts"]["unmet"][0]
    assert first["reasons"][-1] == "the image does not have cuda-compat-13-0"
    assert {"text", "line"} == set(first["remedies"][0])


def test_what_would_use_a_gpu_and_finds_no_cuda_is_told_what_to_take(gpu_project, tools):
    work = gpu_project('driver = ">=550.54"', "cupy-cuda12x\n")
    work.site.add_wheel("cupy_cuda12x", tools.wheel_of("cupy_cuda12x", "13.6.0"), "13.6.0")
    work.site.publish()
    ended = work.run("lock")
    assert ended.code == 0, ended.stderr
    assert 'take a base that has the CUDA libraries: [image] base = "cuda"' in ended.stderr


def test_a_gpu_without_kernels_is_refused_by_name(gpu_project, refused):
    work = gpu_project('gpus = ["V100"]')
    said = refused(work, 5, "lock")
    assert "V100: reject-arch" in said
    # Its driver is not known; what has kernels for it is.
    assert "torch==2.10.*" in said
    assert "say which driver the fleet has at least" in said


def test_an_unknown_gpu_names_the_nearest(gpu_project, refused):
    said = refused(gpu_project('gpus = ["H10O"]'), 2, "lock")
    assert "H10O" in said
    assert "H100" in said
    assert "compute capability" in said


def test_a_cpu_lock_is_said_where_gpus_were_asked_for(gpu_project):
    work = gpu_project('driver = ">=550.54"', "alpha\n")
    ended = work.run("lock")
    assert ended.code == 0, ended.stderr
    assert "cpu-only" in ended.stderr
    facts = locked(work)["gpu"]
    assert facts["fleet"] == [{"driver": "550.54", "verdict": "cpu-only"}]
    assert "cuda" not in facts
    assert facts["env"] == {}


def test_a_project_without_cuda_and_machines_has_no_such_table(gpu_project):
    work = gpu_project(None, "alpha\n")
    assert work.run("lock").code == 0
    assert "gpu" not in locked(work)


def test_check_finds_a_fleet_that_no_longer_fits(gpu_project):
    work = gpu_project('driver = ">=580.95.05"\ngpus = ["H100"]')
    assert work.run("lock").code == 0
    text = (work.root / "envfreeze.toml").read_text()
    work.write("envfreeze.toml", text.replace("580.95.05", "590.44.01"))
    ended = work.run("lock", "--check")
    assert ended.code == 1
    assert "[gpu]" in ended.stderr
    work.write("envfreeze.toml", text.replace("580.95.05", "550.54"))
    ended = work.run("lock", "--check")
    assert ended.code == 1
    assert "does not run on 1 of the 1 machines" in ended.stderr


def test_compile_can_be_left_out_and_asked_for(gpu_project):
    work = gpu_project('driver = ">=580.95.05"\ncompile = false')
    ended = work.run("lock")
    assert ended.code == 0, ended.stderr
    assert "gcc" not in {row["name"] for row in locked(work)["base"]["packages"]}
    text = (work.root / "envfreeze.toml").read_text()
    work.write("envfreeze.toml", text.replace("compile = false", "compile = true"))
    assert work.run("lock").code == 0
    assert "gcc" in {row["name"] for row in locked(work)["base"]["packages"]}
    assert work.run("lock", "--check").stdout == "current\n"


def test_json_has_the_facts(gpu_project):
    work = gpu_project('driver = ">=580.95.05"\ngpus = ["H100"]')
    told = json.loads(work.run("lock", "--json").stdout)
    assert told["targets"][0]["gpu"] == {
        "cuda": "13.0",
        "runtime": "13.0.96",
        "toolkit": "13.0.2",
        "cudnn": None,
        "sources": ["nvidia-cuda-runtime 13.0.96 (pip)"],
        "fleet": [{"driver": "580.95.05", "gpu": "H100", "verdict": "native"}],
    }


def test_the_commands_of_the_page_do_what_it_says(gpu_project):
    page = PAGE.read_text()
    configured, *_ = re.findall(r"^```toml\n\[gpu\]\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    work = gpu_project(configured)
    blocks = re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    done = work.shell("\n".join(blocks))
    assert done.returncode == 0, done.stderr
    shown = re.findall(r"^    (?! )(.*(?:\n      .*)*)", page, re.MULTILINE)
    error, warning, told = (textwrap.dedent(text) for text in shown)
    for line in error.replace("; …", "").splitlines():
        assert line.strip() in done.stderr
    assert warning in done.stderr
    assert told in done.stdout
