"""A stack's CUDA comes from one package, and what is odd is told."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from envfreeze.gpu import tables as module
from envfreeze.gpu.derivation import derive, newest_toolkit
from envfreeze.gpu.evidence import build_cuda, local_cuda
from envfreeze.gpu.model import Base, Package, Version

LOCKS = list(
    csv.DictReader(
        (Path(module.__file__).parent / "data" / "framework_lock_cuda.csv").read_text().splitlines()
    )
)
LIBRARIES = ("cudnn", "nvjitlink", "nvrtc", "nccl", "cublas", "cusparse")


def kinds(stack):
    return [finding.kind for finding in stack.findings]


def finding(stack, kind):
    (found,) = (item for item in stack.findings if item.kind == kind)
    return found


def locked(row):
    """The packages of a row, with the libraries whose versions are not CUDA's."""
    name, version = row["framework"].split()
    yield Package(name, version)
    if not row["runtime_pkg"]:
        return
    yield Package(row["runtime_pkg"], row["runtime_version"])
    major = row["derived_cuda"].partition(".")[0]
    for library in LIBRARIES:
        full = "cuda-nvrtc" if library == "nvrtc" else library
        always = library in ("cudnn", "nccl")
        suffix = f"-cu{major}" if int(major) < 13 or always else ""
        if row[library]:
            yield Package(f"nvidia-{full}{suffix}", row[library])
    if row["cuda_toolkit_pkg"]:
        yield Package("cuda-toolkit", row["cuda_toolkit_pkg"])
    if row["cuda_plugin"]:
        yield Package(f"jax-cuda{major}-plugin", row["cuda_plugin"])


@pytest.mark.parametrize("row", LOCKS, ids=lambda row: row["case"])
def test_a_framework_s_lock_has_the_cuda_of_its_runtime_package(row):
    platform = {"x86_64": "linux/amd64", "aarch64": "linux/arm64"}[row["platform"]]
    stack = derive(locked(row), None, platform=platform)
    assert str(stack.cuda or "") == row["derived_cuda"]
    if not row["derived_cuda"]:
        assert kinds(stack) == ["cpu-lock"]
        assert "aarch64" in finding(stack, "cpu-lock").text
        return
    assert str(stack.runtime) == row["runtime_version"]
    assert stack.evidence[0].decides
    assert stack.evidence[0].source.startswith(f"{row['runtime_pkg']} {row['runtime_version']}")
    assert [item.decides for item in stack.evidence].count(True) == 1
    assert str(stack.cudnn) == row["cudnn"]
    assert not {"mixed-majors", "duplicate", "stub", "cpu-lock"} & set(kinds(stack))
    if row["toolkit_updates"]:
        assert str(stack.toolkit) == row["toolkit_updates"].split("|")[-1]
    else:
        assert "unknown-version" in kinds(stack)


def test_the_newest_release_that_is_kept_up_is_taken_for_a_runtime(tables):
    assert newest_toolkit(Version.parse("12.6.77"), tables) == Version.parse("12.6.3")
    assert newest_toolkit(Version.parse("12.6.68"), tables) == Version.parse("12.6.1")  # no other has it
    assert newest_toolkit(Version.parse("12.6.99"), tables) is None


@pytest.mark.parametrize(
    ("version", "cuda"),
    [
        ("2.6.0+cu124", "12.4"),
        ("2.0.1+cu118", "11.8"),
        ("1.4.0+cu92", "9.2"),
        ("2.9.1+cu130", "13.0"),
        ("0.4.20+cuda12.cudnn89", "12"),
        ("2.6.3+pt24cu121", "12.1"),
        ("1.0+cu12.8", "12.8"),
        ("2.6.0+cpu", None),
        ("2.6.0", None),
        ("2.6.0+rocm6.2", None),
    ],
)
def test_a_local_version_names_its_cuda(version, cuda):
    assert local_cuda(version) == (None if cuda is None else Version.parse(cuda))


@pytest.mark.parametrize(
    ("build", "cuda"),
    [
        ("cuda126_mkl_py312_h1b2c_300", "12.6"),
        ("py3.11_cuda12.4_cudnn9.1.0_0", "12.4"),
        ("cuda_118_py310h_0", "11.8"),
        ("gpu_cuda102py37", "10.2"),
        ("cpu_mkl_py312_h1b2c_100", None),
        ("py312h1b2c_0", None),
    ],
)
def test_a_build_string_names_its_cuda(build, cuda):
    assert build_cuda(build) == (None if cuda is None else Version.parse(cuda))


def test_a_local_version_counts_where_there_is_no_runtime_package(stack):
    found = stack("torch==1.12.1+cu116")
    assert (str(found.cuda), found.runtime, found.toolkit) == ("11.6", None, None)
    assert found.evidence[0].source == "torch 1.12.1+cu116 (pip, local version)"


