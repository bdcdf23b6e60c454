"""Signed builds against policies."""

from __future__ import annotations

import json

import pytest

from envfreeze.digest import Digest
from envfreeze.errors import AnswerIsNoError, UntrustedError
from envfreeze.locking.model import AptBase, ImageBase, Lock, Runtime, Target
from envfreeze.oci import canonical
from envfreeze.oci.platform import Platform
from envfreeze.records.model import Snapshot
from envfreeze.records.trust import envelope, judgement, keys, provenance
from envfreeze.records.trust.attached import Found
from envfreeze.records.trust.identities import Identity
from envfreeze.records.trust.keyless import Keyless
from envfreeze.records.trust.policy import Policy
from envfreeze.records.trust.tokens import Source
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


@pytest.fixture(scope="module")
def by(sigstore_instance, tmp_path_factory):
    """`by(record, subject)`: what somebody has signed without a key."""
    folder = tmp_path_factory.mktemp("instance")
    with sigstore_instance.serve() as instance:
        files = instance.write(folder)

        def sign(record, subject):
            who = Keyless(files.config, Source(environ={"SIGSTORE_ID_TOKEN": instance.token(subject)}))
            return Found(f"by {subject}", who.sign(provenance.of_build(record, LOCK)).render())

        sign.root = files.root
        yield sign


def named(*subjects, issuer="https://login.example.org"):
    return tuple(Identity(issuer, subject) for subject in subjects)


def test_identities_count_by_issuer_and_subject(record, by):
    found = [by(record, "ada@example.org")]
    asked = Policy((), identities=named("*@example.org"), trusted_root=by.root)
    (signed,) = judgement.verified(found, record.digest, asked)
    assert [one.subject for one in signed.signers] == ["ada@example.org"]
    for other, said in (
        (replace(asked, identities=named("bob@example.org")), "whom the policy does not name"),
        (
            replace(asked, identities=named("ada@example.org", issuer="https://x")),
            "whom the policy does not name",
        ),
        (replace(ASKED, trusted_root=by.root), "the policy names keys alone"),
    ):
        with pytest.raises(UntrustedError) as caught:
            judgement.verified(found, record.digest, other)
        assert said in caught.value.details[0]


def test_without_a_root_the_public_instance_s_is_believed(record, by):
    asked = Policy((), identities=named("*@example.org"))
    with pytest.raises(UntrustedError) as caught:
        judgement.verified([by(record, "ada@example.org")], record.digest, asked, offline=True)
    assert "not from an authority that is trusted" in caught.value.details[0]


def test_the_bundle_of_a_key_counts_by_the_key(record):
    def bundle_of(signed):
        material = {"publicKey": {"hint": "whatever"}}
        return canonical.dump(
            {
                "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
                "dsseEnvelope": json.loads(signed.content),
                "verificationMaterial": material,
            }
        )

    found = Found("it", bundle_of(claim(record)))
    (signed,) = judgement.verified([found], record.digest, ASKED)
    assert signed.signers == (ADA.public,)
    with pytest.raises(UntrustedError, match="not trusted"):
        judgement.verified([replace(found, content=bundle_of(claim(record, EVE)))], record.digest, ASKED)


@pytest.mark.parametrize("odd", [b'"\\ud800"', b"1e999", b"[" * 900 + b"]" * 900])
def test_the_bundle_of_a_key_is_read_as_it_is(record, odd):
    """What JSON can say and no writer of it would does not end in an error of the writer."""
    noise = (
        b'{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","dsseEnvelope":{"x":%s},'
        b'"verificationMaterial":{"publicKey":{}}}' % odd
    )
    assert judgement.verified([Found("noise", noise), claim(record)], record.digest, ASKED)


def test_keys_and_identities_sign_the_same_statement_one_after_the_other(record, by):
    found = [claim(record), by(record, "ada@example.org"), claim(record, EVE)]
    both = Policy((ADA.public, EVE.public), 3, identities=named("ada@example.org", "*"), trusted_root=by.root)
    (signed,) = judgement.verified(found, record.digest, both)
    assert signed.signers[:2] == (ADA.public, EVE.public)
    with pytest.raises(UntrustedError) as caught:  # whoever fits two of them is one
        judgement.verified(found, record.digest, replace(both, signatures=4))
    assert "4 must have" in caught.value.details[0]
    with pytest.raises(UntrustedError):  # another statement is not the same
        judgement.verified([claim(record), claim(record, EVE, builder="x")], record.digest, both)


def test_several_of_one_pattern_count_once(record, by):
    found = [by(record, "ada@example.org"), by(record, "bob@example.org")]
    asked = Policy((ADA.public,), 2, identities=named("*@example.org"), trusted_root=by.root)
    with pytest.raises(UntrustedError):
        judgement.verified(found, record.digest, asked)
    apart = replace(asked, identities=named("ada@example.org", "bob@example.org"))
    assert len(judgement.verified(found, record.digest, apart)[0].signers) == 2


def test_two_identities_that_read_alike_are_two(record, by):
    """Where a space stands makes the difference, and one who signs is not counted for both."""
    asked = Policy(
        (),
        2,
        identities=(Identity("https://login* *", "*org"), Identity("https://login*", "* *org")),
        trusted_root=by.root,
    )
    found = [by(record, "ada lovelace@example.org")]
    with pytest.raises(UntrustedError):
        judgement.verified(found, record.digest, asked)


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
