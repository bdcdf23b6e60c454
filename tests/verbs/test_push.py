"""`build --push` and `--cache-from`: what goes to a registry, what comes from it, and what is believed."""

from __future__ import annotations

import json

import pytest

from envfreeze.digest import Digest
from envfreeze.engines.native import catalog
from envfreeze.locking import files
from envfreeze.oci.registry.referrers import tag_of
from envfreeze.replacing import replace

NAME = "team/train"


@pytest.fixture
def registry(registry_server):
    with registry_server.serve() as served:
        yield served


@pytest.fixture
def ref(registry):
    return f"{registry.host}/{NAME}"


def ok(ended):
    assert ended.code == 0, ended.stderr
    return ended


def built(ended):
    return json.loads(ok(ended).stdout)


def fresh(work, name):
    """The same project on a machine that has nothing yet."""
    return replace(work, cache=work.cache.with_name(name))


def from_the_index(work, before):
    return {
        path: count
        for path, count in (work.site.asked - before).items()
        if "/wheels/" in path or "/pool/" in path
    }


def test_a_built_image_is_pushed_and_its_digest_printed(project, registry, ref):
    ended = ok(project.run("build", "--push", f"{ref}:v1"))
    digest = Digest.parse(ended.stdout.strip())
    assert registry.manifests[NAME]["v1"][1] == registry.manifests[NAME][str(digest)][1]
    assert "blobs sent" in ended.stderr
    assert not (project.root / ".envfreeze").exists()
    assert digest == Digest.parse(ok(project.run("build")).stdout.strip())


def test_json_tells_what_was_sent_mounted_and_there(project, registry, ref):
    first = built(project.run("--json", "build", "--push", f"{ref}:v1"))
    blobs = {layer["digest"] for layer in first["images"][0]["layers"]}
    assert blobs < set(first["pushed"]["sent"])
    assert first["pushed"]["bytes"] > 0
    second = built(project.run("--json", "build", "--push", f"{ref}:v2"))
    assert (second["pushed"]["sent"], set(second["pushed"]["there"])) == ([], set(first["pushed"]["sent"]))
    third = built(project.run("--json", "build", "--push", f"{registry.host}/team/other:v1"))
    assert set(third["pushed"]["mounted"]) == set(first["pushed"]["sent"])


def test_one_changed_file_pushes_its_layer_and_the_config(project, ref):
    ok(project.run("build", "--push", f"{ref}:v1"))
    project.write("train.py", "print('changed')\n")
    project.commit()
    changed = built(project.run("--json", "build", "--push", f"{ref}:v2"))
    assert len(changed["pushed"]["sent"]) == 2


def test_a_push_that_fails_tags_nothing_and_keeps_the_record(project, registry, registry_server, ref):
    registry.trouble = lambda method, path: (
        registry_server.Fault(status=403) if method == "PUT" and "/manifests/" in path else None
    )
    ended = project.run("build", "--push", f"{ref}:v1")
    assert ended.code == 4
    assert f"{ref}:v1" in ended.stderr
    assert NAME not in registry.manifests
    assert len(project.records()) == 1


@pytest.mark.parametrize("option", ["--push", "--cache-from"])
def test_registries_are_not_asked_offline(refused, project, ref, option):
    assert f"{option} asks a registry" in refused(project, 2, "build", option, f"{ref}:v1", "--offline")


def test_what_is_no_reference_is_refused_before_anything_is_built(refused, project):
    assert "not an image reference" in refused(project, 2, "build", "--push", "Team/Train:v1")


def test_the_record_goes_to_the_git_remote(project, ref, tmp_path):
    project.git("init", "--quiet", "--bare", str(tmp_path / "remote.git"))
    project.git("remote", "add", "origin", str(tmp_path / "remote.git"))
    document = built(project.run("--json", "build", "--push", f"{ref}:v1"))
    assert document["record_remote"] == "origin"
    assert "refs/notes/envfreeze" in project.git("ls-remote", "origin")


def test_without_a_git_remote_the_record_stays_and_that_is_said(project, ref):
    ended = ok(project.run("build", "--push", f"{ref}:v1"))
    assert "the record stays on this machine" in ended.stderr


# ----------------------------------------------------------------------------------------- ready layers


@pytest.fixture
def pushed(project, ref):
    """The project, whose image a first machine has pushed."""
    project.first = ok(project.run("build", "--push", f"{ref}:main")).stdout.strip()
    return project


