"""A build as a statement of in-toto with SLSA's provenance, and back."""

from __future__ import annotations

import base64
import json

import pytest

from envfreeze.digest import Digest
from envfreeze.errors import UntrustedError
from envfreeze.locking.model import (
    AptBase,
    AptIndex,
    Archive,
    Deb,
    ImageBase,
    Lock,
    Runtime,
    Source,
    Target,
    Wheel,
)
from envfreeze.oci.platform import Platform
from envfreeze.records import lines
from envfreeze.records.model import KeptFile, Snapshot, Verification
from envfreeze.records.trust import provenance
from envfreeze.records.trust.source import public
from envfreeze.replacing import replace

COMMIT = "1234567890" * 4
SOURCE = "https://git.example.org/team/train.git"


def digest(text):
    return Digest.of(text.encode())


@pytest.fixture
def record(a_record):
    lock = {"envfreeze.lock": KeptFile(digest("lock"), None)}
    return a_record(Snapshot(COMMIT, "training", False, None, lock, digest("included")))


@pytest.fixture
def lock():
    index = AptIndex("debian", "trixie", ("main",), "2026-09-12T07:55:41Z", digest("InRelease"))
    deb = Deb(
        "tzdata", "2026a-1", "all", "pool/main/t/tzdata/tzdata_2026a-1_all.deb", digest("deb"), 9, "debian"
    )
    apt = AptBase(
        "apt:debian/trixie",
        (Archive("debian", ("http://mirror.example.org/debian", "https://snapshot.example.org/debian/1")),),
        (index,),
        (deb,),
    )
    image = ImageBase(
        "nvidia/cuda:12.8.1-base-ubuntu24.04",
        digest("manifest"),
        digest("index"),
        digest("config"),
        1,
        ("docker.io/nvidia/cuda",),
        (),
        {},
    )
    fetched = Wheel(
        "alpha",
        "1.0",
        "alpha-1.0-py3-none-any.whl",
        digest("alpha"),
        1,
        "https://ada:secret@files.example.org/a",
    )
    source = Source("git", "https://git.example.org/beta", digest("beta source"), commit=COMMIT)
    built = Wheel("beta", "2.0", "beta-2.0-py3-none-any.whl", digest("beta"), 1, "git+x", source=source)
    local = Wheel(
        "gamma", "3.0", "gamma-3.0-py3-none-any.whl", digest("gamma"), 1, "file:///home/ada/gamma.whl"
    )
    target = Target(
        Platform.parse("linux/amd64"),
        "3.13.5",
        "2.41",
        "manylinux_2_40",
        apt,
        (fetched, built, local),
        image=image,
    )
    runtime = Runtime({"TOKEN": "hidden"}, {}, (), None, "", None, None)
    return Lock(1, 1, {}, None, runtime, (target, replace(target, platform=Platform.parse("linux/arm64"))))


def document(record, lock, **options):
    return json.loads(provenance.of_build(record, lock, **options))


def edited(record, lock, change):
    said = document(record, lock, source=SOURCE)
    change(said)
    return json.dumps(said).encode()


def test_it_is_a_function_of_what_it_is_made_of(record, lock):
    made = provenance.of_build(record, lock, source=SOURCE)
    assert made == provenance.of_build(record, lock, source=SOURCE)
    assert Digest.of(made).hex == "b54a8d897b21b2c2c7a13dac6c531eccdda4a668d92469ab1bc08a815aba10b9"


def test_what_is_written_is_read(record, lock):
    made = provenance.of_build(record, lock, source=SOURCE, builder="https://ci.example.org/1")
    assert provenance.parse(made, "it") == (record, "https://ci.example.org/1", SOURCE)
    assert provenance.parse(provenance.of_build(record, lock), "it").source is None


def test_it_has_what_slsa_requires(record, lock):
    said = document(record, lock, source=SOURCE)
    assert said["_type"] == "https://in-toto.io/Statement/v1"
    assert said["predicateType"] == "https://slsa.dev/provenance/v1"
    assert said["subject"] == [{"digest": {"sha256": record.digest.hex}}]
    definition, run = said["predicate"]["buildDefinition"], said["predicate"]["runDetails"]
    assert definition["buildType"] == "urn:envfreeze:build:1"
    assert definition["externalParameters"]["source"] == SOURCE
    assert run["builder"] == {"id": "urn:envfreeze:builder", "version": {"envfreeze": "0.1.0"}}
    assert run["metadata"] == {"finishedOn": record.at}
    assert base64.b64decode(run["byproducts"][0]["content"]) == lines.render(record)


