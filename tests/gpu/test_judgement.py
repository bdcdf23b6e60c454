"""A verdict has its word, all three answers, what starts, and what to change."""

from __future__ import annotations

import tomllib

import pytest

from envfreeze.gpu import variables
from envfreeze.gpu.derivation import derive
from envfreeze.gpu.fleet import gpu_of
from envfreeze.gpu.judgement import judge
from envfreeze.gpu.model import RUNS, Base, Machine, Package, Version

TORCH = ("torch==2.12.1", "nvidia-cuda-runtime==13.0.96")


def lines(verdict):
    return [remedy.line for remedy in verdict.remedies]


def test_all_three_of_nvidia_s_answers_are_given_where_they_differ(stack, machine, tables):
    # 13.0.2 on 550: the toolkit's table and the guide say no, NVIDIA's own image starts.
    verdict = judge(stack(*TORCH), machine("550.54.15", "A100"), tables)
    assert [(item.source, item.holds) for item in verdict.answers] == [
        ("toolkit table", False),
        ("compatibility table", False),
        ("image requirement", True),
    ]
    assert "550.54.15 < 580.95.05" in verdict.answers[0].text
    assert "580.65.06" in verdict.answers[1].text
    assert "brand=nvidia,driver>=550,driver<551" in verdict.answers[2].text


def test_the_first_reason_decides_and_has_the_numbers(stack, machine, tables):
    verdict = judge(stack(*TORCH), machine("550.54.15", "RTX 4090"), tables)
    assert verdict.reasons[0] == "driver 550.54.15 < 580.65.06, the oldest for CUDA 13.x"
    verdict = judge(stack(*TORCH), machine("580.95.05", "V100"), tables)
    assert verdict.reasons[0] == "compute capability 7.0 (Volta) ends with CUDA 12.9, the stack has 13.0"


def test_minor_version_compatibility_says_what_does_not_work(stack, machine, tables):
    newest = stack("torch==2.15.0", "nvidia-cuda-runtime==13.2.86")
    verdict = judge(newest, machine("580.65.06", "A100"), tables)
    assert verdict.word == "minor-compat"
    assert any("PTX" in reason for reason in verdict.reasons)
    assert lines(verdict) == ['[gpu]\ndriver = ">=595.71.05"']


def test_a_driver_of_the_same_minor_version_compiles_ptx(stack, machine, tables):
    verdict = judge(stack(*TORCH), machine("580.65.06", "A100"), tables)
    assert verdict.word == "minor-compat"
    assert not any("PTX" in reason for reason in verdict.reasons)
    assert lines(verdict) == ['[gpu]\ndriver = ">=580.95.05"']


def test_forward_compatibility_asks_for_its_package_until_the_image_has_it(stack, machine, tables):
    verdict = judge(stack(*TORCH), machine("570.124.06", "A100"), tables)
    assert verdict.word == "forward-compat"
    assert verdict.reasons[-1] == "the image does not have cuda-compat-13-0"
    document = tomllib.loads(lines(verdict)[0])
    assert document["image"]["packages"] == ["cuda-compat-13-0"]
    assert set(document["apt"][0]) == {"url", "suite", "key"}
    for package in ("cuda-compat-13-0", "cuda-compat-13-2"):
        ready = stack(*TORCH, os_packages=(package,))
        verdict = judge(ready, machine("570.124.06", "A100"), tables)
        assert verdict.word == "forward-compat"
        assert not any("cuda-compat" in line for line in lines(verdict))


def test_an_older_forward_compatibility_package_is_not_enough(stack, machine, tables):
    old = stack(*TORCH, os_packages=("cuda-compat-12-9",))
    verdict = judge(old, machine("570.124.06", "A100"), tables)
    assert "cuda-compat-13-0" in lines(verdict)[0]


def test_an_image_of_ours_starts_where_it_runs(stack, machine, base, tables):
    # The base of 12.9.1 alone does not start on 555.
    found = stack("jax==0.4.30", "nvidia-cuda-runtime-cu12==12.9.79", base=base("12.9.1"))
    verdict = judge(found, machine("555.42.06", "A100"), tables)
    assert (verdict.word, verdict.starts.legacy, verdict.starts.cdi) == ("minor-compat", True, True)
    assert verdict.answers[2].holds is False
    assert verdict.answers[2].text.startswith("the base nvidia/cuda:12.9.1")


