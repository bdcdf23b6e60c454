"""`sbom`, and bills that a push leaves beside an image."""

from __future__ import annotations

import json

import pytest

from envfreeze.cli.main import main
from envfreeze.digest import Digest
from envfreeze.errors import UsageError
from envfreeze.oci.reference import Reference
from envfreeze.oci.registry.connection import Registries
from envfreeze.oci.registry.referrers import fetch, listed
from envfreeze.project.load import load
from envfreeze.records.trust import attached as attached_
from envfreeze.records.trust import bills, envelope, keys, provenance
from envfreeze.store.cache import Cache
from envfreeze.verbs import sbom as verb
from envfreeze.verbs.build import build

NAME = "team/train"


@pytest.fixture
def registry(registry_server):
    with registry_server.serve() as served:
        yield served


def built(project, **options):
    with Cache.open(project.cache) as cache:
        return build(load(project.root), cache=cache, record=False, **options)


def attached(registry, digest, kind):
    reference = Reference.parse(f"{registry.host}/{NAME}@{digest}")
    with Registries() as registries:
        (one,) = listed(reference, registries=registries, artifact_type=kind)
        (part,) = fetch(reference, one, registries=registries)
    assert part.media_type == kind
    return json.loads(part.content)


def names(document):
    return {one["name"] for one in document["components"]}


