"""Machines from the words of a configuration and of a host."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envfreeze.errors import UsageError
from envfreeze.gpu.fleet import fleet, gpu_of
from envfreeze.gpu.model import Gpu, Machine, Version
from envfreeze.gpu.tables import load


def test_every_gpu_is_paired_with_the_oldest_driver(tables):
    found = fleet(">=550.54", ["A100", "H100", "a100"], tables)
    assert [(str(item.driver), item.gpu.name) for item in found] == [("550.54", "A100"), ("550.54", "H100")]


@pytest.mark.parametrize("text", [">=550.54", ">= 550.54", "550.54", " 550.54 "])
def test_a_driver_is_a_floor_or_a_version(text, tables):
    assert fleet(text, (), tables) == (Machine(Version((550, 54))),)


@pytest.mark.parametrize("text", ["", "new", "==550", "<=550", ">=550,<600", "550.54.x", ">=v550"])
def test_another_driver_is_refused_with_the_form_it_has(text, tables):
    with pytest.raises(UsageError, match="driver") as error:
        fleet(text, ("A100",), tables)
    assert ">=550.54" in error.value.hint


def test_nothing_said_is_no_machine(tables):
    assert fleet(None, (), tables) == ()
    assert fleet(None, ("T4",), tables)[0].driver is None


@pytest.mark.parametrize(
    ("name", "product"),
    [
        ("NVIDIA A100-SXM4-80GB", "A100"),
        ("NVIDIA A100 80GB PCIe", "A100"),
        ("NVIDIA A100-SXM4-40GB MIG 1g.5gb", "A100"),
        ("NVIDIA H100 80GB HBM3", "H100"),
        ("NVIDIA H100 NVL", "H100"),
        ("NVIDIA GH200 480GB", "GH200"),
        ("Tesla V100-SXM2-16GB", "V100"),
        ("Tesla T4", "T4"),
        ("p100", "Tesla P100"),
        ("NVIDIA GeForce RTX 4090", "GeForce RTX 4090"),
        ("NVIDIA GeForce RTX 4090 Laptop GPU", "GeForce RTX 4090"),
        ("rtx4090", "GeForce RTX 4090"),
        ("4090", "GeForce RTX 4090"),
        ("RTX 5070 Ti", "GeForce RTX 5070 Ti"),
        ("NVIDIA GeForce GTX 1080 Ti", "GeForce GTX 1080 Ti"),
        ("NVIDIA RTX A6000", "RTX A6000"),
        ("NVIDIA RTX 6000 Ada Generation", "RTX 6000 Ada"),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition", "RTX PRO 6000 Blackwell Server"),
        ("NVIDIA RTX PRO 6000 Blackwell Workstation Edition", "RTX PRO 6000 Blackwell Workstation"),
        ("NVIDIA GB10", "GB10 (DGX Spark)"),
        ("dgx spark", "GB10 (DGX Spark)"),
        ("Jetson AGX Orin", "Jetson AGX Orin"),
    ],
)
def test_a_gpu_goes_by_the_names_that_people_and_nvml_have_for_it(name, product, tables):
    (machine,) = fleet(None, (name,), tables)
    assert machine.gpu.name == product


@pytest.mark.parametrize("name", ["A101", "RTX 4091", "3080 Ti", "A10G", "L40X", "", "NVIDIA"])
def test_an_unknown_name_is_refused_and_a_capability_offered(name, tables):
    with pytest.raises(UsageError, match="not a GPU") as error:
        fleet(None, (name,), tables)
    assert 'compute capability such as "8.0"' in error.value.hint


def test_the_nearest_names_are_given(tables):
    with pytest.raises(UsageError) as error:
        fleet(None, ("RTX 4091",), tables)
    assert "did you mean GeForce RTX 4090" in error.value.hint


def test_a_capability_is_a_gpu_of_no_kind(tables):
    (machine,) = fleet(None, ("9.0",), tables)
    assert machine.gpu == Gpu("compute capability 9.0", Version((9, 0)))


def test_a_host_s_gpu_keeps_its_name_and_what_it_says_of_itself(tables):
    found = gpu_of("NVIDIA A100-SXM4-80GB", Version((8, 0)), tables=tables)
    assert found == Gpu("NVIDIA A100-SXM4-80GB", Version((8, 0)), "datacenter", "nvidia")
    assert gpu_of("NVIDIA A100-SXM4-80GB", brand="tesla").brand == "tesla"


def test_a_host_s_unknown_gpu_stays_unknown(tables):
    assert gpu_of("NVIDIA Z9000", tables=tables) == Gpu("NVIDIA Z9000", None)
    assert gpu_of("NVIDIA Z9000", Version((14, 0))) == Gpu("NVIDIA Z9000", Version((14, 0)))


@given(st.text())
def test_any_name_of_a_host_is_taken(name):
    assert gpu_of(name, tables=load()).name == name


@pytest.mark.parametrize("product", load().products, ids=lambda row: row.name)
def test_every_product_is_found_by_its_own_name(product, tables):
    assert gpu_of(f"NVIDIA {product.name.partition('(')[0]}", tables=tables).capability == product.capability
