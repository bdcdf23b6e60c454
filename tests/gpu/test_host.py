"""The probe, through the real binding, against a library that reports what each test chooses."""

from __future__ import annotations

import os

import pytest

from envfreeze.gpu import host
from envfreeze.gpu.host import HostGpu
from envfreeze.gpu.model import Version

A100 = "NVIDIA A100-SXM4-40GB|8.0|14|42949672960|6912|0"
H100 = "NVIDIA H100 80GB HBM3|9.0|14|85899345920|16896|0"
RTX = "NVIDIA GeForce RTX 4090|8.9|5|25757220864|16384|0"


@pytest.fixture
def nowhere(tmp_path):
    """A machine's root without a driver or a GPU."""
    return tmp_path / "root"


@pytest.fixture
def probe(nvml, monkeypatch, nowhere):
    def run(*arguments, root=nowhere, **wishes):
        for name, value in nvml(*arguments, **wishes).items():
            monkeypatch.setenv(name, value)
        return host.probe(patience=10, root=root)

    return run


@pytest.fixture
def machine(nowhere):
    """Write what the kernel says of a machine's driver and devices."""

    def make(module=None, gpu=False):
        if module:
            version = nowhere / "proc/driver/nvidia/version"
            version.parent.mkdir(parents=True)
            version.write_text(
                f"NVRM version: NVIDIA UNIX x86_64 Kernel Module  {module}  Thu Feb 22 01:44:30 UTC 2024\n"
                "GCC version:  gcc version 12.2.0 (Debian 12.2.0-14)\n"
            )
        if gpu:
            device = nowhere / "sys/bus/pci/devices/0000:17:00.0"
            device.mkdir(parents=True)
            (device / "vendor").write_text("0x10de\n")
            (device / "class").write_text("0x030200\n")
        return nowhere

    return make


def test_driver_and_gpus_are_told_as_the_driver_tells_them(probe):
    found = probe("550.54.15", 12040, [A100, RTX])
    assert found.state == "answers"
    assert (found.version, found.driver) == ("550.54.15", Version.parse("550.54.15"))
    assert found.cuda == Version.parse("12.4")
    assert found.gpus == (
        HostGpu(0, "NVIDIA A100-SXM4-40GB", Version((8, 0)), "nvidia", 42949672960, 108),
        HostGpu(1, "NVIDIA GeForce RTX 4090", Version((8, 9)), "geforce", 25757220864, 128),
    )
    assert found.problems == ()


def test_machines_are_one_for_each_kind_of_gpu(probe):
    found = host.machines(probe("580.65.06", 13000, [H100, A100, H100]))
    assert [(one.gpu.name, str(one.gpu.capability), one.gpu.brand) for one in found] == [
        ("NVIDIA H100 80GB HBM3", "9.0", "nvidia"),
        ("NVIDIA A100-SXM4-40GB", "8.0", "nvidia"),
    ]
    assert {(one.driver, one.cuda) for one in found} == {(Version.parse("580.65.06"), Version.parse("13.0"))}


def test_a_gpu_cut_into_instances_says_so_and_has_fewer_multiprocessors(probe):
    (gpu,) = probe("550.54.15", 12040, ["NVIDIA A100-SXM4-40GB|8.0|14|42949672960|6912|42"]).gpus
    assert (gpu.mig, gpu.multiprocessors) == (True, 42)


def test_multiprocessors_of_a_capability_that_nobody_knows_are_not_guessed(probe):
    (gpu,) = probe("999.1", 20000, ["NVIDIA X|13.7|99|1|8192|0"]).gpus
    assert gpu == HostGpu(0, "NVIDIA X", Version((13, 7)), None, 1, None)


def test_a_version_with_a_minor_of_two_digits_is_read_right(probe):
    assert str(probe("999.1", 12100, [A100]).cuda) == "12.10"


def test_an_old_library_without_later_functions_answers_all_the_same(probe):
    found = probe("390.157", 9010, ["Tesla P100-PCIE-16GB|6.0|2|17071734784|3584|0"], old=True)
    assert (found.version, str(found.cuda)) == ("390.157", "9.1")
    (gpu,) = found.gpus
    assert (gpu.brand, gpu.memory, gpu.multiprocessors, gpu.mig) == ("tesla", 17071734784, None, False)
    assert found.problems == ()


def test_names_that_are_no_text_are_left_out_and_told(probe):
    found = probe("N/A", 12040, ["NVIDIA \udcff|8.0|14|1|0|0"])
    (gpu,) = found.gpus
    assert (found.version, found.driver, gpu.name) == ("", None, None)
    assert found.problems[0].startswith("GPU 0, name: ")
    assert host.machines(found)[0].gpu.name == "GPU 0"


def test_what_a_library_writes_to_stdout_does_not_matter(probe):
    assert probe("550.54.15", 12040, [A100], fail="nvmlShutdown=-3").version == "550.54.15"


def test_no_gpu_is_an_answer(probe):
    found = probe("550.54.15", 12040)
    assert (found.state, found.gpus) == ("answers", ())
    assert found.problems == ("the driver sees no GPU",)
    assert "--gpus" in found.hint
    (machine,) = host.machines(found)
    assert (str(machine.driver), machine.gpu) == ("550.54.15", None)


