"""What is attached to an image is read by cosign, in a registry that is Debian's docker-registry."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from envfreeze.digest import Digest
from envfreeze.locking.model import Lock, Runtime
from envfreeze.oci.reference import Reference
from envfreeze.oci.registry import Registries
from envfreeze.oci.registry.push import push
from envfreeze.records.model import Record, RecordedImage, Snapshot
from envfreeze.records.trust import attached, bills, bundle, counted, envelope, keys, provenance
from envfreeze.records.trust.policy import Policy
from envfreeze.replacing import replace

pytestmark = pytest.mark.integration
PAGE = Path(__file__).parents[3] / "docs/how-to/trust.md"


@pytest.fixture
def image(registry_server, request):
    return registry_server.image_of([{"etc/name": request.node.name.encode()}])


@pytest.fixture
def reference(registry, image, request):
    """The image, in a repository of the test's own."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")
    at = Reference.parse(f"{registry.host}/trust/{name}:v1")
    with Registries() as registries:
        push(image, at, registries=registries)
    return replace(at, tag=None, digest=image.digest)


@pytest.fixture
def statement(image):
    made = RecordedImage(image.platform, image.digest, Digest.of(image.config), ())
    source = Snapshot("a" * 40, ".", False, None, {}, None)
    record = Record("2026-01-01T00:00:00Z", "native", "0.1.0", 1, image.digest, (made,), source)
    lock = Lock(1, 1, {}, None, Runtime({}, {}, (), None, "", None, None), ())
    return provenance.of_build(record, lock, source="https://git.example.org/team/train")


def put(reference, signed):
    with Registries() as registries:
        attached.put(reference, [reference.digest], signed, [b"lock"], registries=registries)


@pytest.mark.parametrize("kind", keys.KINDS)
def test_cosign_verifies_what_is_signed_and_finds_what_is_forged(
    kind, cosign, reference, statement, tmp_path, isolated
):
    pair = keys.generate(kind)
    keys.write(pair, tmp_path / "ci", {})
    keys.write(keys.generate(kind), tmp_path / "other", {})

    def verified(key):
        words = ("verify-attestation", "--key", f"{tmp_path}/{key}.pub", "--type", "slsaprovenance1")
        options = ("--insecure-ignore-tlog=true", "--allow-http-registry")
        return subprocess.run(
            [cosign, *words, *options, str(reference)],
            cwd=isolated,
            capture_output=True,
            text=True,
            check=False,
        )

    signed = envelope.sign(statement, pair)
    # A changed statement with its old signature, and then the sound one beside it.
    put(reference, replace(signed, payload=statement.replace(b'"dirty":false', b'"dirty":true')))
    assert verified("ci").returncode != 0
    put(reference, signed)
    done = verified("ci")
    assert done.returncode == 0, done.stderr
    assert base64.b64decode(json.loads(done.stdout.splitlines()[0])["payload"]) == statement
    assert verified("other").returncode != 0


@pytest.mark.parametrize("kind", ["cyclonedx", "spdx"])
def test_cosign_verifies_bills_that_a_key_signed(kind, cosign, reference, tmp_path, isolated):
    documents = {"cyclonedx": b'{"bomFormat":"CycloneDX"}', "spdx": b'{"spdxVersion":"SPDX-2.3"}'}
    pair = keys.generate()
    keys.write(pair, tmp_path / "ci", {})
    with Registries() as registries:
        for form, document in documents.items():
            signed = envelope.sign(bills.of_image(document, form, reference.digest), pair)
            predicate = bills.PREDICATES[form]
            attached.put(
                reference, [reference.digest], signed, (), predicate=predicate, registries=registries
            )
    words = ("--key", f"{tmp_path}/ci.pub", "--type", {"spdx": "spdxjson"}.get(kind, kind))
    options = ("--insecure-ignore-tlog=true", "--allow-http-registry")
    command = [cosign, "verify-attestation", *words, *options, str(reference)]
    done = subprocess.run(command, cwd=isolated, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    stated = json.loads(base64.b64decode(json.loads(line)["payload"]))
    assert stated["predicate"] == json.loads(documents[kind])


def test_a_bill_that_cosign_attests_with_a_key_is_read(cosign, reference, tmp_path, isolated):
    pair = keys.generate("ecdsa-p256")
    keys.write(pair, tmp_path / "ci", {})
    bill = {"bomFormat": "CycloneDX", "metadata": {"component": {"version": str(reference.digest)}}}
    (tmp_path / "bill").write_text(json.dumps(bill))
    for command in (
        ("import-key-pair", "--key", tmp_path / "ci", "--output-key-prefix", tmp_path / "own"),
        (
            *(
                "attest",
                "--key",
                tmp_path / "own.key",
                "--type",
                "cyclonedx",
                "--predicate",
                tmp_path / "bill",
            ),
            *("--use-signing-config=false", "--tlog-upload=false", "--allow-http-registry", reference),
        ),
    ):
        done = subprocess.run(
            [cosign, *map(str, command)],
            cwd=isolated,
            env={**os.environ, "COSIGN_PASSWORD": ""},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    with Registries() as registries:
        found = attached.found(reference, registries=registries)
    assert bundle.is_bundle(json.loads(found[0].content))
    statements, _ = counted.those_of(found, Policy((pair.public,)))
    bills.required(statements, (), reference.digest, None, "cyclonedx")
    assert not counted.those_of(found, Policy((keys.generate().public,)))[0]


def test_the_page_shows_the_command(cosign):
    blocks = re.findall(r"^```sh cosign\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 2
    helped = subprocess.run(
        [cosign, "verify-attestation", "--help"], capture_output=True, text=True, check=True
    )
    told = helped.stdout + helped.stderr
    assert all(option in told for option in re.findall(r"--[a-z-]+", "".join(blocks)))


def test_other_programs_read_the_form_of_cosign(reference, statement, need):
    need("skopeo", shutil.which("skopeo") is not None, "no skopeo on this machine")
    put(reference, envelope.sign(statement, keys.generate()))
    at = f"docker://{reference.name}:sha256-{reference.digest.hex}.att"
    command = ["skopeo", "inspect", "--tls-verify=false", at]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["Layers"]) == 1
