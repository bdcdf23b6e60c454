"""A target as the GPU rules see it."""

from __future__ import annotations

from envfreeze.digest import Digest
from envfreeze.gpu.model import Base, Package, Version
from envfreeze.locking.gpu import packages_of, stack_of
from envfreeze.locking.model import AptBase, CondaPackage, Deb, Target, Wheel
from envfreeze.oci.platform import Platform
from envfreeze.replacing import replace

NOTHING = Digest.of(b"")


def wheel(name, version, **changes):
    return Wheel(name, version, f"{name}.whl", NOTHING, 10, "https://example.org/x.whl", **changes)


def conda(name, version, build):
    return CondaPackage(
        name=name,
        version=version,
        build=build,
        build_number=0,
        subdir="linux-64",
        channel="https://conda.example.org/main",
        filename=f"{name}.conda",
        digest=NOTHING,
        md5=None,
        size=20,
        url="https://conda.example.org/main/x.conda",
    )


def target(*, wheels=(), packages=(), debs=(), platform="linux/amd64"):
    base = AptBase("apt:debian/trixie", (), (), tuple(debs))
    return Target(
        platform=Platform.parse(platform),
        python="3.13.5",
        glibc="2.41",
        manylinux="manylinux_2_40",
        base=base,
        wheels=tuple(wheels),
        conda=tuple(packages),
    )


def test_both_sides_are_packages_with_what_the_rules_look_at():
    index = "https://wheels.example.org/cu128"
    made = target(
        wheels=[wheel("torch", "2.9.0+cu128", index=index)],
        packages=[conda("pytorch", "2.6.0", "cuda126_py312_200")],
    )
    assert packages_of(made) == (
        Package("torch", "2.9.0+cu128", size=10, index=index),
        Package(
            "pytorch",
            "2.6.0",
            side="conda",
            build="cuda126_py312_200",
            size=20,
            index="https://conda.example.org/main",
        ),
    )


def test_a_target_s_cuda_is_what_its_runtime_package_states():
    stack = stack_of(target(wheels=[wheel("nvidia-cuda-runtime-cu12", "12.4.127"), wheel("torch", "2.6.0")]))
    assert (stack.cuda, stack.runtime) == (Version.parse("12.4"), Version.parse("12.4.127"))
    assert [package.name for package in stack.frameworks] == ["torch"]


def test_a_target_without_cuda_runs_on_the_cpu():
    assert stack_of(target(wheels=[wheel("numpy", "2.3.0")])).cuda is None


def test_os_packages_are_looked_at_for_forward_compatibility():
    deb = Deb("cuda-compat-13-0", "580.95.05-1", "amd64", "x.deb", NOTHING, 1, "nvidia")
    made = target(wheels=[wheel("nvidia-cuda-runtime", "13.0.96")], debs=[deb])
    assert stack_of(made).compat == "cuda-compat-13-0"
    assert stack_of(replace(made, base=replace(made.base, packages=()))).compat == ""


def test_a_base_image_is_taken_as_it_is():
    base = Base("nvidia/cuda:12.8.1-base-ubuntu24.04", {"CUDA_VERSION": "12.8.1"})
    stack = stack_of(target(wheels=[wheel("numpy", "2.3.0")]), base=base)
    assert (stack.base, stack.cuda, stack.toolkit) == (base, Version.parse("12.8"), Version.parse("12.8.1"))
