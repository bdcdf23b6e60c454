"""Bundles: every way to forge one is found, and told."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envfreeze.errors import UntrustedError
from envfreeze.records.trust import bundle, roots
from envfreeze.records.trust.keyless import Keyless
from envfreeze.records.trust.tokens import Source

ADA = "ada@example.org"


def statement(about):
    return (
        b'{"_type":"https://in-toto.io/Statement/v1","predicate":{},"predicateType":"x",'
        b'"subject":[{"digest":{"sha256":"%s"}}]}' % about
    )


@pytest.fixture(scope="module", params=[1, 2], ids=["Rekor 1", "Rekor 2"])
def made(request, sigstore_instance, tmp_path_factory):
    """A root of trust, and two bundles."""
    folder = tmp_path_factory.mktemp("instance")
    with sigstore_instance.serve(request.param) as instance:
        files = instance.write(folder)
        who = Keyless(files.config, Source(environ={"SIGSTORE_ID_TOKEN": instance.token(ADA)}))
        signed = [who.sign(statement(about)).content for about in (b"aa", b"bb")]
    return roots.read_root(files.root), *signed


def changed(content, change):
    document = json.loads(content)
    change(document, document["verificationMaterial"])
    return json.dumps(document).encode()


def flip(text):
    raw = bytearray(base64.b64decode(text))
    raw[-1] ^= 1
    return base64.b64encode(raw).decode()


def of_another_payload(document, _):
    payload = base64.b64decode(document["dsseEnvelope"]["payload"]).replace(b"aa", b"cc")
    document["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()


def of_another_type(document, _):
    document["dsseEnvelope"]["payloadType"] = "text/plain"


def of_another_signature(document, _):
    one = document["dsseEnvelope"]["signatures"][0]
    one["sig"] = flip(one["sig"])


def without_a_log_entry(_, material):
    material["tlogEntries"] = []


def without_a_proof(_, material):
    del material["tlogEntries"][0]["inclusionProof"]


def of_another_place(_, material):
    proof = material["tlogEntries"][0]["inclusionProof"]
    proof["logIndex"] = str(int(proof["logIndex"]) - 1)


def of_another_tree(_, material):
    proof = material["tlogEntries"][0]["inclusionProof"]
    proof["checkpoint"]["envelope"] = proof["checkpoint"]["envelope"].replace("\n", "\nx", 1)


def without_a_time(_, material):
    material["tlogEntries"][0].pop("inclusionPromise", None)
    material.pop("timestampVerificationData", None)


def without_a_certificate(_, material):
    del material["certificate"]


def of_another_certificate(_, material):
    material["certificate"]["rawBytes"] = flip(material["certificate"]["rawBytes"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (of_another_payload, "its signature is not of what is in it"),
        (of_another_type, ""),
        (of_another_signature, "(its signature is not of what is in it|nothing proves when it was signed)"),
        (without_a_log_entry, "it has no entry of a transparency log"),
        (without_a_proof, ""),
        (of_another_place, "does not prove that it was published"),
        (of_another_tree, "does not prove that it was published"),
        (without_a_time, "nothing proves when it was signed"),
        (without_a_certificate, ""),
        (of_another_certificate, "its certificate is not from an authority that is trusted"),
    ],
)
def test_a_forged_bundle_is_refused_and_it_is_told_why(made, change, said):
    root, content, _ = made
    assert bundle.verify(content, root, "it").payload == statement(b"aa")
    with pytest.raises(UntrustedError, match=f"^it does not verify: .*{said}"):
        bundle.verify(changed(content, change), root, "it")


def test_what_is_quoted_of_it_is_printable(made):
    root, content, _ = made
    with pytest.raises(UntrustedError) as caught:
        bundle.verify(changed(content, lambda _, material: material.update({"\x1b[2J\u202e": 1})), root, "it")
    assert "[2J" in caught.value.message
    assert caught.value.message.isprintable()


def test_the_log_entry_of_another_is_found(made):
    root, content, other = made

    def swap(_, material):
        material["tlogEntries"] = json.loads(other)["verificationMaterial"]["tlogEntries"]

    with pytest.raises(UntrustedError, match="log entry in it is of something else"):
        bundle.verify(changed(content, swap), root, "it")


def test_a_certificate_of_another_authority_is_found(made, sigstore_instance):
    root, content, _ = made
    instance = sigstore_instance.Authority()
    old = x509.load_der_x509_certificate(
        base64.b64decode(json.loads(content)["verificationMaterial"]["certificate"]["rawBytes"])
    )
    forged = instance.issue(old.public_key(), x509.RFC822Name(ADA), sigstore_instance.ISSUER)

    def swap(_, material):
        material["certificate"]["rawBytes"] = base64.b64encode(forged.public_bytes(Encoding.DER)).decode()

    with pytest.raises(UntrustedError, match="not from an authority that is trusted"):
        bundle.verify(changed(content, swap), root, "it")


@pytest.mark.parametrize("text", ["ada@example.org", "https://ci.example.org/x", "ada!example.org"])
def test_subjects_are_mail_addresses_uris_and_names_of_users(sigstore_instance, text, tmp_path):
    if "@" in text:
        name = x509.RFC822Name(text)
    elif "!" in text:
        kind = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.7")
        name = x509.OtherName(kind, sigstore_instance.der(0x0C, text.encode()))
    else:
        name = x509.UniformResourceIdentifier(text)
    now = datetime.now(UTC)
    with sigstore_instance.serve() as instance:
        made = instance.bundle(statement(b"aa"), name, now, now)
        assert (
            bundle.verify(made, roots.read_root(instance.write(tmp_path).root), "it").signer.subject == text
        )


def test_a_certificate_has_to_be_good_when_the_log_says_that_it_was_signed(sigstore_instance, tmp_path):
    then, minutes = datetime.now(UTC) - timedelta(days=90), timedelta(minutes=1)
    with sigstore_instance.serve() as instance:
        root = roots.read_root(instance.write(tmp_path).root)
        old = instance.bundle(statement(b"aa"), x509.RFC822Name(ADA), then, then + 9 * minutes)
        # It expired three months ago, and was good then.
        assert bundle.verify(old, root, "it").signer.subject == ADA
        for entered in (then - 9 * minutes, then + 30 * minutes, datetime.now(UTC)):
            late = instance.bundle(statement(b"aa"), x509.RFC822Name(ADA), then, entered)
            with pytest.raises(UntrustedError, match="was not valid when it was signed"):
                bundle.verify(late, root, "it")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(st.data())
def test_whatever_is_attached_ends_in_an_answer(made, data):
    """Bytes that were changed anywhere, and members that were swapped for other JSON: no other error."""
    root, content, _ = made
    if data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(content) - 1))
        forged = content[:at] + data.draw(st.binary(max_size=2)) + content[at + 1 :]
    else:
        document = json.loads(content)
        inner = document
        while True:
            key = data.draw(st.sampled_from(sorted(inner) if isinstance(inner, dict) else range(len(inner))))
            if isinstance(inner[key], dict | list) and inner[key] and data.draw(st.booleans()):
                inner = inner[key]
                continue
            inner[key] = data.draw(st.sampled_from([None, "", "AAAA", -1, 1 << 70, [], {}, [{}], True]))
            break
        forged = json.dumps(document).encode()
    try:
        read = bundle.verify(forged, root, "it")
    except UntrustedError:
        return
    assert read.payload == statement(b"aa")
    assert read.signer.subject == ADA
