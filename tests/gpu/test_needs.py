"""What packages need beyond themselves."""

from __future__ import annotations

import pytest

from envfreeze.gpu.needs import compilers, cuda_need


@pytest.mark.parametrize(
    ("packages", "need"),
    [
        (("torch==2.9.1", "nvidia-cuda-runtime-cu12==12.8.90"), "nothing"),
        (("tensorflow==2.18.1", "nvidia-cuda-runtime-cu12==12.5.82"), "nothing"),
        (("tensorflow==2.18.1",), "runtime"),
        (("cupy-cuda12x==13.6.0",), "runtime"),
        (("cupy-cuda12x==13.6.0", "torch==2.9.1", "nvidia-cuda-runtime-cu12==12.8.90"), "nothing"),
        (("torch==2.9.1", "deepspeed==0.18.0", "nvidia-cuda-runtime-cu12==12.8.90"), "devel"),
        (("torch==2.9.1+cpu", "deepspeed==0.18.0"), "nothing"),
        (("numpy==2.3.0",), "nothing"),
        (("conda:pytorch==2.5.1=cuda126_0", "conda:cuda-version==12.6"), "nothing"),
    ],
)
def test_the_system_s_cuda_is_needed_where_the_packages_bring_none_or_compile(stack, package, packages, need):
    found = cuda_need(stack(*packages), [package(text) for text in packages])
    assert found.need == need
    assert bool(found.reasons) is (need != "nothing")


def test_triton_needs_a_c_compiler_and_python_s_headers(package):
    (found,) = compilers([package("torch==2.9.1"), package("triton==3.5.1")], "3.13")
    assert found.debian == ("gcc", "libc6-dev", "libpython3.13-dev")
    assert "torch.compile" in found.reason
    assert compilers([package("torch==2.9.1")], "3.13") == ()
