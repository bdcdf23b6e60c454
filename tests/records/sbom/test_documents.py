"""Bills of materials of locks: complete, the same bytes each time, and what the formats' own tools accept."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from envfreeze.digest import Digest
from envfreeze.oci.platform import Platform
from envfreeze.records.sbom import cyclonedx, of_lock, purl, spdx
from envfreeze.records.sbom.joined import joined
from envfreeze.records.sbom.model import Bill, Key, Licence, Package
from envfreeze.replacing import replace

GOLDEN = {
    "cyclonedx": "sha256:c4639c0ce7795bff9a587e6ef605a8f720d030104bc4c47a2ac736b984c8e7e2",
    "spdx": "sha256:2f19ab3b6657b2587ac80ff3d8c2946902e1ebcb2a52a2312c98beee4c09332c",
}
WRITERS = {"cyclonedx": cyclonedx, "spdx": spdx}


@pytest.fixture
def bill(lock, target):
    return of_lock.bill(lock, target, name="train", digest=Digest.of(b"lock"))


@pytest.mark.parametrize("form", WRITERS)
def test_a_lock_s_bill_is_accepted_and_always_the_same(bill, judged, form, monkeypatch):
    monkeypatch.setattr(cyclonedx, "__version__", "0.1.0")
    monkeypatch.setattr(spdx, "__version__", "0.1.0")
    document = WRITERS[form].write(bill)
    assert judged(document) == []
    assert str(Digest.of(document)) == GOLDEN[form]
    shuffled = replace(bill, facts=dict(reversed(bill.facts.items())))
    assert WRITERS[form].write(shuffled) == document


def test_every_side_is_in_it_with_hashes_purls_and_what_it_needs(bill):
    document = json.loads(cyclonedx.write(bill))
    found = {one["purl"]: one for one in document["components"]}
    assert set(found) == {
        "pkg:conda/numpy@2.3.0?build=py313_0&channel=conda-forge&subdir=linux-64&type=conda",
        "pkg:deb/debian/libc6@2.41-12?arch=amd64&distro=trixie",
        "pkg:deb/debian/libstdc%2B%2B6@14.2.0-19?arch=amd64&distro=trixie",
        "pkg:pypi/nvidia-cublas-cu12@12.8.4.1",
        "pkg:pypi/torch@2.8.0%2Bcu128",
    }
    torch = found["pkg:pypi/torch@2.8.0%2Bcu128"]
    assert torch["hashes"] == [{"alg": "SHA-256", "content": Digest.of(b"torch").hex}]
    needs = {one["ref"]: one.get("dependsOn") for one in document["dependencies"]}
    assert needs[torch["bom-ref"]] == ["pip:nvidia-cublas-cu12@12.8.4.1"]
    assert needs["os:libstdc++6@14.2.0-19"] == ["os:libc6@2.41-12"]
    about = document["metadata"]["component"]
    assert {"name": "envfreeze:cuda", "value": "12.8"} in about["properties"]
    assert document["metadata"]["timestamp"] == "2026-09-12T07:55:41Z"


def test_spdx_has_the_same_packages_and_relationships(bill):
    document = json.loads(spdx.write(bill))
    ids = {one["name"]: one["SPDXID"] for one in document["packages"]}
    assert ids["train"] == "SPDXRef-subject"
    relations = {
        (one["spdxElementId"], one["relationshipType"], one["relatedSpdxElement"])
        for one in document["relationships"]
    }
    assert ("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-subject") in relations
    assert (ids["torch"], "DEPENDS_ON", ids["nvidia-cublas-cu12"]) in relations
    assert sum(kind == "CONTAINS" for _, kind, _ in relations) == 5


def test_the_identity_of_a_document_is_made_of_what_it_says(bill):
    first = json.loads(cyclonedx.write(bill))["serialNumber"]
    assert first.startswith("urn:uuid:")
    assert json.loads(cyclonedx.write(replace(bill, name="other")))["serialNumber"] != first
    other = replace(bill.packages[0], licence=Licence("MIT"))
    changed = replace(bill, packages=(other, *bill.packages[1:]))
    assert (
        json.loads(spdx.write(changed))["documentNamespace"]
        != json.loads(spdx.write(bill))["documentNamespace"]
    )


def test_another_process_with_other_hashes_writes_the_same():
    script = """
from envfreeze.digest import Digest
from envfreeze.oci.platform import Platform
from envfreeze.records.sbom import cyclonedx, licences, spdx
from envfreeze.records.sbom.model import Bill, Key, Package

licence = licences.of_debian(["GPL-2+ and odd", "Expat", "a or b"])
packages = tuple(Package(Key("os", name, "1"), f"pkg:deb/d/{name}@1", licence=licence) for name in "abc")
moment, platform = "1980-01-02T00:00:00Z", Platform("linux", "amd64")
bill = Bill("n", Digest.of(b""), True, platform, moment, packages)
print(Digest.of(cyclonedx.write(bill) + spdx.write(bill)))
"""
    said = {
        subprocess.run(
            [sys.executable, "-c", script],
            env=os.environ | {"PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=12)
NAME = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
LICENCES = st.sampled_from(
    [Licence("MIT"), Licence("GPL-2.0-or-later AND LicenseRef-debian-odd"), Licence()]
) | st.lists(TEXT.filter(str.strip), min_size=1, max_size=2, unique=True).map(
    lambda names: Licence(names=tuple(names))
)


@st.composite
def packages(draw):
    name, version = draw(NAME), draw(NAME)
    return Package(
        Key(draw(st.sampled_from(["pip", "os", "conda"])), name, version),
        purl.pypi(name, version, {"vcs_url": draw(TEXT.map(str.strip))}),
        digest=draw(st.none() | st.just(Digest.of(b"x"))),
        url=draw(st.none() | st.just("https://example.org/a")),
        licence=draw(LICENCES),
        homepage=draw(st.none() | st.just("https://example.org/")),
    )


# Not shrunk: that would take minutes with these judges.
@settings(max_examples=12, deadline=None, phases=[Phase.generate])
@given(st.lists(packages(), max_size=4, unique_by=lambda one: one.key))
def test_whatever_packages_say_the_documents_are_valid(judged, found):
    bill = Bill(
        "any",
        Digest.of(b"any"),
        is_image=True,
        platform=Platform.parse("linux/arm64"),
        at="1980-01-02T00:00:00Z",
        packages=tuple(sorted(found, key=lambda one: one.key)),
    )
    for writer in WRITERS.values():
        assert judged(writer.write(bill)) == []


def test_an_image_gets_what_only_its_lock_knows(bill):
    seen = [
        replace(one, digest=None, url=None, needs=(), requested=None, licence=Licence("MIT"))
        for one in bill.packages
        if one.key.name != "libc6"
    ]
    seen.append(Package(Key("os", "added", "1"), "pkg:deb/debian/added@1"))
    image = replace(bill, is_image=True, packages=tuple(sorted(seen, key=lambda one: one.key)), facts={})
    both = joined(image, bill)
    found = {one.key.name: one for one in both.packages}
    assert set(found) == {"added", "libstdc++6", "numpy", "nvidia-cublas-cu12", "torch"}
    assert found["torch"].digest == Digest.of(b"torch")
    assert found["torch"].licence == Licence("MIT")
    assert found["libstdc++6"].needs == ()  # libc6 is not there
    assert both.facts["envfreeze:lock"] == str(bill.subject)
    assert both.facts["envfreeze:cuda"] == "12.8"
