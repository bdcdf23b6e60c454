"""Images that are signed by an identity, and verified by a policy that names it; every forgery is found."""

from __future__ import annotations

import json

import pytest

from envfreeze.cli.commands import run
from envfreeze.oci.reference import Reference
from envfreeze.oci.registry.connection import Registries
from envfreeze.project.load import load
from envfreeze.records.trust import attached, bundle
from envfreeze.store.cache import Cache
from envfreeze.verbs.build import build

NAME = "team/train"
WORKFLOW = "team/train/.github/workflows/build.yml@refs/heads/main"
GITHUB = "https://token.actions.githubusercontent.com"


@pytest.fixture
def registry(registry_server):
    with registry_server.serve() as served:
        served.referrers = True  # keeping a tag takes pauses
        yield served


@pytest.fixture
def instance(sigstore_instance):
    with sigstore_instance.serve() as served:
        yield served


@pytest.fixture
def files(instance, tmp_path):
    return instance.write(tmp_path)


@pytest.fixture
def pushed(project, registry, monkeypatch):
    """The reference of an image that was built and pushed."""
    monkeypatch.setenv("ENVFREEZE_CACHE", str(project.cache))
    with Cache.open(project.cache) as cache:
        digest = build(load(project.root), push=f"{registry.host}/{NAME}:v1", cache=cache).digest
    return f"{registry.host}/{NAME}@{digest}"


@pytest.fixture
def call(project, capsys):
    """Call a command, and give its exit code and what it printed, all of it and the document."""

    def run_it(*words):
        code = run([*map(str, words), "-C", str(project.root), "--json"])
        told = capsys.readouterr()
        return code, told.out + told.err, json.loads(told.out)

    return run_it


@pytest.fixture
def policy_of(tmp_path):
    def write(subject, issuer=GITHUB, level="signed", rules="", more=""):
        path = tmp_path / "policy.toml"
        path.write_text(
            f'schema = 1\nlevel = "{level}"\ntrusted-root = "trusted-root.json"\n{rules}\n'
            f'[[identity]]\nissuer = "{issuer}"\nsubject = "{subject}"\n{more}'
        )
        return path

    return write


def claims(image):
    with Registries() as registries:
        return attached.found(Reference.parse(image), registries=registries)


def test_a_ci_signs_as_its_workflow_and_the_policy_names_it(
    pushed, call, instance, files, policy_of, monkeypatch
):
    for name, value in instance.ambient(WORKFLOW).items():
        monkeypatch.setenv(name, value)
    code, out, document = call("attest", pushed, "--keyless", "--trust-config", files.config)
    assert code == 0, out
    who = {"issuer": GITHUB, "subject": f"https://github.com/{WORKFLOW}"}
    assert (document["identity"], document["keyid"]) == (who, None)
    (found,) = claims(pushed)
    assert bundle.is_bundle(json.loads(found.content))
    for subject, issuer, level, expected, said in (
        (who["subject"], GITHUB, "signed", 0, who["subject"]),
        ("https://github.com/team/train/*@refs/heads/main", GITHUB, "identical", 0, '"identical"'),
        ("https://github.com/team/train/*@refs/tags/*", GITHUB, "signed", 6, "whom the policy does not name"),
        (who["subject"], "https://gitlab.example.org", "signed", 6, "whom the policy does not name"),
    ):
        code, out, _ = call("verify", pushed, "--policy", policy_of(subject, issuer, level))
        assert (code, said in out) == (expected, True), out


def test_a_build_signs_record_and_bill_and_the_policy_asks_for_both(
    project, registry, instance, files, call, policy_of, tmp_path, monkeypatch
):
    monkeypatch.setenv("ENVFREEZE_CACHE", str(project.cache))
    token = instance.token("ada@example.org")
    (tmp_path / "token").write_text(token)
    where = f"{registry.host}/{NAME}"
    signing = ("--keyless", "--trust-config", files.config, "--identity-token", tmp_path / "token")
    code, out, document = call("build", "--push", f"{where}:v1", "--sbom", "cyclonedx", *signing)
    assert code == 0, out
    image = f"{where}@{document['digest']}"
    assert document["attested"]["identity"]["subject"] == "ada@example.org"
    assert len(claims(image)) == 2
    issuer = "https://login.example.org"
    for rules, code, said in (
        ('sbom = "cyclonedx"', 0, "ada@example.org"),
        ('sbom = "any"\nbases = ["apt:debian/*"]', 0, "ada@example.org"),
        ('sbom = "spdx"', 6, "a bill in cyclonedx"),
    ):
        ended, said_all, _ = call("verify", image, "--policy", policy_of("ada@*", issuer, rules=rules))
        assert (ended, said in said_all) == (code, True), said_all
        out += said_all
    # Signing the same again as the same attaches nothing, and says where it is.
    again, said_all, _ = call("attest", image, *signing, "--output", tmp_path / "signed")
    assert (again, len(claims(image))) == (0, 2)
    # The token is nowhere: not in what was told, recorded, attached or put into the image.
    out += said_all + project.git("notes", "--ref=envfreeze", "show")
    kept = [out.encode(), (tmp_path / "signed").read_bytes()]
    kept += [blob for blobs in registry.blobs.values() for blob in blobs.values()]
    assert not [part for part in token.split(".") for one in kept if part.encode() in one]
    # By the file alone, offline, by the root that is given.
    words = ("--attestation", tmp_path / "signed", "--offline", "--trusted-root", files.config)
    ended, said_all, _ = call("verify", document["digest"], "--policy", policy_of("ada@*", issuer), *words)
    assert ended == 0, said_all