def test_the_lock_s_bill_is_printed_or_written(project, capsys, tmp_path):
    assert main(["sbom", "-C", str(project.root)]) == 0
    printed = capsys.readouterr().out
    assert {"alpha", "beta", "gamma", "libc6", "python3.13"} <= names(json.loads(printed))
    for form in ("cyclonedx", "spdx"):
        target = tmp_path / form
        assert main(["sbom", "-C", str(project.root), "--format", form, "-o", str(target), "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["format"], told["output"], told["attached"]) == (form, str(target), None)
        assert json.loads(target.read_bytes())
    assert (tmp_path / "cyclonedx").read_text() == printed
    assert main(["sbom", "-C", str(tmp_path)]) == 2


def test_an_image_s_bill_with_its_lock_has_both(project, tmp_path):
    built(project, output=tmp_path / "image")
    alone = verb.sbom(project.root, f"oci:{tmp_path / 'image'}")
    both = verb.sbom(project.root, f"oci:{tmp_path / 'image'}", lock=project.root)
    first, second = (
        {one["name"]: one for one in json.loads(made.document)["components"]} for made in (alone, both)
    )
    assert first.keys() == second.keys() > {"alpha", "beta", "gamma", "libc6"}
    wheel = Digest.of(project.site.files["/wheels/beta-1.0-py3-none-any.whl"])
    assert "hashes" not in first["beta"]
    assert second["beta"]["hashes"] == [{"alg": "SHA-256", "content": wheel.hex}]
    assert verb.sbom(project.root, f"oci:{tmp_path / 'image'}").document == alone.document


def test_a_push_leaves_the_bill_of_the_image(project, registry):
    ref = f"{registry.host}/{NAME}"
    outcome = built(project, push=f"{ref}:v1", sbom="cyclonedx")
    document = attached(registry, outcome.digest, "application/vnd.cyclonedx+json")
    assert document["metadata"]["component"]["version"] == str(outcome.digest)
    assert {"alpha", "libc6"} <= names(document)
    made = verb.sbom(project.root, f"{ref}:v1", form="spdx")
    first = verb.attach(made, f"{ref}:v1")
    assert verb.attach(made, f"{ref}:v1") == first
    document = attached(registry, outcome.digest, "application/spdx+json")
    assert document["spdxVersion"] == "SPDX-2.3"


def test_a_bill_is_not_attached_to_another_image(project, registry, registry_server, tmp_path):
    built(project, output=tmp_path / "image")
    registry.push(registry_server.image_of([{"a": b""}]), NAME, "other")
    made = verb.sbom(project.root, f"oci:{tmp_path / 'image'}")
    with pytest.raises(UsageError, match="the bill is of"):
        verb.attach(made, f"{registry.host}/{NAME}:other")


def test_a_bill_is_wanted_only_where_an_image_is_pushed(project):
    for options, words in (({"sbom": "cyclonedx"}, "--push"), ({"sbom": "csv", "push": "x/y"}, "csv")):
        with pytest.raises(UsageError) as caught:
            built(project, **options)
        assert words in caught.value.message + caught.value.hint


def test_of_several_platforms_one_has_to_be_named(project, registry, registry_server):
    images = [registry_server.image_of([{"a": b""}], architecture=one) for one in ("amd64", "arm64")]
    registry.push_index(images, NAME, "both")
    ref = f"{registry.host}/{NAME}:both"
    with pytest.raises(UsageError, match="linux/amd64, linux/arm64") as caught:
        verb.sbom(project.root, ref)
    assert caught.value.hint == "--platform linux/amd64"
    made = verb.sbom(project.root, ref, platform=images[1].platform)
    assert made.bill.subject == images[1].digest
    verb.attach(made, ref)
    assert attached(registry, images[1].digest, "application/vnd.cyclonedx+json")["components"] == []


def test_a_bill_that_a_key_signed_is_demanded_by_the_policy(project, registry, tmp_path, monkeypatch, capsys):
    registry.referrers = True  # keeping a tag takes pauses
    monkeypatch.setenv("ENVFREEZE_CACHE", str(project.cache))
    for name in ("ci", "other"):
        keys.write(keys.generate(), tmp_path / name)
    ref = f"{registry.host}/{NAME}"
    with Cache.open(project.cache) as cache:
        outcome = build(load(project.root), cache=cache, push=f"{ref}:v1", sign_key=str(tmp_path / "ci"))
    image = f"{ref}@{outcome.digest}"
    (tmp_path / "policy").write_text(
        'schema = 1\nlevel = "signed"\nsbom = "cyclonedx"\n[[key]]\nfile = "ci.pub"\n'
    )

    def verified():
        code = main(
            ["verify", image, "--policy", str(tmp_path / "policy"), "-C", str(project.root), "--json"]
        )
        return code, capsys.readouterr().out

    made = verb.sbom(project.root, image)

    def attach(key):
        return verb.attach(made, image, who=keys.read_private(str(tmp_path / key)))

    code, out = verified()
    assert (code, "none is attached to it" in out, "--sbom cyclonedx" in out) == (6, True, True), out
    attach("other")
    code, out = verified()
    assert (code, "nobody has signed what is in it" in out) == (6, True), out
    # Its own key, for this image, and a document of another.
    other = json.loads(made.document)
    root = {"version": f"sha256:{'0' * 64}", "hashes": []}
    other["metadata"]["component"] |= root
    at = Reference.parse(image)
    forged = bills.of_image(json.dumps(other).encode(), "cyclonedx", outcome.digest)
    with Registries() as registries:
        signed = envelope.sign(forged, keys.read_private(str(tmp_path / "ci")))
        kind = bills.PREDICATES["cyclonedx"]
        attached_.put(at, [outcome.digest], signed, (), predicate=kind, registries=registries)
    code, out = verified()
    assert (code, f"the bill in it is of sha256:{'0' * 64}" in out) == (6, True), out
    first = attach("ci")
    assert verified()[0] == 0
    # What is attached unsigned stays the same, and attaching and signing it again changes nothing.
    assert attached(registry, outcome.digest, "application/vnd.cyclonedx+json") == json.loads(made.document)
    before = dict(registry.manifests[NAME])
    assert attach("ci") == first
    assert registry.manifests[NAME] == before


def test_the_command_signs_the_bill_that_it_attaches(project, registry, tmp_path, capsys):
    registry.referrers = True
    keys.write(keys.generate(), tmp_path / "ci")
    (tmp_path / "ci").chmod(0o640)
    digest = built(project, push=f"{registry.host}/{NAME}:v1").digest
    image = f"{registry.host}/{NAME}@{digest}"
    words = ["sbom", image, "--attach", image, "--key", str(tmp_path / "ci"), "-o", str(tmp_path / "bill")]
    assert main([*words, "-C", str(project.root)]) == 0
    told = capsys.readouterr().err
    assert "and signed" in told
    assert "is open to others (mode 0640)" in told
    with Registries() as registries:
        (found,) = attached_.found(Reference.parse(image), registries=registries)
    signed = json.loads(envelope.parse(found.content, "it").payload)
    assert signed["predicate"] == json.loads((tmp_path / "bill").read_bytes())


def test_a_push_signs_the_bill_that_it_leaves(project, registry, tmp_path):
    keys.write(keys.generate("ecdsa-p256"), tmp_path / "ci")
    options = {"push": f"{registry.host}/{NAME}:v1", "sbom": "spdx", "sign_key": str(tmp_path / "ci")}
    with Cache.open(project.cache) as cache:
        digest = build(load(project.root), cache=cache, **options).digest
    with Registries() as registries:
        found = attached_.found(Reference.parse(f"{registry.host}/{NAME}@{digest}"), registries=registries)
    stated = [json.loads(envelope.parse(one.content, "it").payload) for one in found]
    assert {one["predicateType"] for one in stated} == {provenance.PREDICATE, bills.PREDICATES["spdx"]}
    (bill,) = [one for one in stated if one["predicateType"] == bills.PREDICATES["spdx"]]
    assert bill["predicate"] == attached(registry, digest, "application/spdx+json")
