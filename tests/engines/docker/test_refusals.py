"""A builder that would ignore what is asked is refused, and the refusal says the way out."""

from __future__ import annotations

import pytest

from envfreeze.engines.docker.builder import Builder
from envfreeze.engines.docker.daemon import Daemon
from envfreeze.engines.docker.refusals import check
from envfreeze.errors import MachineError, UsageError
from envfreeze.oci.platform import Platform
from envfreeze.replacing import replace

AMD, ARM = map(Platform.parse, Platform.SUPPORTED)
GOOD = Daemon("28.5.2", containerd=True, store="overlayfs")
BUILT_IN = Builder("default", "docker", None, frozenset({"linux/amd64"}), GOOD)
OWN = Builder("team", "docker-container", "0.25.0", frozenset({"linux/amd64", "linux/arm64"}))


@pytest.mark.parametrize(
    "builder", [BUILT_IN, OWN, replace(OWN, buildkit=None), replace(OWN, buildkit="0.13.0")]
)
def test_a_builder_that_does_what_is_asked_is_taken(builder):
    check(builder, (AMD,))


@pytest.mark.parametrize(
    ("builder", "why", "way_out"),
    [
        (
            replace(BUILT_IN, daemon=replace(GOOD, containerd=False, store="overlay2")),
            "classic store (overlay2)",
            "containerd-snapshotter",
        ),
        (
            replace(BUILT_IN, daemon=replace(GOOD, version="25.0.5")),
            "Docker 25.0.5 has a BuildKit",
            "Docker 26",
        ),
        (replace(OWN, buildkit="0.12.5"), "runs BuildKit 0.12.5", "docker buildx create"),
    ],
)
def test_one_that_would_ignore_it_is_refused(builder, why, way_out):
    with pytest.raises(MachineError) as caught:
        check(builder, (AMD,))
    assert why in caught.value.message
    assert way_out in caught.value.hint
    assert "--engine native needs no builder" in caught.value.hint


def test_a_daemon_of_no_known_version_is_tried():
    check(replace(BUILT_IN, daemon=replace(GOOD, version="unknown")), (AMD,))


def test_a_platform_that_it_does_not_build_for_is_refused():
    with pytest.raises(UsageError, match="builds for linux/amd64, not for linux/arm64"):
        check(BUILT_IN, (AMD, ARM))
    check(OWN, (AMD, ARM))


def test_a_cache_inside_the_image_is_refused():
    with pytest.raises(UsageError, match="changes its digest") as caught:
        check(OWN, (AMD,), ("mode=max,type=inline",))
    assert "type=registry" in caught.value.hint
    check(OWN, (AMD,), ("type=registry,ref=r.example/c",))


def test_what_built_is_told_with_its_versions():
    assert BUILT_IN.tools == {"driver": "docker", "docker": "28.5.2"}
    assert OWN.tools == {"driver": "docker-container", "buildkit": "0.25.0"}