def test_layers_of_a_named_image_are_neither_fetched_nor_built_nor_sent(pushed, registry, ref):
    other = fresh(pushed, "other")
    before = pushed.site.asked.copy()
    sent = registry.received()
    document = built(other.run("--json", "build", "--push", f"{ref}:again", "--cache-from", f"{ref}:main"))
    assert document["digest"] == pushed.first
    assert not from_the_index(pushed, before)
    assert document["layers_built"] == 0
    assert document["layers_ready"] > 3
    assert registry.received() - sent < 10_000
    ready = set(document["record"]["reused"])
    assert ready == {layer["digest"] for layer in document["images"][0]["layers"][:-1]}


def test_one_changed_package_is_all_that_is_fetched(pushed, ref, tools):
    other = fresh(pushed, "other")
    wheels = [wheel for wheel in other.lock().targets[0].wheels if wheel.name != "gamma"]
    changed = other.site.add_wheel("gamma", tools.wheel_of("gamma", "2.0"), "2.0")
    other.lock(wheels=[*wheels, changed])
    other.commit()
    before = pushed.site.asked.copy()
    document = built(other.run("--json", "build", "--push", f"{ref}:new", "--cache-from", f"{ref}:main"))
    assert {path.rpartition("/")[2] for path in from_the_index(pushed, before)} == {
        "gamma-2.0-py3-none-any.whl"
    }
    assert document["layers_ready"] > 3
    plain = built(fresh(pushed, "third").run("--json", "build"))
    assert plain["digest"] == document["digest"]


def test_nothing_is_taken_without_being_told_to(pushed, ref):
    document = built(fresh(pushed, "other").run("--json", "build", "--push", f"{ref}:again"))
    assert (document["layers_ready"], document["digest"]) == (0, pushed.first)
    assert document["record"]["reused"] == []


def test_what_is_taken_can_be_written_to_a_layout(pushed, ref):
    other = fresh(pushed, "other")
    document = built(other.run("--json", "build", "--output", "image", "--cache-from", f"{ref}:main"))
    assert document["digest"] == pushed.first
    assert document["layers_ready"] > 3
    ok(other.run("build", "--cache-from", f"{ref}:main"))
    assert str(other.built()) == pushed.first


def test_what_others_say_is_no_fact_of_the_cache(pushed, ref):
    other = fresh(pushed, "other")
    built(other.run("--json", "build", "--push", f"{ref}:again", "--cache-from", f"{ref}:main"))
    document = built(other.run("--json", "build"))
    assert document["layers_ready"] == 0
    assert document["layers_built"] > 3
    assert document["digest"] == pushed.first


def test_verify_takes_nothing_ready_made(pushed, ref):
    other = fresh(pushed, "other")
    built(other.run("--json", "build", "--push", f"{ref}:again", "--cache-from", f"{ref}:main"))
    before = pushed.site.asked.copy()
    assert ok(other.run("verify", pushed.first)).stdout == "identical\n"
    assert from_the_index(pushed, before)


def test_a_lying_catalogue_is_found_out_by_verify(pushed, registry, registry_server, ref):
    evil = registry_server.layer_of({"opt/venv/evil.py": b"1"})
    registry.blobs[NAME][str(evil.digest)] = evil.blob
    tag = tag_of(Digest.parse(pushed.first))
    index = json.loads(registry.manifests[NAME][tag][1])
    manifest = json.loads(registry.manifests[NAME][index["manifests"][0]["digest"]][1])
    document = json.loads(registry.blobs[NAME][manifest["layers"][0]["digest"]])
    victim = next(iter(document["layers"].values()))
    victim |= {"digest": str(evil.digest), "diff_id": str(evil.diff_id), "size": evil.size}
    raw = json.dumps(document).encode()
    registry.blobs[NAME][str(Digest.of(raw))] = raw
    manifest["layers"][0] |= {"digest": str(Digest.of(raw)), "size": len(raw)}
    lying = json.dumps(manifest).encode()
    digest = registry.document(lying, index["manifests"][0]["mediaType"], NAME)
    index["manifests"][0] |= {"digest": str(digest), "size": len(lying)}
    registry.document(json.dumps(index).encode(), index["mediaType"], NAME, tag)
    other = fresh(pushed, "other")
    document = built(other.run("--json", "build", "--push", f"{ref}:bad", "--cache-from", f"{ref}:main"))
    assert str(evil.digest) in document["record"]["reused"]
    assert other.run("verify", document["digest"]).code == 1


@pytest.mark.parametrize(
    ("where", "said"),
    [(f"{NAME}:none", "is not in the registry"), ("team/plain:v1", "no envfreeze has left a catalogue")],
)
def test_where_nothing_can_be_taken_it_is_built(project, registry, registry_server, where, said):
    registry.push(registry_server.image_of([{"a": b"1"}]), "team/plain", "v1")
    ended = ok(project.run("build", "--cache-from", f"{registry.host}/{where}"))
    assert said in ended.stderr


