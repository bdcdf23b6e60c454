"""The plan of layers: a change of one package is a change of one layer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envfreeze.digest import Digest
from envfreeze.errors import UntrustedError, UsageError
from envfreeze.layers.plan import (
    CONDA_BUCKETS,
    DEB_BUCKETS,
    LARGE,
    MOST_LARGE_CONDA,
    MOST_LARGE_WHEELS,
    WHEEL_BUCKETS,
    check_plan,
    plan,
)
from envfreeze.locking.model import AptBase, CondaPackage, Deb, ImageBase, ImageLayer, Target, Wheel
from envfreeze.oci.platform import Platform
from envfreeze.replacing import replace

OVERLAY_LIMIT = 127


def target(debs, wheels, conda=None):
    packages = tuple(
        Deb(name, "1", "amd64", f"pool/{name}.deb", Digest.of(name.encode()), size, "debian")
        for name, size in sorted(debs.items())
    )
    base = AptBase("apt:debian/trixie", (), (), packages)
    locked = tuple(
        Wheel(name, "1", f"{name}-1-py3-none-any.whl", Digest.of(name.encode()), size, "")
        for name, size in sorted(wheels.items())
    )
    channel = "https://conda.example.org/channel"
    from_conda = tuple(
        CondaPackage(
            *(name, "1", "0", 0, "linux-64", channel, f"{name}-1-0.conda"),
            *(Digest.of(name.encode()), None, size, f"{channel}/linux-64/{name}-1-0.conda"),
        )
        for name, size in sorted((conda or {}).items())
    )
    planned = Target(Platform.parse("linux/amd64"), "3.13.5", "2.41", "manylinux_2_40", base, locked)
    return replace(planned, conda=from_conda)


names = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=12)
sizes = st.one_of(st.integers(0, LARGE - 1), st.integers(LARGE, 1 << 30))
packages = st.dictionaries(names, sizes, max_size=120)


@given(packages, packages, packages)
def test_every_package_is_in_exactly_one_layer(debs, wheels, conda):
    layers = plan(target(debs, wheels, conda))
    for kind, expected in (("debs", debs), ("wheels", wheels), ("conda", conda)):
        planned = [name for layer in layers if layer.kind == kind for name in layer.packages]
        assert sorted(planned) == sorted(expected)


@given(packages, packages, packages)
def test_layers_have_unique_names_and_stay_below_the_limit_of_overlay(debs, wheels, conda):
    layers = plan(target(debs, wheels, conda))
    assert len({layer.name for layer in layers}) == len(layers)
    assert len(layers) < OVERLAY_LIMIT - 10


@given(packages, names)
def test_a_small_package_that_comes_changes_one_layer(wheels, name):
    before = set(plan(target({}, {other: size for other, size in wheels.items() if other != name})))
    after = set(plan(target({}, {**wheels, name: 10})))
    assert len(after - before) == 1
    assert len(before - after) <= 1


@given(packages, packages)
def test_the_order_is_os_then_system_then_conda_then_wheels_then_environment(wheels, conda):
    kinds = [layer.kind for layer in plan(target({"a": 1, "b": LARGE}, wheels, conda))]
    order = ["debs", "system", "conda", "wheels", "environment"]
    assert kinds == sorted(kinds, key=order.index)


def test_a_large_package_has_a_layer_of_its_own():
    layers = plan(target({}, {"torch": LARGE, "six": LARGE - 1}))
    assert [layer.packages for layer in layers if layer.name == "wheel-torch"] == [("torch",)]


def test_only_so_many_large_packages_have_layers_of_their_own():
    many = {f"package-{number}": LARGE + number for number in range(MOST_LARGE_WHEELS + 30)}
    layers = [layer for layer in plan(target({}, many)) if layer.kind == "wheels"]
    assert sum(layer.name.startswith("wheel-") for layer in layers) == MOST_LARGE_WHEELS
    assert len(layers) <= MOST_LARGE_WHEELS + WHEEL_BUCKETS


def test_large_conda_packages_count_among_the_large_wheels():
    conda = {f"conda-{number}": LARGE for number in range(MOST_LARGE_CONDA + 3)}
    wheels = {f"wheel-{number}": LARGE for number in range(MOST_LARGE_WHEELS)}
    layers = plan(target({}, wheels, conda))
    alone = [layer.kind for layer in layers if layer.name.startswith(("wheel-wheel-", "conda-conda-"))]
    assert alone.count("conda") == MOST_LARGE_CONDA
    assert len(alone) == MOST_LARGE_WHEELS


def test_a_conda_package_named_like_a_bucket_has_no_layer_of_its_own():
    layers = plan(target({}, {}, {"03": LARGE, "zlib": 1}))
    assert (
        "03" in next(layer for layer in layers if layer.kind == "conda" and "03" in layer.packages).packages
    )
    assert len({layer.name for layer in layers}) == len(layers)


def test_buckets_are_part_of_writer_version_1():
    # Golden: another bucket for a package is another image for everyone who has it.
    small = dict.fromkeys(("numpy", "six", "torch", "typing-extensions"), 1)
    layers = plan(target({"bash": 1, "perl-base": 1}, small, {"numpy": 1, "python": LARGE, "_x86_64": 1}))
    assert {layer.name: layer.packages for layer in layers if layer.packages} == {
        "debs-02": ("bash", "perl-base"),
        "conda-python": ("python",),
        "conda-02": ("numpy",),
        "conda-04": ("_x86_64",),
        "wheels-04": ("typing-extensions",),
        "wheels-06": ("six",),
        "wheels-09": ("torch",),
        "wheels-10": ("numpy",),
    }
    assert (DEB_BUCKETS, CONDA_BUCKETS, WHEEL_BUCKETS) == (8, 8, 16)


def test_a_plan_that_leaves_a_package_out_is_refused():
    whole = target({"bash": 1}, {"six": 1, "torch": LARGE})
    check_plan(replace(whole, layers=plan(whole)))
    with pytest.raises(UntrustedError, match="plan of layers"):
        check_plan(replace(whole, layers=plan(whole)[:-2]))


def on_image(made, layers):
    one = ImageLayer(Digest.of(b"blob"), Digest.of(b"tar"), 1, "application/vnd.oci.image.layer.v1.tar+gzip")
    image = ImageBase("team/base:1", one.digest, None, one.digest, 2, (), (one,) * layers, {})
    return replace(made, image=image)


@given(packages, packages, packages, st.integers(1, 91))
def test_with_the_layers_of_an_image_there_are_still_as_many_as_overlay_takes(debs, wheels, conda, below):
    layers = plan(on_image(target(debs, wheels, conda), below))
    assert below + len(layers) + 1 < OVERLAY_LIMIT
    assert ("system" in [layer.name for layer in layers]) == bool(debs)


def test_many_large_packages_on_an_image_of_many_layers_share_buckets():
    large = {f"p{number}": LARGE for number in range(200)}
    for below in (1, 19, 20, 67, 68, 91):
        layers = plan(on_image(target(large, large, large), below))
        assert below + len(layers) + 1 < OVERLAY_LIMIT
        assert {name for layer in layers for name in layer.packages} == large.keys()
    assert plan(on_image(target(large, large), 19)) == plan(target(large, large))


def test_an_image_of_too_many_layers_is_refused():
    with pytest.raises(UsageError, match="has 92 layers, 1 too many"):
        plan(on_image(target({}, {}), 92))
