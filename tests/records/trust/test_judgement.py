"""Signed builds against policies."""

from __future__ import annotations

import pytest

from envfreeze.digest import Digest
from envfreeze.errors import AnswerIsNoError, UntrustedError
from envfreeze.locking.model import AptBase, ImageBase, Lock, Runtime, Target
from envfreeze.oci.platform import Platform
from envfreeze.records.model import Snapshot
from envfreeze.records.trust import envelope, judgement, keys, provenance
from envfreeze.records.trust.attached import Found
from envfreeze.records.trust.policy import Policy
from envfreeze.replacing import replace

ADA, EVE = keys.generate(), keys.generate()
COMMIT = "1" * 40
RUNTIME = Runtime({}, {}, (), None, "", None, None)
LOCK = Lock(1, 1, {}, None, RUNTIME, ())
ASKED = Policy((ADA.public,))


@pytest.fixture
def record(a_record):
    return a_record(Snapshot(COMMIT, ".", False, None, {}, None))


def claim(record, pair=ADA, **options):
    made = provenance.of_build(record, LOCK, **options)
    return Found("it", envelope.sign(made, pair).render())


def test_the_newest_build_comes_first(record):
    later = replace(record, at="2027-01-01T00:00:00Z")
    found = judgement.verified([claim(record), claim(later)], record.digest, ASKED)
    assert [one.record for one in found] == [later, record]


@pytest.mark.parametrize("of", ["manifest", "config"])
def test_manifest_and_config_name_the_build(record, of):
    digest = getattr(record.manifests[0], of)
    (found,) = judgement.verified([claim(record)], digest, ASKED)
    assert found.record == record


def test_what_others_attach_does_not_stand_in_the_way(record):
    noise = [Found("noise", b"\xff"), claim(record, EVE), Found("noise", b"{}")]
    (found,) = judgement.verified([*noise, claim(record)], record.digest, ASKED)
    assert (found.signers, found.where) == ((ADA.public,), "it")


def test_where_nothing_counts_it_is_told_why_of_each(record):
    with pytest.raises(UntrustedError) as caught:
        judgement.verified([Found("noise", b"{}"), claim(record, EVE)], record.digest, ASKED)
    assert len(caught.value.details) == 2


def test_a_signed_build_of_another_image_is_a_replay(record):
    with pytest.raises(UntrustedError) as caught:
        judgement.verified([claim(record)], Digest.of(b"another"), ASKED)
    assert "belongs to another image" in caught.value.details[0]


def test_an_older_build_counts_where_the_newest_is_not_allowed(record):
    dirty = replace(record, at="2027-01-01T00:00:00Z", source=replace(record.source, dirty=True))
    found = judgement.verified([claim(record), claim(dirty)], record.digest, ASKED)
    (fine,) = judgement.allowed(found, ASKED)
    assert fine.record == record
    assert len(judgement.allowed(found, replace(ASKED, dirty=True))) == 2


@pytest.mark.parametrize(
    ("changes", "rules", "said"),
    [
        ({"engine": "docker"}, {"engines": ("native",)}, "engine docker"),
        ({"reused": (Digest.of(b"layer"),)}, {"ready_made": False}, "1 layers were taken ready-made"),
        ({"source": Snapshot(None, ".", False, None, {}, None)}, {}, "a folder, and no commit"),
        ({"source": Snapshot(COMMIT, ".", True, None, {}, None)}, {}, "not committed"),
        ({}, {"builders": ()}, "urn:envfreeze:builder"),
        ({}, {"sources": ("*.example.org/*",)}, "its source is not stated"),
    ],
)
def test_each_rule_says_no(record, changes, rules, said):
    found = judgement.verified([claim(replace(record, **changes))], record.digest, ASKED)
    with pytest.raises(AnswerIsNoError, match=said):
        judgement.allowed(found, replace(ASKED, **rules))


def test_every_broken_rule_is_told(record):
    found = judgement.verified([claim(record)], record.digest, ASKED)
    with pytest.raises(AnswerIsNoError) as caught:
        judgement.allowed(found, replace(ASKED, engines=(), builders=()))
    assert len(caught.value.details) == 1


@pytest.mark.parametrize(
    ("bases", "allowed"),
    [
        (("nvidia/cuda:12.*",), True),
        (("docker.io/nvidia/cuda:*",), True),
        ((str(Digest.of(b"manifest")),), True),
        ((str(Digest.of(b"index")),), True),
        ((f"nvidia/cuda:12.8.1@{Digest.of(b'manifest')}",), True),
        ((f"nvidia/cuda:12.8.1@{Digest.of(b'other')}",), False),
        (("nvidia/cuda",), False),
        ((), False),
        (None, True),
    ],
)
def test_bases_are_allowed_by_name_and_by_digest(record, bases, allowed):
    (signed,) = judgement.verified([claim(record)], record.digest, ASKED)
    image = ImageBase(
        "nvidia/cuda:12.8.1", Digest.of(b"manifest"), Digest.of(b"index"), Digest.of(b"c"), 1, ("x",), (), {}
    )
    apt = AptBase("nvidia/cuda:12.8.1", (), (), ())
    target = Target(Platform.parse("linux/amd64"), "3.13.5", "2.41", "m", apt, (), image=image)
    lock = replace(LOCK, targets=(target,))
    policy = replace(ASKED, bases=bases)
    if allowed:
        judgement.hold_bases(signed, lock, policy)
        return
    with pytest.raises(AnswerIsNoError, match="base of linux/amd64"):
        judgement.hold_bases(signed, lock, policy)