def test_everything_that_states_a_cuda_is_listed_and_one_decides(stack, base):
    found = stack(
        "torch==2.6.0+cu124",
        "nvidia-cuda-runtime-cu12==12.4.127",
        "conda:cuda-version==12.6",
        base=base("12.8.1"),
    )
    assert str(found.cuda) == "12.4"
    assert [(item.source, str(item.cuda), item.decides) for item in found.evidence] == [
        ("nvidia-cuda-runtime-cu12 12.4.127 (pip)", "12.4.127", True),
        ("cuda-version 12.6 (conda)", "12.6", False),
        ("torch 2.6.0+cu124 (pip, local version)", "12.4", False),
        ("nvidia/cuda:12.8.1-runtime-ubuntu22.04 (CUDA_VERSION=12.8.1)", "12.8.90", False),
        ("nvidia/cuda:12.8.1-runtime-ubuntu22.04 (NV_CUDA_CUDART_VERSION=12.8.90-1)", "12.8.90", False),
    ]


def test_a_base_decides_where_nothing_else_does(stack, base):
    found = stack("numpy==2.3.0", base=base("12.4.1"))
    assert tuple(map(str, (found.cuda, found.runtime, found.toolkit))) == ("12.4", "12.4.127", "12.4.1")


def test_conda_s_runtime_says_the_full_version(stack):
    found = stack("conda:cuda-version==12.4", "conda:cuda-cudart==12.4.127")
    assert tuple(map(str, (found.cuda, found.runtime, found.toolkit))) == ("12.4", "12.4.127", "12.4.1")


@pytest.mark.parametrize(
    ("packages", "platform", "said"),
    [
        (["torch==2.9.1"], "linux/arm64", "from 2.11 on"),
        (["torch==2.11.0"], "linux/arm64", "no base brings"),
        (["torch==2.9.1+cpu"], "linux/amd64", "torch 2.9.1+cpu is the build for the CPU"),
        (["conda:pytorch==2.5.1=cpu_mkl_py312_1"], "linux/amd64", "cpu_mkl_py312_1 is the build for the CPU"),
        (["tensorflow==2.21.0"], "linux/amd64", "without tensorflow[and-cuda]"),
        (["jax==0.9.2", "jaxlib==0.9.2"], "linux/amd64", "without jax[cuda12] or jax[cuda13]"),
        (["torch==2.9.1"], "linux/amd64", "torch 2.9.1: no package and no base brings a CUDA runtime"),
        (["numpy==2.3.0"], "linux/amd64", "no package and no base brings a CUDA runtime"),
    ],
)
def test_a_lock_for_the_cpu_says_why(stack, packages, platform, said):
    found = stack(*packages, platform=platform)
    assert found.cuda is None
    assert kinds(found) == ["cpu-lock"]
    assert said in finding(found, "cpu-lock").text


def test_a_build_for_the_cpu_stays_one_on_a_cuda_base(stack, base):
    found = stack("torch==2.9.1+cpu", base=base("12.8.1"))
    assert found.cuda is None
    assert kinds(found) == ["cpu-lock"]
    assert not any(item.decides for item in found.evidence)
    assert len(found.evidence) == 2


def test_tensorflow_and_jax_s_plugin_can_use_the_base_s_cuda(stack, base):
    assert str(stack("tensorflow==2.18.1", base=base("12.5.1")).cuda) == "12.5"
    found = stack("jax==0.9.2", "jaxlib==0.9.2", "jax-cuda12-plugin==0.9.2", base=base("12.9.1"))
    assert str(found.cuda) == "12.9"


def test_the_stubs_of_cuda_13_are_fatal_and_explained(stack):
    found = stack(
        "nvidia-cublas-cu13==0.0.1", "nvidia-cuda-runtime-cu13==0.0.1", "nvidia-cudnn-cu13==9.13.0.50"
    )
    stub = finding(found, "stub")
    assert stub.fatal
    assert "nvidia-cublas-cu13 0.0.1, nvidia-cuda-runtime-cu13 0.0.1" in stub.text
    assert "no suffix" in stub.text
    assert "nvidia-cudnn-cu13" not in stub.text
    assert found.cuda is None
    assert found.evidence == ()


def test_real_packages_with_the_suffix_of_13_are_no_stubs(stack):
    found = stack(
        "nvidia-cuda-runtime==13.0.96",
        "nvidia-cudnn-cu13==9.20.0.48",
        "nvidia-nccl-cu13==2.29.7",
        "nvidia-cusparselt-cu13==0.8.0",
        "nvidia-nvshmem-cu13==3.4.5",
    )
    assert kinds(found) == []