def test_what_is_forged_is_refused_with_its_exit_code(
    pushed, call, instance, files, policy_of, tmp_path, monkeypatch, sigstore_instance
):
    monkeypatch.setenv("SIGSTORE_ID_TOKEN", instance.token("ada@example.org"))
    digest = pushed.partition("@")[2]
    signing = ("--keyless", "--trust-config", files.config, "--output", tmp_path / "signed")
    assert call("attest", digest, *signing)[0] == 0
    sound = (tmp_path / "signed").read_text()
    words = ("--policy", policy_of("ada@*", "https://login.example.org"), "--offline", "--attestation")

    def verified(content, *more):
        (tmp_path / "forged").write_text(content)
        code, out, _ = call("verify", digest, *words, tmp_path / "forged", *more)
        return code, out

    assert verified(sound)[0] == 0
    document = json.loads(sound)
    payload = document["dsseEnvelope"]["payload"]
    entries = document["verificationMaterial"]["tlogEntries"]
    for content, said in (
        (
            sound.replace(payload, payload[:40] + "AAAA" + payload[44:]),
            "its signature is not of what is in it",
        ),
        (json.dumps(document | {"verificationMaterial": {"tlogEntries": entries}}), "certificate"),
        (sound.replace('"inclusionProof"', '"noProof"'), "does not verify"),
        ("{}", "is not trusted"),
    ):
        code, out = verified(content)
        assert (code, said in out) == (6, True), out
    with sigstore_instance.serve() as other:
        (tmp_path / "other").mkdir()
        root = other.write(tmp_path / "other").root
    code, out = verified(sound, "--trusted-root", root)
    assert (code, "not from an authority that is trusted" in out) == (6, True), out
    code, out = verified(sound, "--trusted-root", tmp_path / "absent")
    assert (code, "there is no" in out) == (2, True), out


def test_where_signing_fails_it_is_told_what_is_done(project, registry, instance, files, call, monkeypatch):
    monkeypatch.setenv("ENVFREEZE_CACHE", str(project.cache))
    monkeypatch.setenv("SIGSTORE_ID_TOKEN", instance.token("ada@example.org"))
    instance.faults["/api/v1/log/entries"] = lambda _: (503, b"")
    where = ("--push", f"{registry.host}/{NAME}:v1")
    code, out, document = call("build", *where, "--keyless", "--trust-config", files.config)
    assert (code, "log/entries refuses: HTTP 503" in out) == (4, True), out
    (record,) = project.records()
    again = f"envfreeze attest {registry.host}/{NAME}@{record.digest} --keyless"
    assert f"{NAME}@{record.digest} is pushed and recorded, and not signed: {again}" in out
    assert document["error"]
    assert str(record.digest) in registry.manifests[NAME]


def test_without_an_identity_nothing_is_begun(project, registry, files, call, monkeypatch):
    for name in ("SIGSTORE_ID_TOKEN", "GITHUB_ACTIONS", "GITLAB_CI", "CIRCLECI", "BUILDKITE"):
        monkeypatch.delenv(name, raising=False)
    where = ("--push", f"{registry.host}/{NAME}:v1")
    code, out, _ = call("build", *where, "--keyless", "--trust-config", files.config)
    assert (code, "there is no identity to sign with" in out) == (2, True), out
    assert not registry.manifests[NAME]
    assert not project.records()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("attest", "IMAGE"), "who signs?"),
        (("attest", "IMAGE", "--key", "a", "--keyless"), "leave one of them out"),
        (("attest", "IMAGE", "--key", "a", "--identity-token", "b"), "--identity-token is for --keyless"),
        (("build", "--keyless"), "--keyless signs what is pushed"),
        (("build", "--trust-config", "b"), "--trust-config is for --keyless"),
        (("sbom", "--key", "a"), "--attach REF"),
        (("verify", "IMAGE", "--trusted-root", "a"), "--trusted-root needs --policy"),
    ],
)
def test_options_that_do_not_go_together_are_refused(project, words, said, capsys):
    assert run([*words, "-C", str(project.root)]) == 2
    assert said in " ".join(capsys.readouterr().err.replace("│", " ").split())