def test_every_material_has_its_digest_and_stands_once(record, lock):
    materials = document(record, lock, source=SOURCE)["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert materials[0] == {
        "name": "source",
        "digest": {"gitCommit": COMMIT},
        "uri": f"git+{SOURCE}@{COMMIT}",
    }
    named = {one["name"]: (one["digest"]["sha256"], one.get("uri")) for one in materials[1:]}
    assert len(named) == len(materials) - 1
    assert named == {
        "nvidia/cuda:12.8.1-base-ubuntu24.04": (
            digest("manifest").hex,
            f"docker://docker.io/nvidia/cuda@{digest('manifest')}",
        ),
        "index debian/trixie": (digest("InRelease").hex, None),
        "tzdata_2026a-1_all.deb": (
            digest("deb").hex,
            "https://snapshot.example.org/debian/1/pool/main/t/tzdata/tzdata_2026a-1_all.deb",
        ),
        "alpha-1.0-py3-none-any.whl": (digest("alpha").hex, "https://files.example.org/a"),
        "beta-2.0-py3-none-any.whl": (digest("beta").hex, None),
        "source of beta 2.0": (digest("beta source").hex, "https://git.example.org/beta"),
        "gamma-3.0-py3-none-any.whl": (digest("gamma").hex, None),
    }


def test_no_secret_and_no_folder_of_a_machine_is_in_it(record, lock):
    made = provenance.of_build(record, lock, source=SOURCE)
    assert not any(word in made for word in (b"secret", b"hidden", b"/home/ada"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda it: it.update(predicateType="https://slsa.dev/provenance/v0.2"), "no provenance"),
        (lambda it: it.update(_type="https://in-toto.io/Statement/v0.1"), "no provenance"),
        (lambda it: it["predicate"]["buildDefinition"].update(buildType="x"), "another kind of build"),
        (lambda it: it["predicate"].pop("buildDefinition"), "no buildDefinition"),
        (lambda it: it["predicate"].pop("runDetails"), "no runDetails"),
        (lambda it: it["predicate"]["runDetails"].pop("builder"), "no builder"),
        (lambda it: it["predicate"]["runDetails"].pop("byproducts"), "holds no record"),
        (
            lambda it: it["predicate"]["runDetails"].update(byproducts=[{"name": "envfreeze.record"}]),
            "damaged",
        ),
        (lambda it: it.update(subject=[{"digest": {"sha256": "0" * 64}}]), "about other images"),
        (lambda it: it["subject"].append({"digest": {"sha256": "0" * 64}}), "about other images"),
        (lambda it: it.update(subject=[]), "about other images"),
        (lambda it: it.update(subject=None), "about other images"),
        (lambda it: it.update(predicate=[]), "no predicate"),
    ],
)
def test_a_statement_of_something_else_is_refused(record, lock, change, said):
    with pytest.raises(UntrustedError, match=said):
        provenance.parse(edited(record, lock, change), "it")


def test_a_record_of_no_build_is_refused(record, lock):
    line = lines.render(Verification(record.at, "0.1.0", record.digest, "identical", None))

    def change(said):
        product = said["predicate"]["runDetails"]["byproducts"][0]
        product["content"] = base64.b64encode(line).decode()

    with pytest.raises(UntrustedError, match="of no build"):
        provenance.parse(edited(record, lock, change), "it")


def test_what_others_add_is_passed_over(record, lock):
    def change(said):
        said["further"] = 1
        said["subject"][0]["name"] = "registry.example.org/team/train"
        said["predicate"]["runDetails"]["byproducts"].insert(0, {"name": "log"})

    assert provenance.parse(edited(record, lock, change), "it").record == record


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("https://ada:secret@git.example.org/team/train.git", SOURCE),
        ("https://token@git.example.org:8443/t?x=secret#y", "https://git.example.org:8443/t"),
        ("ssh://git@git.example.org:2222/team/train.git", "ssh://git.example.org:2222/team/train.git"),
        ("git@git.example.org:team/train.git", "ssh://git.example.org/team/train.git"),
        ("git.example.org:/team/train.git", "ssh://git.example.org/team/train.git"),
        ("/srv/git/train.git", None),
        ("../train.git", None),
        ("file:///srv/git/train.git", None),
        ("C:/git/train.git", None),
        ("https:///x", None),
        ("https://[::1/x", None),
        ("ext::sh -c evil", None),
    ],
)
def test_addresses_are_told_without_credentials(written, told):
    assert public(written) == told
