"""Images of several platforms: each that was asked for has to have its signed bill of materials."""

from __future__ import annotations

import pytest

from envfreeze.digest import Digest
from envfreeze.errors import UntrustedError
from envfreeze.locking.model import Lock, Runtime
from envfreeze.oci.reference import Reference
from envfreeze.oci.registry.connection import Registries
from envfreeze.records.model import Record, RecordedImage, Snapshot
from envfreeze.records.sbom import cyclonedx
from envfreeze.records.sbom.model import Bill
from envfreeze.records.trust import attached, bills, envelope, keys, provenance
from envfreeze.records.trust.policy import SIGNED, Policy
from envfreeze.replacing import replace
from envfreeze.verbs import trusted

NAME = "team/train"
PAIR = keys.generate()
POLICY = Policy((PAIR.public,), level=SIGNED, sbom="any")


@pytest.fixture
def registry(registry_server):
    with registry_server.serve() as served:
        served.referrers = True
        yield served


@pytest.fixture
def images(registry_server):
    return [registry_server.image_of([{"a": b""}], architecture=one) for one in ("amd64", "arm64")]


@pytest.fixture
def index(registry, images):
    """The index of the images, whose record is signed."""
    digest = registry.push_index(images, NAME, "v1")
    made = tuple(RecordedImage(one.platform, one.digest, Digest.of(one.config), ()) for one in images)
    source = Snapshot("a" * 40, ".", False, None, {}, None)
    record = Record("2026-01-01T00:00:00Z", "native", "0.1.0", 1, digest, made, source)
    lock = Lock(1, 1, {}, None, Runtime({}, {}, (), None, "", None, None), ())
    at = Reference.parse(f"{registry.host}/{NAME}@{digest}")
    signed = envelope.sign(provenance.of_build(record, lock), PAIR)
    with Registries() as registries:
        attached.put(at, [digest, *(one.digest for one in images)], signed, (), registries=registries)
    return at


def leave(at, image):
    bill = Bill("train", image.digest, is_image=True, platform=image.platform, at="", packages=())
    signed = envelope.sign(bills.of_image(cyclonedx.write(bill), "cyclonedx", image.digest), PAIR)
    kind = bills.PREDICATES["cyclonedx"]
    with Registries() as registries:
        attached.put(at.at(image.digest), [image.digest], signed, (), predicate=kind, registries=registries)


def test_each_image_that_was_asked_for_needs_its_own(index, images, tmp_path):
    def check(at, policy=POLICY):
        return trusted.check(str(at), policy, root=tmp_path)

    with pytest.raises(UntrustedError, match=f"of {images[0].digest}, and none is attached"):
        check(index)
    leave(index, images[0])
    with pytest.raises(UntrustedError, match=f"of {images[1].digest}, and none is attached"):
        check(index)
    assert check(index.at(images[0].digest)).digest == images[0].digest
    leave(index, images[1])
    assert check(index).digest == index.digest
    with pytest.raises(UntrustedError, match="in spdx, and none that is attached to it counts"):
        check(index, replace(POLICY, sbom="spdx"))
