"""Bundles of Sigstore beside an image: cosign reads ours, and we read what cosign attests.

The instance is of the tests' own, on loopback; the registry is Debian's docker-registry.
"""

from __future__ import annotations

import json
import subprocess

import pytest

from envfreeze.errors import UntrustedError
from envfreeze.oci.reference import Reference
from envfreeze.oci.registry import Registries
from envfreeze.oci.registry.push import push
from envfreeze.records import statement
from envfreeze.records.trust import attached, bills, bundle, provenance, roots
from envfreeze.records.trust.identities import Certified
from envfreeze.records.trust.keyless import Keyless
from envfreeze.records.trust.tokens import Source

pytestmark = pytest.mark.integration
WORKFLOW = "https://ci.example.org/team/train"
PREDICATE = {"buildDefinition": {"buildType": "x"}, "runDetails": {"builder": {"id": "urn:x"}}}


@pytest.fixture(params=[1, 2], ids=["Rekor 1", "Rekor 2"])
def instance(request, sigstore_instance):
    with sigstore_instance.serve(request.param) as served:
        yield served


@pytest.fixture
def files(instance, tmp_path):
    return instance.write(tmp_path)


@pytest.fixture
def image(registry, registry_server, request):
    """An image in a repository of the test's own."""
    made = registry_server.image_of([{"etc/name": request.node.name.encode()}])
    at = Reference.parse(f"{registry.host}/keyless/train:v1")
    with Registries() as registries:
        push(made, at, registries=registries)
    return at.at(made.digest)


@pytest.fixture
def run(cosign, isolated):
    def cosign_does(verb, *words):
        command = [cosign, verb, "--allow-http-registry", *map(str, words)]
        return subprocess.run(command, cwd=isolated, capture_output=True, text=True, check=False)

    return cosign_does


def test_cosign_verifies_what_an_identity_signed(run, instance, files, image):
    who = Keyless(files.config, Source(environ={"SIGSTORE_ID_TOKEN": instance.token(WORKFLOW)}))
    statements = {
        "slsaprovenance1": statement.write([image.digest], provenance.PREDICATE, PREDICATE),
        "cyclonedx": bills.of_image(
            b'{"bomFormat":"CycloneDX","specVersion":"1.6"}', "cyclonedx", image.digest
        ),
        "spdxjson": bills.of_image(b'{"spdxVersion":"SPDX-2.3"}', "spdx", image.digest),
    }
    with Registries() as registries:
        for made in statements.values():
            kind = json.loads(made)["predicateType"]
            attached.put(image, [image.digest], who.sign(made), (), predicate=kind, registries=registries)
    asked = len(instance.seen)

    def verified(kind, subject=WORKFLOW, issuer="https://login.example.org"):
        identity = ("--certificate-identity", subject, "--certificate-oidc-issuer", issuer)
        return run("verify-attestation", "--type", kind, "--trusted-root", files.root, *identity, image)

    for kind in statements:
        done = verified(kind)
        assert done.returncode == 0, done.stderr
        assert len(done.stdout.splitlines()) == 1
    assert verified("cyclonedx", "https://ci.example.org/other").returncode != 0
    assert verified("cyclonedx", issuer="https://other.example.org").returncode != 0
    assert len(instance.seen) == asked


def test_what_cosign_attests_is_read(run, instance, files, image, tmp_path, sigstore_instance):
    (tmp_path / "predicate").write_text(json.dumps(PREDICATE))
    (tmp_path / "token").write_text(instance.token("ada@example.org"))
    (tmp_path / "signing").write_text(json.dumps(instance.config["signingConfig"]))
    servers = ("--trusted-root", files.root, "--signing-config", tmp_path / "signing")
    who = ("--identity-token", tmp_path / "token", "--yes")
    what = ("--predicate", tmp_path / "predicate", "--type", "slsaprovenance1")
    done = run("attest", *what, *servers, *who, image)
    assert done.returncode == 0, done.stderr
    with Registries() as registries:
        (found,) = attached.found(image, registries=registries)
    read = bundle.verify(found.content, roots.read_root(files.root), "it")
    assert read.signer == Certified("https://login.example.org", "ada@example.org")
    assert json.loads(read.payload)["predicate"]["buildDefinition"] == PREDICATE["buildDefinition"]
    with sigstore_instance.serve() as other, pytest.raises(UntrustedError, match="does not verify"):
        bundle.verify(found.content, roots.read_root(other.write(tmp_path).root), "it")