def test_an_image_that_is_there_starts_by_its_own_requirement(stack, machine, base, tables):
    own = base("12.9.1")
    verdict = judge(stack(base=own), machine("555.42.06", "A100"), tables, env=own.env)
    assert (verdict.word, verdict.starts.legacy, verdict.starts.cdi) == ("minor-compat", False, True)
    assert "driver>=535,driver<536" in verdict.starts.unmet[0]
    assert lines(verdict)[:2] == [
        "docker run --device nvidia.com/gpu=all",
        "docker run -e NVIDIA_DISABLE_REQUIRE=true",
    ]


def test_a_machine_of_which_nothing_is_known_is_asked_for(stack, tables):
    verdict = judge(stack(*TORCH), Machine(), tables)
    assert (verdict.word, verdict.starts.legacy) == ("unknown", None)
    assert {answer.holds for answer in verdict.answers} == {None}
    assert all("[gpu]" in line for line in lines(verdict))


def test_what_the_driver_says_of_itself_decides_of_a_version_that_is_not_in_the_tables(
    stack, tables, machine
):
    found = stack("nvidia-cuda-runtime==14.1.20")
    gpu = machine(None, "H100").gpu
    for said, word in (("14.1", "native"), ("14.0", "minor-compat"), ("13.4", "unknown")):
        at = Machine(Version.parse("650.10"), gpu, Version.parse(said))
        assert judge(found, at, tables).word == word


def test_a_driver_without_a_version_is_taken_by_what_it_says(stack, tables):
    at = Machine(cuda=Version.parse("12.8"))
    assert judge(stack("nvidia-cuda-runtime-cu12==12.4.127"), at, tables).word == "native"
    assert judge(stack("nvidia-cuda-runtime-cu12==12.9.79"), at, tables).word == "minor-compat"
    assert judge(stack("nvidia-cuda-runtime==13.0.96"), at, tables).word == "unknown"


def test_a_gpu_that_nothing_is_known_of_is_not_called_native(stack, tables):
    found = stack("nvidia-cuda-runtime-cu12==12.4.127")
    newer = Machine(Version.parse("620.10"), gpu_of("Z9000", Version.parse("14.0")))
    assert judge(found, newer, tables).word == "unknown"


def test_a_stack_for_the_cpu_starts_anywhere_and_is_told_how_to_get_cuda(stack, machine, tables):
    for packages, platform, line in (
        (("jax==0.9.2",), "linux/amd64", "jax[cuda12]==0.9.2"),
        (("tensorflow==2.21.0",), "linux/amd64", "tensorflow[and-cuda]==2.21.0"),
        (("torch==2.10.0",), "linux/arm64", "torch>=2.11"),
    ):
        verdict = judge(stack(*packages, platform=platform), machine("550.54", "H100"), tables)
        assert (verdict.word, verdict.starts.legacy, verdict.answers) == ("cpu-only", True, ())
        assert lines(verdict) == [line]
        assert verdict.reasons


def test_the_nearest_remedy_is_the_same_version_for_another_cuda(stack, machine, tables):
    verdict = judge(stack(*TORCH), machine("550.54.15", "A100"), tables)
    first, *others = lines(verdict)
    assert tomllib.loads(first)["pip"]["index"] == [
        {
            "name": "cu126",
            "url": "<the index of PyTorch's cu126 builds>",
            "packages": ["torch", "torchvision", "torchaudio"],
        }
    ]
    assert others == [
        '[gpu]\ndriver = ">=580.65.06"',
        '[gpu]\ndriver = ">=580.95.05"',
        "torch==2.10.*",
    ]


def test_the_index_of_another_build_stands_beside_the_one_that_is_used(machine, tables):
    index = "https://wheels.example.org/whl/cu130"
    found = derive(
        [Package("torch", "2.12.1+cu130", index=index), Package("nvidia-cuda-runtime", "13.0.96")], None
    )
    verdict = judge(found, machine("550.54.15", "A100"), tables)
    assert 'url = "https://wheels.example.org/whl/cu126"' in lines(verdict)[0]
    found = derive([Package("torch", "2.12.1+cu130", index="https://me:secret@example.org/cu130")], None)
    assert "secret" not in str(judge(found, machine("550.54.15", "A100"), tables).remedies)


def test_a_gpu_too_old_is_helped_by_an_older_build_and_by_no_driver(stack, machine, tables):
    verdict = judge(stack(*TORCH), machine("580.95.05", "V100"), tables)
    assert verdict.word == "reject-arch"
    assert 'name = "cu126"' in lines(verdict)[0]
    assert not any("driver" in line for line in lines(verdict))


def test_a_gpu_too_new_is_helped_by_a_newer_build(stack, machine, tables):
    found = stack("torch==2.7.0", "nvidia-cuda-runtime-cu12==12.6.77")
    verdict = judge(found, machine("570.124.06", "B200"), tables)
    assert 'name = "cu128"' in lines(verdict)[0]


