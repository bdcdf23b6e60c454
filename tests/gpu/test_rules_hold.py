"""What holds of every stack and machine."""

from __future__ import annotations

from typing import get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from envfreeze.gpu.derivation import derive
from envfreeze.gpu.fleet import gpu_of
from envfreeze.gpu.judgement import judge
from envfreeze.gpu.model import RUNS, Base, Machine, Package, Stack, Version, Word
from envfreeze.gpu.tables import load

TABLES = load()
CUDAS = [*TABLES.releases, Version((13, 5)), Version((14, 0))]
DRIVERS = st.sampled_from(sorted({row.driver for row in TABLES.toolkits})) | st.tuples(
    st.integers(400, 640), st.integers(0, 130)
).map(Version)
GPUS = st.sampled_from(TABLES.products).map(lambda row: gpu_of(row.name, tables=TABLES))
NAMES = st.sampled_from(
    [
        "torch",
        "jax",
        "tensorflow",
        "cupy-cuda12x",
        "nvidia-cuda-runtime",
        "nvidia-cuda-runtime-cu12",
        "nvidia-cuda-runtime-cu13",
        "nvidia-cudnn-cu12",
        "cuda-version",
        "pytorch",
        "numpy",
    ]
)
VERSIONS = st.from_regex(r"[0-9]{1,2}(\.[0-9]{1,3}){0,3}(\+cu[0-9]{2,3}|\+cpu)?", fullmatch=True)
PACKAGES = st.builds(
    Package,
    NAMES,
    VERSIONS | st.text(max_size=5),
    st.sampled_from(["pip", "conda"]),
    st.sampled_from(["", "cuda126_0", "cpu_0"]) | st.text(max_size=5),
    st.none() | st.integers(0, 10**9),
)
ENVS = st.dictionaries(
    st.sampled_from(["CUDA_VERSION", "NV_CUDA_CUDART_VERSION", "NVIDIA_REQUIRE_CUDA", "NV_CUDNN_VERSION"]),
    VERSIONS | st.text(max_size=8) | st.just("cuda>=12.4 driver>=535,driver<536"),
)
BASES = st.none() | st.builds(Base, st.just("example/base"), ENVS, st.none() | st.integers(0, 10**9))


@settings(deadline=None)
@given(st.sampled_from(CUDAS), DRIVERS, DRIVERS, GPUS)
def test_a_newer_driver_runs_all_that_an_older_one_runs_without_a_package(cuda, one, other, gpu):
    older, newer = sorted((one, other))
    stack = Stack(cuda)
    word = judge(stack, Machine(older, gpu), TABLES).word
    if word in ("native", "minor-compat"):
        assert judge(stack, Machine(newer, gpu), TABLES).word in ("native", "minor-compat")


@settings(deadline=None)
@given(st.sampled_from(CUDAS), DRIVERS, GPUS)
def test_an_unknown_verdict_is_given_only_of_what_the_tables_lack(cuda, driver, gpu):
    word = judge(Stack(cuda), Machine(driver, gpu), TABLES).word
    if cuda in CUDAS[:-2]:
        assert word != "unknown"


@settings(deadline=None)
@given(st.lists(PACKAGES, max_size=5), BASES, DRIVERS | st.none(), GPUS | st.none())
def test_every_stack_and_machine_has_a_verdict(packages, base, driver, gpu):
    stack = derive(packages, base)
    assert [item.decides for item in stack.evidence].count(True) == (stack.cuda is not None)
    assert (stack.cuda is None) is ("cpu-lock" in [item.kind for item in stack.findings])
    verdict = judge(stack, Machine(driver, gpu), TABLES)
    assert verdict.word in get_args(Word)
    assert (verdict.word == "cpu-only") is (stack.cuda is None)
    assert verdict.reasons
    if verdict.word in RUNS - {"cpu-only", "forward-compat"} and not base:
        assert verdict.starts.legacy is not False
