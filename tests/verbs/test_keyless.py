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