def test_packages_for_two_major_versions_are_told_with_what_the_other_costs(package):
    packages = [
        package("torch==2.9.1+cu130"),
        package("nvidia-cuda-runtime==13.0.96", 2_000_000),
        package("nvidia-nccl-cu12==2.27.5", 300_000_000),
        package("cupy-cuda12x==13.6.0", 100_000_000),
    ]
    found = derive(packages, None)
    assert str(found.cuda) == "13.0"
    mixed = finding(found, "mixed-majors")
    assert mixed.size == 400_000_000
    assert "CUDA 12: cupy-cuda12x, nvidia-nccl-cu12; CUDA 13: nvidia-cuda-runtime, torch" in mixed.text
    assert not mixed.fatal


def test_of_two_runtimes_the_framework_s_own_decides(stack):
    found = stack("torch==2.9.1+cu126", "nvidia-cuda-runtime-cu12==12.6.77", "nvidia-cuda-runtime==13.0.96")
    assert str(found.cuda) == "12.6"
    found = stack("nvidia-cuda-runtime-cu12==12.6.77", "nvidia-cuda-runtime==13.0.96")
    assert str(found.cuda) == "13.0"
    found = stack(
        "jax==0.9.2",
        "jax-cuda12-plugin==0.9.2",
        "nvidia-cuda-runtime-cu12==12.9.79",
        "nvidia-cuda-runtime==13.0.96",
    )
    assert str(found.cuda) == "12.9"
    assert "mixed-majors" in kinds(found)


@pytest.mark.parametrize(
    "other", [("jax==0.9.2", "jax-cuda12-plugin==0.9.2"), ("cupy-cuda12x==13.6.0",)], ids=" ".join
)
def test_the_runtime_that_asks_for_most_decides_where_a_framework_s_own_is_not_said(stack, other):
    """torch of the package index brings CUDA 13 and does not say so in its version."""
    runtimes = ("nvidia-cuda-runtime-cu12==12.9.79", "nvidia-cuda-runtime==13.2.86")
    found = stack("torch==2.15.0", *other, *runtimes)
    assert (str(found.cuda), str(found.runtime)) == ("13.2", "13.2.86")
    assert "mixed-majors" in kinds(found)
    # Nor does a build for the CPU need a runtime.
    found = stack("torch==2.15.0+cpu", *other, *runtimes)
    assert str(found.cuda) == "12.9"


def test_of_two_forward_compatibility_packages_the_newer_counts():
    packages = [Package("nvidia-cuda-runtime", "13.0.96")]
    found = derive(packages, None, os_packages=("cuda-compat-13-2", "cuda-compat-13-10", "cuda-compat-x"))
    assert found.compat == "cuda-compat-13-10"


@pytest.mark.parametrize(
    "text", ["9" * 5000, "12." * 3000 + "4", "9" * 40 + ".1"], ids=["digits", "dots", "major"]
)
def test_endless_versions_are_no_versions(text):
    env = {"CUDA_VERSION": text, "NV_CUDA_CUDART_VERSION": text, "NV_CUDNN_VERSION": text}
    packages = (
        Package("nvidia-cuda-runtime", text),
        Package("torch", f"2.9.0+cu{text}"),
        Package("torch", f"{text}+cu128"),
        Package("pytorch", "2.9.0", "conda", f"cuda{text}_0"),
    )
    found = derive(packages, Base("registry.example.org/base", env))
    assert found.runtime is None
    assert str(found.cuda) in {"None", "12.12"}  # the latter is what stands before it ends


def test_what_an_image_says_cannot_command_a_terminal():
    base = Base.read("evil\x1b[2J", {"CUDA_VERSION": "12.4\x1b]0;owned\x07", "LD_LIBRARY_PATH": "\r/x"})
    found = derive((Package("jax-cuda12-plugin", "0.9.2"), Package("jax", "0.9.2")), base)
    said = [item.source for item in found.evidence] + [item.text for item in found.findings]
    assert all(text.isprintable() for text in said)
    assert "\\x1b]0;owned\\x07" in " ".join(said)


def test_cuda_in_the_wheels_and_in_the_base_is_told_with_the_base_s_bytes(stack, base):
    found = stack("torch==2.9.1", "nvidia-cuda-runtime-cu12==12.8.90", base=base("12.4.1"))
    twice = finding(found, "duplicate")
    assert twice.size == 1_500_000_000
    assert "nvidia-cuda-runtime-cu12 12.8.90 (pip) is used" in twice.text
    assert "CUDA 12.4 too" in twice.text


def test_cuda_from_pip_and_from_conda_is_told_with_conda_s_bytes(package):
    packages = [
        package("nvidia-cuda-runtime-cu12==12.8.90", 1_000),
        package("conda:cuda-version==12.6", 20_000),
        package("conda:cuda-cudart==12.6.77", 200_000),
        package("conda:libcublas==12.6.4.1", 250_000_000),
        package("conda:cudnn==9.3.0.75", 300_000_000),
        package("conda:libcurl==8.0", 400_000),
        package("conda:python==3.12.0", 30_000_000),
    ]
    twice = finding(derive(packages, None), "duplicate")
    assert twice.size == 200_000 + 250_000_000 + 300_000_000
    assert "the conda packages bring it again" in twice.text


