"""Stacks and machines in few words."""

from __future__ import annotations

import pytest

from envfreeze.gpu import tables as gpu_tables
from envfreeze.gpu.derivation import derive
from envfreeze.gpu.fleet import fleet
from envfreeze.gpu.model import Base, Package


@pytest.fixture(scope="session")
def tables():
    return gpu_tables.load()


@pytest.fixture(scope="session")
def package():
    """`torch==2.9.1`, `conda:pytorch==2.5.1=cuda126_py312_0`."""

    def read(text, size=None):
        side, colon, rest = text.rpartition("conda:")
        name, _, version = rest.partition("==")
        version, _, build = version.partition("=")
        return Package(name, version, "conda" if colon and not side else "pip", build, size)

    return read


@pytest.fixture(scope="session")
def base(tables):
    """NVIDIA's runtime image of a release, with what the tables know of its environment."""

    def of(release, **more):
        demand = max((row for row in tables.demands if str(row.cuda) == release), key=lambda row: len(row.os))
        cudart = next(row.cudart for row in tables.cudarts if str(row.cuda) == release)
        env = {
            "CUDA_VERSION": release,
            "NV_CUDA_CUDART_VERSION": f"{cudart}-1",
            "NVIDIA_REQUIRE_CUDA": demand.text,
            **more,
        }
        return Base(f"nvidia/cuda:{release}-runtime-ubuntu22.04", env, 1_500_000_000)

    return of


@pytest.fixture(scope="session")
def stack(package):
    def of(*packages, base=None, platform="linux/amd64", **more):
        return derive([package(text) for text in packages], base, platform=platform, **more)

    return of


@pytest.fixture(scope="session")
def machine(tables):
    """One driver with one GPU, either may be None."""

    def of(driver=None, gpu=None):
        (found,) = fleet(driver, () if gpu is None else (gpu,), tables)
        return found

    return of
