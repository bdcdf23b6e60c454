"""Images that are signed where they are built, and verified by a policy elsewhere; every forgery is found."""

from __future__ import annotations

import json

import pytest

from envfreeze.cli.commands import run
from envfreeze.compare.model import Level
from envfreeze.digest import Digest
from envfreeze.errors import AnswerIsNoError, UntrustedError, UsageError
from envfreeze.oci.reference import Reference
from envfreeze.oci.registry.connection import Registries
from envfreeze.oci.registry.referrers import Part, attach
from envfreeze.progress import SILENT
from envfreeze.project.load import load
from envfreeze.records import lines
from envfreeze.records.registry_shelf import TYPE
from envfreeze.records.trust import attached, envelope, keys, policy, provenance
from envfreeze.replacing import replace
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


@pytest.fixture
def registry(registry_server):
    with registry_server.serve() as served:
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


def test_a_signed_image_is_rebuilt_from_its_signed_record(signed, project, verified, pair, tmp_path):
    asked = the_policy(pair, engines=("native",), bases=("apt:debian/*",))
    outcome = verified(signed, asked)
    assert outcome.verdict.level is Level.IDENTICAL
    assert outcome.signers == (str(pair.public),)
    tagged = "docker://" + signed.partition("@")[0] + ":v1"
    # Elsewhere, where there is no repository: the lock lies beside the envelope.
    (tmp_path / "elsewhere").mkdir()
    assert trusted.check(tagged, asked, root=tmp_path / "elsewhere").signed.signers == (pair.public,)
    # Signing it again attaches nothing, also where the folder has another lock by now.
    before = envelopes(signed)
    (project.root / "envfreeze.lock").unlink()
    with Cache.open(project.cache) as cache:
        attest(signed, key=pair, root=project.root, cache=cache)
    assert envelopes(signed) == before
    assert len(before) == 1


def test_build_signs_what_it_pushes(project, registry, verified, pair, tmp_path):
    keys.write(pair, tmp_path / "key")
    where = f"{registry.host}/{NAME}"
    project.write("requirements.txt", "alpha\ngamma\n# not committed\n")
    with Cache.open(project.cache) as cache:
        outcome = build(load(project.root), push=f"{where}:v2", sign_key=str(tmp_path / "key"), cache=cache)
    assert outcome.attested.keyid == pair.public.id
    image = f"{where}@{outcome.digest}"
    with pytest.raises(AnswerIsNoError, match="not committed"):
        verified(image, the_policy(pair))
    assert verified(image, the_policy(pair, dirty=True)).verdict.level is Level.IDENTICAL


@pytest.mark.parametrize("options", [{}, {"push": "127.0.0.1:9/x:v1", "record": False}])
def test_a_key_without_something_to_sign_is_refused_before_the_build(project, options):
    with pytest.raises(UsageError, match="--sign-key"), Cache.open(project.cache) as cache:
        build(load(project.root), sign_key="key", cache=cache, **options)


def test_what_is_not_signed_as_asked_is_not_trusted(
    pushed, project, registry, registry_server, verified, pair, tmp_path
):
    with pytest.raises(UntrustedError, match="nothing signed is attached") as caught:
        verified(pushed, the_policy(pair))
    assert "envfreeze attest" in caught.value.hint
    with Cache.open(project.cache) as cache:
        attest(pushed, key=pair, root=project.root, output=tmp_path / "signed", cache=cache)
    with pytest.raises(UntrustedError, match="not trusted") as caught:
        verified(pushed, the_policy(keys.generate()))
    assert "nobody has signed" in caught.value.details[0]
    # Another image, whose own signature that is not.
    other = registry_server.image_of([{"etc/os-release": b"ID=debian\n"}])
    at = Reference.parse(f"{registry.host}/{NAME}@{registry.push(other, NAME, 'other')}")
    with Registries() as registries:
        taken = envelope.parse((tmp_path / "signed").read_bytes(), "it")
        attached.put(at, [at.digest], taken, [], registries=registries)
    with pytest.raises(UntrustedError) as caught:
        verified(str(at), the_policy(pair))
    assert "belongs to another image" in caught.value.details[0]
    # Without a registry it is verified by the file.
    digest = pushed.partition("@")[2]
    with pytest.raises(UsageError, match="where to look"):
        verified(digest, the_policy(pair))
    outcome = verified(digest, the_policy(pair), attestations=[tmp_path / "signed"], offline=True)
    assert outcome.verdict.level is Level.IDENTICAL