def test_a_layer_that_the_registry_has_lost_is_built(pushed, registry, ref):
    other = fresh(pushed, "other")
    before = built(pushed.run("--json", "build"))["images"][0]["layers"]
    del registry.blobs[NAME][before[1]["digest"]]
    document = built(other.run("--json", "build", "--push", f"{ref}:again", "--cache-from", f"{ref}:main"))
    assert document["layers_built"] >= 1
    assert document["digest"] == pushed.first
    assert before[1]["digest"] in registry.blobs[NAME]


def test_catalogues_are_handed_on(pushed, ref):
    second = fresh(pushed, "second")
    second.write("train.py", "print('second')\n")
    second.commit()
    ok(second.run("build", "--push", f"{ref}:second", "--cache-from", f"{ref}:main"))
    third = fresh(pushed, "third")
    third.write("train.py", "print('third')\n")
    third.commit()
    document = built(third.run("--json", "build", "--push", f"{ref}:third", "--cache-from", f"{ref}:second"))
    assert document["layers_ready"] > 3


def test_a_malformed_catalogue_is_refused():
    for raw in (b"[]", b'{"schema":1}', b'{"schema":1,"layers":[],"verdicts":{},"dist_info":{},"rooms":{}}'):
        with pytest.raises(Exception, match="catalogue"):
            catalog.read(raw, "the catalogue")
    assert catalog.read(b'{"schema":2}', "the catalogue") == catalog.Catalog()
    digest = Digest.of(b"")
    evil = json.dumps(
        {"schema": 1, "layers": {}, "verdicts": {}, "dist_info": {str(digest): "../x.dist-info"}, "rooms": {}}
    )
    with pytest.raises(Exception, match="no catalogue"):
        catalog.read(evil.encode(), "the catalogue")


# --------------------------------------------------------------------------------------------- the seal


def test_a_sealed_lock_downloads_nothing_where_the_registry_has_its_layers(small_project, registry, ref):
    work = small_project()
    work.replace("envfreeze.toml", 'include = ["train.py"]\n', "")
    ok(work.run("lock", "--seal"))
    work.commit()
    first = ok(work.run("build", "--push", f"{ref}:main")).stdout.strip()
    registry.manifests[NAME].pop(tag_of(Digest.parse(first)))  # no catalogue: the seal is enough
    before, sent = work.site.asked.copy(), registry.received()
    document = built(fresh(work, "other").run("--json", "build", "--push", f"{ref}:again"))
    assert document["digest"] == first
    assert document["layers_built"] == 0
    assert set(document["record"]["reused"]) == {layer["digest"] for layer in document["images"][0]["layers"]}
    assert not from_the_index(work, before)
    assert registry.received() - sent < 60_000


def test_a_sealed_lock_with_project_files_needs_no_catalogue_either(small_project, registry, ref):
    work = small_project()
    ok(work.run("lock", "--seal"))
    assert "workdir-free = true" in (work.root / "envfreeze.lock").read_text()
    work.commit()
    first = ok(work.run("build", "--push", f"{ref}:main")).stdout.strip()
    registry.manifests[NAME].pop(tag_of(Digest.parse(first)))
    other = fresh(work, "other")
    other.write("train.py", "print('changed')\n")
    before = work.site.asked.copy()
    document = built(other.run("--json", "build", "--push", f"{ref}:again"))
    assert document["layers_built"] == 0
    assert len(document["pushed"]["sent"]) == 2
    assert not from_the_index(work, before)
    ours = [layer["digest"] for layer in document["images"][0]["layers"]]
    assert built(fresh(work, "third").run("--json", "build"))["digest"] == document["digest"]
    assert set(document["record"]["reused"]) == set(ours[:-1])


def test_a_seal_that_lies_about_the_folder_is_found_out(small_project):
    """The environment has something where the project's files go, and the seal says that it has not."""
    work = small_project()
    work.replace("envfreeze.toml", 'workdir = "/app"', 'workdir = "/usr/lib"')
    ok(work.run("lock", "--seal"))
    lock = work.root / "envfreeze.lock"
    assert "workdir-free" not in lock.read_text()
    locked = files.read(work.root)
    files.write(
        replace(locked, targets=tuple(replace(target, workdir_free=True) for target in locked.targets)),
        work.root,
    )
    ended = work.run("lock", "--check", "--seal")
    assert (ended.code, ended.stdout) == (1, "drift\n")
    assert "the seal says that nothing is at /usr/lib, and something is" in ended.stderr
