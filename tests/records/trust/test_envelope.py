"""Signed envelopes, and everything that can be wrong with one."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from hypothesis import given, settings
from hypothesis import strategies as st

from envfreeze.errors import UntrustedError
from envfreeze.records.trust import envelope, keys
from envfreeze.records.trust.envelope import Envelope, Signature
from envfreeze.replacing import replace

ADA, BOB, EVE = keys.generate(), keys.generate("ecdsa-p256"), keys.generate()
TRUSTED = (ADA.public, BOB.public)


def edited(signed, **changes):
    return json.dumps(json.loads(signed.render()) | changes).encode()


@pytest.mark.parametrize("pair", [ADA, BOB])
def test_a_second_implementation_verifies_it(pair):
    """The protocol from its page, with nothing of ours and nothing of securesystemslib."""
    document = json.loads(envelope.sign(b'{"a":1}', pair).render())
    payload, kind = base64.b64decode(document["payload"]), document["payloadType"]
    signed = b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)
    raw = base64.b64decode(document["signatures"][0]["sig"])
    public = load_pem_public_key(keys.pem_of(pair.public))
    rest = (ec.ECDSA(SHA256()),) if pair is BOB else ()
    public.verify(raw, signed, *rest)
    with pytest.raises(InvalidSignature):
        public.verify(raw, payload, *rest)


def test_ed25519_signs_the_same_bytes_alike():
    assert envelope.sign(b"{}", ADA).render() == envelope.sign(b"{}", ADA).render()


@given(st.binary(min_size=1, max_size=300))
@settings(max_examples=40, deadline=None)
def test_what_is_written_is_read(payload):
    signed = envelope.sign(payload, ADA)
    assert envelope.parse(signed.render(), "it") == signed
    assert envelope.signers(signed, TRUSTED) == (ADA.public,)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_no_changed_payload_is_signed(data):
    payload = b'{"subject": ["sha256:0123"]}'
    at = data.draw(st.integers(0, len(payload) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != payload[at]))
    changed = payload[:at] + bytes([other]) + payload[at + 1 :]
    for pair in (ADA, BOB):
        assert envelope.signers(replace(envelope.sign(payload, pair), payload=changed), TRUSTED) == ()


@given(
    st.binary(max_size=200) | st.recursive(st.none() | st.text(), st.lists).map(json.dumps).map(str.encode)
)
@settings(max_examples=60, deadline=None)
def test_any_bytes_are_read_or_refused(content):
    with pytest.raises(UntrustedError):
        envelope.parse(content, "it")


def test_a_truncated_envelope_is_refused():
    whole = envelope.sign(b'{"a": 1}', ADA).render()
    for length in range(len(whole)):
        with pytest.raises(UntrustedError, match="it"):
            envelope.parse(whole[:length], "it")


@pytest.mark.parametrize("kind", ["application/json", "", None, "application/vnd.in-toto+json "])
def test_another_payload_type_is_refused(kind):
    with pytest.raises(UntrustedError, match="signed as"):
        envelope.parse(edited(envelope.sign(b"{}", ADA), payloadType=kind), "it")


def test_the_payload_type_is_signed_too():
    # Signed as something else and then relabelled, or signed with no type at all.
    unlabelled = Envelope(b"{}", "application/json", ())
    raw = bytes.fromhex(ADA.signer.sign(unlabelled.signed).signature)
    bare = bytes.fromhex(ADA.signer.sign(b"{}").signature)
    for signature in (raw, bare):
        relabelled = Envelope(b"{}", envelope.IN_TOTO, (Signature(ADA.public.id, signature),))
        assert envelope.signers(relabelled, TRUSTED) == ()


def test_one_valid_signature_of_two_counts_as_one():
    read = envelope.sign(b"{}", ADA)
    both = replace(read, signatures=(*envelope.sign(b"{}", EVE).signatures, *read.signatures))
    assert envelope.signers(both, TRUSTED) == (ADA.public,)
    assert envelope.signers(both, (EVE.public,)) == (EVE.public,)


def test_the_same_key_twice_counts_once():
    read = envelope.sign(b"{}", BOB)
    twice = replace(read, signatures=(*read.signatures, *envelope.sign(b"{}", BOB).signatures))
    assert envelope.signers(twice, TRUSTED) == (BOB.public,)


def test_key_ids_are_hints():
    read = envelope.sign(b"{}", ADA)
    (signature,) = read.signatures
    for keyid in ("", EVE.public.id):
        hinted = replace(read, signatures=(replace(signature, keyid=keyid),))
        assert envelope.signers(hinted, TRUSTED) == (ADA.public,)
    stolen = replace(envelope.sign(b"{}", EVE).signatures[0], keyid=ADA.public.id)
    assert envelope.signers(replace(read, signatures=(stolen,)), TRUSTED) == ()
    without = json.loads(read.render())
    del without["signatures"][0]["keyid"]
    assert envelope.signers(envelope.parse(json.dumps(without).encode(), "it"), TRUSTED) == (ADA.public,)


@pytest.mark.parametrize("raw", [b"", b"\0", bytes(64), bytes(1000)])
def test_what_is_no_signature_verifies_nothing(raw):
    assert envelope.signers(Envelope(b"{}", envelope.IN_TOTO, (Signature("", raw),)), TRUSTED) == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"payload": None},
        {"payload": ""},
        {"payload": "e30"},
        {"payload": "e30=\n"},
        {"payload": "é30="},
        {"signatures": None},
        {"signatures": []},
        {"signatures": ["x"]},
        {"signatures": [{"sig": 1}]},
        {"signatures": [{"sig": "AA==", "keyid": 1}]},
        {"signatures": [{"sig": "AA=="}] * 65},
    ],
)
def test_what_is_malformed_is_refused(changes):
    with pytest.raises(UntrustedError):
        envelope.parse(edited(envelope.sign(b"{}", ADA), **changes), "it")


def test_a_key_that_stands_twice_is_refused():
    content = envelope.sign(b"{}", ADA).render()
    with pytest.raises(UntrustedError, match="twice"):
        envelope.parse(content[:-1] + b',"payload":"e30="}', "it")


def test_unknown_members_change_nothing():
    read = envelope.sign(b"{}", ADA)
    assert envelope.parse(edited(read, further={"a": 1}), "it") == read


def test_both_alphabets_of_base64_are_read():
    read = envelope.sign(b"\xff\xfe\xfb>>>???", ADA)
    url_safe = base64.urlsafe_b64encode(read.payload).decode()
    assert envelope.parse(edited(read, payload=url_safe), "it").payload == read.payload