def test_a_forged_note_is_not_used_and_told(signed, project, verified, pair):
    recorded = project.records()[0]
    forged = replace(recorded, engine_version="9.9", at="2030-01-01T00:00:00Z")
    project.git("notes", "--ref=envfreeze", "add", "-f", "-m", lines.render(forged).decode())
    told = Told()
    outcome = verified(signed, the_policy(pair), progress=told)
    assert outcome.record == recorded
    assert any("is not signed" in warning for warning in told.warnings)


def test_a_changed_lock_beside_the_envelope_is_found(signed, registry, pair, tmp_path):
    (found,) = envelopes(signed)
    lock = provenance.parse(envelope.parse(found.content, "it").payload, "it").record.source.lock
    digest = str(lock["envfreeze.lock"].digest)
    registry.blobs[NAME][digest] = registry.blobs[NAME][digest].replace(b"trixie", b"sidsid")
    with pytest.raises(UntrustedError, match="digest"):
        trusted.check(signed, the_policy(pair, bases=("apt:debian/trixie",)), root=tmp_path)


def test_a_damaged_record_beside_the_image_is_not_asked(project, registry, pair, verified, tmp_path):
    project.write("requirements.txt", "alpha\ngamma\n# not committed\n")
    with Cache.open(project.cache) as cache:
        digest = build(
            load(project.root), push=f"{registry.host}/{NAME}:v1", sign_key=pair, cache=cache
        ).digest
    image = f"{registry.host}/{NAME}@{digest}"
    with Registries() as registries:
        attach(Reference.parse(image), [Part(TYPE, b"record")], artifact_type=TYPE, registries=registries)
    registry.blobs[NAME][str(Digest.of(b"record"))] = b"changed"
    elsewhere = tmp_path / "elsewhere"  # the change has to be fetched; the lock lies beside what is signed
    project.git("clone", "-q", "--no-local", str(project.root), str(elsewhere))
    outcome = verified(image, the_policy(pair, dirty=True), root=elsewhere)
    assert outcome.verdict.level is Level.IDENTICAL


@pytest.mark.parametrize("builder", ["\udcff", "https://ci.example.org\n"])
def test_a_builder_that_is_no_text_is_refused(project, pair, builder):
    with pytest.raises(UsageError, match="--builder-id"):
        attest("127.0.0.1:9/x:v1", key=pair, root=project.root, builder=builder)


def test_offline_it_is_said_where_the_signature_would_be(project, pair):
    image = "127.0.0.1:9/x@sha256:" + "0" * 64
    with pytest.raises(UsageError, match="and --offline asks nobody") as caught:
        trusted.check(image, the_policy(pair), root=project.root, offline=True)
    assert "leave --offline out" in caught.value.hint


def test_only_what_is_recorded_here_is_signed(pushed, project, pair):
    project.git("update-ref", "-d", "refs/notes/envfreeze")
    with pytest.raises(UsageError, match="no record"), Cache.open(project.cache) as cache:
        attest(pushed, key=pair, root=project.root, cache=cache)


def test_the_command_line_says_it_with_its_exit_codes(signed, project, pair, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ENVFREEZE_CACHE", str(project.cache))
    keys.write(pair, tmp_path / "ci")
    keys.write(keys.generate(), tmp_path / "other")
    text = 'schema = 1\nlevel = "{}"\n{}\n[[key]]\nfile = "{}.pub"\n'
    for name, rules, code, said in (
        ("good", ("identical", 'engines = ["native"]', "ci"), 0, "identical"),
        ("signed", ("signed", 'bases = ["apt:debian/trixie"]', "ci"), 0, "signed"),
        ("key", ("signed", "", "other"), 6, "not trusted"),
        ("engine", ("signed", 'engines = ["docker"]', "ci"), 1, "engine native"),
        (
            "base",
            ("signed", 'bases = ["nvidia/cuda:*"]', "ci"),
            1,
            "base of linux/amd64 is apt:debian/trixie",
        ),
        ("base-too", ("identical", 'bases = ["nvidia/cuda:*"]', "ci"), 1, "is not among bases"),
        ("wrong", ("signed", "engine = 1", "ci"), 2, "did you mean engines?"),
    ):
        (tmp_path / name).write_text(text.format(*rules))
        words = ["verify", signed, "--policy", str(tmp_path / name), "-C", str(project.root), "--json"]
        ended = run(words)
        out = capsys.readouterr().out
        assert (ended, said in out) == (code, True), out
    key = (tmp_path / "ci").read_text()
    monkeypatch.setenv("SIGNING", key)
    words = ["attest", signed, "--key", "env://SIGNING", "-C", str(project.root), "--json"]
    assert run(words) == 0
    told = capsys.readouterr()
    document = json.loads(told.out)
    assert document["keyid"] == pair.public.id
    assert key.splitlines()[1] not in told.out + told.err