def test_a_gpu_that_is_lost_is_named_and_the_others_are_told(probe):
    found = probe("550.54.15", 12040, [A100, H100], fail="nvmlDeviceGetHandleByIndex_v2:0=15")
    assert [gpu.index for gpu in found.gpus] == [1]
    assert found.problems == ("GPU 0: GPU is lost",)
    assert "nvidia-smi" in found.hint


@pytest.mark.parametrize(
    "function",
    [
        "nvmlSystemGetDriverVersion",
        "nvmlSystemGetCudaDriverVersion_v2",
        "nvmlDeviceGetCount_v2",
        "nvmlDeviceGetHandleByIndex_v2",
        "nvmlDeviceGetName",
        "nvmlDeviceGetCudaComputeCapability",
        "nvmlDeviceGetBrand",
        "nvmlDeviceGetMemoryInfo",
        "nvmlDeviceGetNumGpuCores",
        "nvmlDeviceGetMigMode",
        "nvmlShutdown",
    ],
)
def test_an_error_at_any_point_leaves_what_was_told(probe, function):
    found = probe("550.54.15", 12040, [A100], fail=f"{function}=12345")
    assert found.state == "answers"
    assert found.driver is not None or function == "nvmlSystemGetDriverVersion"
    assert found.gpus or found.problems


def test_a_driver_that_gives_no_version_is_asked_of_the_kernel(probe, machine):
    found = probe("", 12040, [A100], fail="nvmlSystemGetDriverVersion=999", root=machine("550.54.15"))
    assert found.driver == Version.parse("550.54.15")
    assert found.problems == ("the driver's version: Unknown Error",)


def test_library_and_module_of_different_versions_ask_for_a_reboot(probe, machine):
    found = probe(fail="nvmlInitWithFlags=18", root=machine("550.54.15", gpu=True))
    assert found.state == "mismatch"
    assert found.driver == Version.parse("550.54.15")
    assert "the kernel module is 550.54.15" in found.problems[0]
    assert "reboot" in found.hint


@pytest.mark.parametrize(
    ("code", "state", "words"),
    [
        (9, "no-driver", "its kernel module is not loaded"),
        (4, "no-permission", "refuses this user"),
        (999, "failed", "NVML failed: Unknown Error"),
        (777, "failed", "NVML failed: error 777"),
    ],
)
def test_a_library_that_does_not_start_says_why(probe, code, state, words):
    found = probe(fail=f"nvmlInitWithFlags={code}")
    assert found.state == state
    assert words in found.problems[0]
    assert found.hint
    assert found.gpus == ()


def test_a_library_that_crashes_takes_nothing_with_it(probe):
    found = probe("550.54.15", 12040, [A100], fail="nvmlDeviceGetName=-1")
    assert found.state == "crashed"
    assert "SIGABRT" in found.problems[0]


def test_a_driver_that_hangs_is_not_waited_for(nvml, monkeypatch, nowhere):
    for name, value in nvml("550.54.15", 12040, [A100], fail="nvmlInitWithFlags=-2").items():
        monkeypatch.setenv(name, value)
    found = host.probe(patience=0.5, root=nowhere)
    assert found.state == "hangs"
    assert "no answer within 0.5 s" in found.problems[0]


def test_a_library_that_cannot_be_loaded_is_told_apart_from_none(tmp_path, monkeypatch, nowhere):
    (tmp_path / "libnvidia-ml.so.1").write_bytes(b"not a library")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    found = host.probe(root=nowhere)
    assert found.state == "bad-library"
    assert "cannot be loaded" in found.problems[0]


@pytest.fixture
def without_nvml(need, monkeypatch):
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    need("no-nvml", not os.path.exists("/dev/nvidiactl"), "this machine has a driver")  # noqa: PTH110


@pytest.mark.usefixtures("without_nvml")
def test_no_library_on_a_machine_without_a_gpu_is_no_mistake(machine):
    found = host.probe(root=machine())
    assert (found.state, found.hint) == ("no-library", "")
    assert found.problems == ("there is no NVIDIA driver on this machine: no libnvidia-ml.so.1",)
    (only,) = host.machines(found)
    assert (only.driver, only.gpu, only.cuda) == (None, None, None)


@pytest.mark.usefixtures("without_nvml")
def test_no_library_beside_a_gpu_asks_for_the_driver(machine):
    found = host.probe(root=machine(gpu=True))
    assert found.problems == ("there is an NVIDIA GPU and no driver: no libnvidia-ml.so.1",)
    assert found.hint == "install NVIDIA's driver"


@pytest.mark.usefixtures("without_nvml")
def test_no_library_beside_a_kernel_module_is_a_container_without_gpus(machine):
    found = host.probe(root=machine("535.183.01", gpu=True))
    assert found.version == "535.183.01"
    assert "the kernel module is 535.183.01" in found.problems[0]
    assert "--gpus" in found.hint


def test_an_open_kernel_module_s_version_is_read_too(nowhere):
    version = nowhere / "proc/driver/nvidia/version"
    version.parent.mkdir(parents=True)
    version.write_text(
        "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build  (dvs-builder)\n"
    )
    assert host.kernel_module(nowhere) == "580.65.06"


def test_another_vendor_s_gpu_is_none_of_nvidia_s(nowhere):
    device = nowhere / "sys/bus/pci/devices/0000:00:02.0"
    device.mkdir(parents=True)
    (device / "vendor").write_text("0x8086\n")
    (device / "class").write_text("0x030000\n")
    assert not host.has_gpu(nowhere)
