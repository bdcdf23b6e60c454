"""Indexes of images, platform by platform, with what stands beside the images in them."""

from __future__ import annotations

import json

import pytest

from envfreeze.compare.indexes import compare_all
from envfreeze.compare.model import Kind, Level
from envfreeze.errors import UsageError
from envfreeze.oci import canonical
from envfreeze.oci.image import ImageIndex, ImageValue
from envfreeze.oci.manifest import index_json, manifest_json


@pytest.fixture
def of(registry_server):
    """An image for an architecture, or an attestation."""

    def make(files, architecture="amd64", system="linux", variant=None):
        image = registry_server.image_of([files], architecture=architecture, system=system)
        if variant is None:
            return image
        config = canonical.dump(json.loads(image.config) | {"variant": variant})
        return ImageValue(manifest_json(config, image.layers), config, image.layers)

    return make


def index(*images, **further):
    raw = json.loads(index_json(images)) | further
    return ImageIndex(canonical.dump(raw), images)


def told(verdict):
    return [(one.kind, one.platform, one.path) for one in verdict.findings]


def test_each_platform_is_compared_with_its_own(of):
    arm, arm_too = of({"a": b"1"}, "arm64"), of({"a": b"2"}, "arm64")
    one, other = index(of({"a": b"1"}), arm), index(arm_too, of({"a": b"1"}))
    verdict = compare_all(one, other)
    assert (verdict.reference, verdict.rebuilt) == (one.digest, other.digest)
    assert told(verdict) == [(Kind.CONTENT, "linux/arm64", "a")]
    assert verdict.level is Level.PACKAGES


def test_equal_indexes_are_identical_and_nothing_is_read(of):
    one = index(of({"a": b"1"}), of({"a": b"1"}, "arm64"))
    assert compare_all(one, one).findings == ()


def test_variants_are_platforms_of_their_own_but_for_the_one_that_is_meant(of):
    old = index(of({"a": b"1"}, "arm", variant="v6"), of({"a": b"2"}, "arm", variant="v7"))
    new = index(of({"a": b"2"}, "arm", variant="v7"), of({"a": b"1"}, "arm", variant="v6"))
    assert compare_all(old, new).level is Level.IDENTICAL
    stated, unsaid = of({"a": b"1"}, "arm64", variant="v8"), of({"a": b"1"}, "arm64")
    assert [one[0] for one in told(compare_all(stated, unsaid))] == [Kind.PLATFORM]


def test_platforms_that_one_side_lacks_are_named(of):
    amd, arm, ppc = of({"a": b"1"}), of({"a": b"1"}, "arm64"), of({"a": b"1"}, "ppc64le")
    verdict = compare_all(index(amd, arm), index(amd, ppc))
    assert told(verdict) == [
        (Kind.PLATFORM_REMOVED, "linux/arm64", None),
        (Kind.PLATFORM_ADDED, "linux/ppc64le", None),
    ]
    assert verdict.level is Level.DIFFERENT


def test_an_image_is_compared_with_its_own_in_an_index(of):
    amd, arm = of({"a": b"1"}), of({"a": b"2"}, "arm64")
    for pair in ((arm, index(amd, arm)), (index(amd, arm), arm)):
        verdict = compare_all(*pair)
        assert verdict.level is Level.IDENTICAL
        assert verdict.reference == verdict.rebuilt == arm.digest
        assert [(one.kind, one.what) for one in verdict.findings] == [
            (Kind.INDEX, "not compared: linux/amd64")
        ]


def test_attestations_are_told_and_do_not_count(of):
    amd = of({"a": b"1"})
    first, second = (of({"proof": data}, "unknown", "unknown") for data in (b"1", b"2"))
    verdict = compare_all(index(amd, first), index(amd, second))
    assert verdict.level is Level.IDENTICAL
    assert told(verdict) == [(Kind.ATTESTATION, "", None)]
    assert "1 -> 1" in verdict.findings[0].what


def test_annotations_of_an_index_are_told(of):
    amd = of({"a": b"1"})
    verdict = compare_all(index(amd), index(amd, annotations={"org.example.a": "1"}))
    assert (verdict.level, verdict.findings[0].kind) == (Level.IDENTICAL, Kind.INDEX)


def test_images_for_other_platforms_cannot_be_compared(of):
    with pytest.raises(UsageError, match="the reference is for linux/amd64, the other image for linux/arm64"):
        compare_all(index(of({"a": b"1"})), of({"a": b"1"}, "arm64"))


def test_two_images_are_compared_whatever_they_are_for(of):
    verdict = compare_all(of({"a": b"1"}), of({"a": b"1"}, "arm64"))
    assert (verdict.level, told(verdict)) == (Level.DIFFERENT, [(Kind.PLATFORM, "", None)])
