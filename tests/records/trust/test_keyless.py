"""Signing as whom a token names, by the true library against an instance on loopback."""

from __future__ import annotations

import base64
import json

import pytest

from envfreeze.records.trust import bundle, roots
from envfreeze.records.trust.identities import Certified
from envfreeze.records.trust.keyless import Keyless
from envfreeze.records.trust.tokens import Source

STATEMENT = (
    b'{"_type":"https://in-toto.io/Statement/v1","predicate":{},"predicateType":"x",'
    b'"subject":[{"digest":{"sha256":"aa"}}]}'
)
WORKFLOW = "https://ci.example.org/team/train"


@pytest.fixture
def instance(sigstore_instance):
    with sigstore_instance.serve() as served:
        yield served


@pytest.fixture
def files(instance, tmp_path):
    return instance.write(tmp_path)


@pytest.fixture
def signed_by(instance, files, tmp_path):
    """Sign a statement as somebody."""

    def sign(subject=WORKFLOW, payload=STATEMENT, **claims):
        (tmp_path / "token").write_text(instance.token(subject, **claims))
        return Keyless(files.config, Source(tmp_path / "token", {})).sign(payload)

    return sign


@pytest.mark.parametrize("rekor", [1, 2])
def test_what_is_signed_verifies_and_says_who_signed(sigstore_instance, rekor, tmp_path):
    with sigstore_instance.serve(rekor) as instance:
        files = instance.write(tmp_path)
        token = instance.token("ada@example.org")
        made = Keyless(files.config, Source(environ={"SIGSTORE_ID_TOKEN": token})).sign(STATEMENT)
        asked = len(instance.seen)
        read = bundle.verify(made.render(), roots.read_root(files.root), "it")
        assert len(instance.seen) == asked  # nobody is asked
    assert read == made
    assert read.payload == STATEMENT
    assert read.signer == Certified("https://login.example.org", "ada@example.org")
    document = json.loads(made.content)
    assert document["mediaType"] == bundle.MEDIA_TYPE == made.media_type
    assert base64.b64decode(document["dsseEnvelope"]["payload"]) == STATEMENT
    assert not any(part in made.content.decode() for part in token.split("."))