def test_where_no_change_helps_alone_the_driver_comes_with_it(stack, machine, tables):
    found = stack("torch==2.9.1", "nvidia-cuda-runtime-cu12==12.8.90")
    verdict = judge(found, machine("575.57.08", "GB10"), tables)
    assert lines(verdict)[0] == '[gpu]\ndriver = ">=580.65.06"'
    assert 'name = "cu130"' in lines(verdict)[1]


def test_jax_is_offered_with_the_other_extra(stack, machine, tables):
    found = stack("jax==0.9.2", "jax-cuda13-plugin==0.9.2", "nvidia-cuda-runtime==13.5.37")
    verdict = judge(found, machine("550.54.15", "A100"), tables)
    assert lines(verdict)[0] == "jax[cuda12]==0.9.2"


def test_what_is_unknown_of_a_newer_cuda_still_has_remedies(stack, machine, tables):
    found = stack("jax==0.9.2", "jax-cuda13-plugin==0.9.2", "nvidia-cuda-runtime==13.5.37")
    verdict = judge(found, machine("570.124.06", "H100"), tables)
    assert verdict.word == "unknown"
    assert lines(verdict) == ["jax[cuda12]==0.9.2", '[gpu]\ndriver = ">=580.65.06"']


def test_conda_is_offered_the_newest_cuda_that_runs(stack, machine, tables):
    found = stack("conda:cuda-version==13.0", "conda:pytorch==2.9.1=cuda130_0")
    verdict = judge(found, machine("550.54.15", "A100"), tables)
    assert "- cuda-version=12.9" in lines(verdict)


def test_a_base_is_offered_in_another_cuda_of_the_same_flavour_and_system(stack, machine, base, tables):
    verdict = judge(stack(base=base("13.0.2")), machine("550.54.15", "A100"), tables)
    assert lines(verdict)[-1] == '[image]\nbase = "nvidia/cuda:12.9.1-runtime-ubuntu22.04"'


@pytest.mark.parametrize(
    "driver", ["450.80.02", "535.54.03", "550.54.15", "570.124.06", "580.65.06", "615.31"]
)
@pytest.mark.parametrize("gpu", ["V100", "T4", "A100", "RTX 4090", "B200", "GB10"])
def test_a_remedy_of_another_version_runs(driver, gpu, stack, machine, tables):
    verdict = judge(stack(*TORCH), machine(driver, gpu), tables)
    for remedy in verdict.remedies:
        if remedy.line.startswith("[gpu]\ndriver") and verdict.word == "reject-driver":
            newer = remedy.line.partition(">=")[2].strip('"')
            assert judge(stack(*TORCH), machine(newer, gpu), tables).word in RUNS
        if remedy.line.startswith("torch==") and not any("[gpu]" in line for line in lines(verdict)[:1]):
            version = remedy.line.removeprefix("torch==").removesuffix(".*")
            lock = max(
                (
                    row
                    for row in tables.framework_locks
                    if row.framework == "torch"
                    and str(row.version.minor) == version
                    and row.machine == "x86_64"
                ),
                key=lambda row: row.version,
            )
            other = stack(f"torch=={lock.version}", f"{lock.package}=={lock.runtime}")
            assert judge(other, machine(driver, gpu), tables).word in RUNS


def test_a_malformed_requirement_of_a_base_is_told(stack, machine, tables):
    odd = Base("example/odd", {"CUDA_VERSION": "12.4.1", "NVIDIA_REQUIRE_ARCH": "arch=>8"})
    verdict = judge(stack(base=odd), machine("550.54.15", "A100"), tables)
    assert verdict.starts.legacy is False
    assert "malformed" in verdict.starts.unmet[0]


def test_an_image_s_labels_say_what_it_has_and_needs():
    packages = (Package("torch", "2.12.0"), Package("nvidia-cuda-runtime", "13.0.96"))
    assert variables.labels(derive(packages, None)) == {
        "org.envfreeze.cuda": "13.0",
        "org.envfreeze.cuda.capabilities": "7.5 8.0 8.6 9.0 10.0 12.0+PTX",
        "org.envfreeze.cuda.driver": "580.65.06",
        "org.envfreeze.cuda.toolkit": "13.0.2",
    }
    # Of a CUDA that no table has, only what is certain.
    newest = variables.labels(derive((Package("nvidia-cuda-runtime", "14.1.0"),), None))
    assert newest == {"org.envfreeze.cuda": "14.1"}
    assert variables.labels(derive((Package("torch", "2.12.0+cpu"),), None)) == {}
