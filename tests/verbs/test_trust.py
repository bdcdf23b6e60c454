"""Images that are signed where they are built, and verified by a policy elsewhere; every forgery is found."""

from __future__ import annotations

import base64
import json
import subprocess
from dataclasses import replace

import pytest

from envfreeze.compare.model import Level
from envfreeze.digest import Digest
from envfreeze.errors import AnswerIsNoError, UntrustedError, UsageError
from envfreeze.oci.reference import Reference
from envfreeze.oci.registry.attestations import att_tag_of
from envfreeze.oci.registry.connection import Registries
from envfreeze.progress import SILENT
from envfreeze.project.load import load
from envfreeze.records import lines
from envfreeze.records.trust import attached, envelope, keys, policy, provenance
from envfreeze.store.cache import Cache
from envfreeze.verbs import trusted
from envfreeze.verbs.attest import attest
from envfreeze.verbs.build import build
from envfreeze.verbs.verify import verify

NAME = "team/train"


class Told:
    """A `Progress` that remembers its warnings."""

    def __init__(self):
        self.warnings = []

    task = staticmethod(SILENT.task)

    def note(self, text):
        """Not a warning."""

    def warn(self, text):
        self.warnings.append(text)


@pytest.fixture(params=[True, False], ids=["referrers API", "tag of referrers"])
def registry(registry_server, request):
    with registry_server.serve() as served:
        served.referrers = request.param
        yield served


@pytest.fixture
def pair():
    return keys.generate()


@pytest.fixture
def pushed(project, registry):
    """The reference of an image that was built and pushed."""
    with Cache.open(project.cache) as cache:
        digest = build(load(project.root), push=f"{registry.host}/{NAME}:v1", cache=cache).digest
    return f"{registry.host}/{NAME}@{digest}"


@pytest.fixture
def signed(project, pushed, pair):
    with Cache.open(project.cache) as cache:
        attest(pushed, key=pair, root=project.root, cache=cache)
    return pushed


@pytest.fixture
def verified(project):
    def call(image, asked, *, root=project.root, progress=SILENT, **options):
        with Cache.open(project.cache) as cache:
            return verify(image, root=root, cache=cache, policy=asked, progress=progress, **options)

    return call


def the_policy(*pairs, **rules):
    return policy.Policy(tuple(pair.public for pair in pairs), **rules)


def envelopes(image):
    with Registries() as registries:
        return attached.found(Reference.parse(image), registries=registries)


def test_a_signed_image_is_rebuilt_from_its_signed_record(signed, verified, pair):
    outcome = verified(signed, the_policy(pair, engines=("native",), bases=("apt:debian/*",)))
    assert outcome.verdict.level is Level.IDENTICAL
    assert outcome.signers == (str(pair.public),)


def test_by_its_tag_too(signed, verified, pair):
    tagged = signed.partition("@")[0] + ":v1"
    assert verified(f"docker://{tagged}", the_policy(pair)).verdict.level is Level.IDENTICAL


def test_signing_twice_attaches_once(signed, project, pair):
    before = envelopes(signed)
    with Cache.open(project.cache) as cache:
        attest(signed, key=pair, root=project.root, cache=cache)
    assert envelopes(signed) == before
    assert len(before) == 1
