"""What Docker makes of an image when it pushes, and records beside images in a real registry."""

from __future__ import annotations

import json

import pytest

from envfreeze.compare.model import Level
from envfreeze.digest import Digest
from envfreeze.oci.registry.push import push
from envfreeze.project.model import RecordSettings
from envfreeze.records import lines
from envfreeze.store.cache import Cache
from envfreeze.verbs import recording
from envfreeze.verbs.sbom import attach, sbom
from envfreeze.verbs.verify import verify


@pytest.fixture
def verified(digits):
    def call(image):
        with Cache.open(digits.cache) as cache:
            return verify(image, root=digits.root, cache=cache, record=False)

    return call


@pytest.mark.usefixtures("dockerd")
def test_an_image_that_docker_packed_anew_is_the_recorded_one(digits, registry, run, verified):
    run("docker", "load", "--input", str(_archive(digits, run)))
    name = f"{registry.host}/packed/digits:v1"
    config = Digest.of(digits.images[0].config)
    run("docker", "tag", str(config), name)
    run("docker", "push", "--quiet", name)
    pushed = json.loads(run("docker", "image", "inspect", "--format", "{{json .RepoDigests}}", name))
    digest = Digest.parse(pushed[0].partition("@")[2])
    assert str(digest) != digits.digest
    # Where it was pushed to, by its digest alone as this machine's Docker knows it, and by the image's ID.
    for image in (f"{registry.host}/packed/digits@{digest}", str(digest)):
        outcome = verified(image)
        assert (outcome.verdict.level, outcome.verdict.reference) == (Level.LAYERS, digest)
        assert str(outcome.verdict.rebuilt) == digits.digest
    assert verified(str(config)).verdict.level is Level.IDENTICAL


def _archive(digits, run):
    path = digits.root.parent / "digits.tar"
    run("skopeo", "copy", "--quiet", f"oci:{digits.layout}", f"oci-archive:{path}")
    # 20.10 reads what `docker save` writes, which skopeo makes of it.
    target = digits.root.parent / "digits-docker.tar"
    target.unlink(missing_ok=True)
    run("skopeo", "copy", "--quiet", f"oci-archive:{path}", f"docker-archive:{target}")
    return target


def test_records_and_bills_are_read_back_from_a_real_registry(digits, registry, tmp_path):
    name = f"{registry.host}/records/digits"
    with Cache.open(digits.cache) as cache:
        push(digits.image, f"{name}:v1", cache=cache)
        settings = RecordSettings(("registry",), name)
        with recording.opened(digits.root, settings, cache=cache) as store:
            (record,) = store.find(Digest.parse(digits.digest))
            content = {file: (digits.root / file).read_bytes() for file in record.source.lock}
            store.attach(record, content)
        with recording.opened(tmp_path, settings, cache=cache) as store:
            for digest in (record.digest, record.manifests[0].config):
                assert store.find_in_registry(digest) == (record,)
            assert set(store.attached(record).values()) == set(content.values())
        made = sbom(digits.root, f"{name}:v1", lock=digits.root)
        assert attach(made, f"{name}:v1", cache=cache) == attach(made, f"{name}:v1", cache=cache)
    assert lines.parse(lines.render(record)) == record
    components = {one["name"]: one for one in json.loads(made.document)["components"]}
    assert components["scikit-learn"]["licenses"]
    assert components["scikit-learn"]["hashes"]
    assert components["libc6"]["licenses"]