def test_cuda_once_is_no_duplicate(stack, base):
    assert kinds(stack("nvidia-cuda-runtime-cu12==12.4.127")) == []
    assert kinds(stack("numpy==2.3.0", base=base("12.4.1"))) == []
    assert "duplicate" not in kinds(stack("conda:cuda-version==12.6", "conda:cuda-cudart==12.6.77"))


def test_a_version_newer_than_the_tables_is_told_and_not_refused(stack):
    found = stack("nvidia-cuda-runtime==15.1.20")
    assert str(found.cuda) == "15.1"
    assert "newer than the tables" in finding(found, "unknown-version").text
    found = stack("nvidia-cuda-runtime-cu12==12.8.200")
    assert (str(found.cuda), found.toolkit) == ("12.8", None)
    assert "12.8.200 is not in the tables" in finding(found, "unknown-version").text


def test_a_base_with_another_cudnn_is_told(stack, base):
    packages = ("nvidia-cuda-runtime-cu12==12.4.127", "nvidia-cudnn-cu12==9.1.0.70")
    found = stack(*packages, base=base("12.4.1", NV_CUDNN_VERSION="9.8.0.87-1"))
    assert "cuDNN 9.8.0.87, the packages bring 9.1.0.70" in finding(found, "cudnn").text
    same = stack(*packages, base=base("12.4.1", NV_CUDNN_VERSION="9.1.0.70-1"))
    assert "cudnn" not in kinds(same)


def test_a_library_path_that_breaks_jax_is_told(stack, base):
    path = "/usr/local/nvidia/lib:/usr/local/nvidia/lib64"
    packages = ("jax==0.9.2", "jax-cuda12-plugin==0.9.2", "nvidia-cuda-runtime-cu12==12.9.79")
    found = stack(*packages, base=base("12.9.1", LD_LIBRARY_PATH=path))
    assert path in finding(found, "library-path").text
    assert "library-path" not in kinds(stack("torch==2.9.1", base=base("12.9.1", LD_LIBRARY_PATH=path)))


@pytest.mark.parametrize(
    ("packages", "platform", "cubins", "ptx"),
    [
        (
            ["torch==2.13.0", "nvidia-cuda-runtime==13.0.96"],
            "linux/amd64",
            "7.5 8.0 8.6 9.0 10.0 12.0",
            "12.0",
        ),
        (["torch==2.13.0", "nvidia-cuda-runtime==13.0.96"], "linux/arm64", "8.0 9.0 10.0 11.0 12.0", "12.0"),
        (
            ["torch==2.9.1+cu126", "nvidia-cuda-runtime-cu12==12.6.77"],
            "linux/amd64",
            "5.0 6.0 7.0 7.5 8.0 8.6 9.0",
            "",
        ),
        (
            ["torch==2.6.0+cu126", "nvidia-cuda-runtime-cu12==12.6.77"],
            "linux/amd64",
            "5.0 6.0 7.0 8.0 9.0",
            "",
        ),
        (["torch==2.0.1+cu118"], "linux/amd64", "3.7 5.0 6.0 7.0 8.0 9.0", ""),
        (["torch==2.7.1+cu128", "nvidia-cuda-runtime-cu12==12.8.57"], "linux/amd64", "", ""),
        (["torch==2.15.0", "nvidia-cuda-runtime==13.2.86"], "linux/amd64", "", ""),
        (["conda:pytorch==2.9.1=cuda128_py312_0"], "linux/amd64", "", ""),
    ],
)
def test_torch_s_kernels_are_those_of_its_build(stack, packages, platform, cubins, ptx):
    found = stack(*packages, platform=platform)
    assert " ".join(map(str, found.cubins)) == cubins
    assert " ".join(map(str, found.ptx)) == ptx
    assert ("unknown-kernels" in kinds(found)) is (not cubins)


def test_the_forward_compatibility_package_is_the_image_s_or_the_base_s(stack, base):
    assert stack("nvidia-cuda-runtime==13.0.96", os_packages=("git", "cuda-compat-13-0")).compat == (
        "cuda-compat-13-0"
    )
    own = base("12.4.1", NV_CUDA_COMPAT_PACKAGE="cuda-compat-12-4")
    assert stack(base=own).compat == "cuda-compat-12-4"


def test_what_is_no_version_states_nothing():
    packages = [Package("nvidia-cuda-runtime-cu12", "newest"), Package("torch", "nightly")]
    assert derive(packages, Base("x", {"CUDA_VERSION": "", "NV_CUDA_CUDART_VERSION": "?"})).cuda is None
