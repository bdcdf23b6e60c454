"""`verify` finds the record of what it is given: here, at the git remote, beside the image in a registry."""

from __future__ import annotations

import gzip
import json
import subprocess
from pathlib import Path

import pytest

from envfreeze.compare.model import Level
from envfreeze.digest import Digest
from envfreeze.errors import UsageError
from envfreeze.oci import canonical, layout
from envfreeze.oci.image import ImageValue
from envfreeze.project.load import load
from envfreeze.records import share
from envfreeze.records.git import Repository
from envfreeze.replacing import replace
from envfreeze.store.cache import Cache
from envfreeze.verbs.build import build
from envfreeze.verbs.log import log
from envfreeze.verbs.verify import verify

NAME = "team/train"


@pytest.fixture
def verified(project, monkeypatch):
    """`verified(image, root, **options)`: verify in this process, with the project's cache of downloads."""
    monkeypatch.setenv("TMPDIR", str(project.temporary))

    def call(image, root=project.root, **options):
        with Cache.open(project.cache) as cache:
            return verify(image, root=root, cache=cache, **options)

    return call


@pytest.fixture
def origin(project, tmp_path):
    """A git remote that has the project's commits."""
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "origin.git")], check=True)
    project.git("remote", "add", "origin", (tmp_path / "origin.git").as_uri())
    project.git("push", "-q", "origin", "HEAD:refs/heads/main")
    return tmp_path / "origin.git"


@pytest.fixture
def registry(registry_server):
    with registry_server.serve() as served:
        yield served


def clone(origin, folder, *options):
    command = ["git", "clone", "-q", "-b", "main", *options, origin.as_uri(), str(folder)]
    subprocess.run(command, check=True)
    return folder


def built(project, **options):
    with Cache.open(project.cache) as cache:
        return build(load(project.root), cache=cache, **options).digest


def configured(project, line):
    project.write("envfreeze.toml", (project.root / "envfreeze.toml").read_text() + f"\n[record]\n{line}\n")
    project.commit()


def test_a_record_that_is_not_here_is_fetched_from_the_remote(project, origin, verified, tmp_path):
    digest = built(project)
    share.push(Repository.find(project.root))
    there = clone(origin, tmp_path / "there")
    with pytest.raises(UsageError, match="no record") as caught:
        verified(digest, there, offline=True)
    assert "--offline" in caught.value.hint
    assert verified(digest, there).verdict.level is Level.IDENTICAL
    assert verified(digest, there, offline=True).verdict.level is Level.IDENTICAL


def test_a_shallow_clone_fetches_the_recorded_commit(project, origin, verified, tmp_path):
    digest = built(project)
    share.push(Repository.find(project.root))
    project.write("train.py", "print('later')\n")
    project.commit()
    project.git("push", "-q", "origin", "HEAD:refs/heads/main")
    there = clone(origin, tmp_path / "there", "--depth=1")
    outcome = verified(digest, there)
    assert outcome.verdict.level is Level.IDENTICAL
    shallow = Repository.find(there).git.run("rev-list", "--count", "HEAD")
    assert shallow == b"1\n"


def test_a_lock_that_nobody_committed_comes_from_the_remote(small_project, verified, tmp_path):
    work = small_project(where="uncommitted")
    work.lock()
    digest = built(work)
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "o.git")], check=True)
    work.git("remote", "add", "origin", (tmp_path / "o.git").as_uri())
    work.git("push", "-q", "origin", "HEAD:refs/heads/main", "refs/notes/envfreeze")
    there = clone(tmp_path / "o.git", tmp_path / "there")
    with pytest.raises(UsageError, match="not in this clone"):
        verified(digest, there)
    share.push(Repository.find(work.root))
    assert verified(digest, there).verdict.level is Level.IDENTICAL


def test_a_record_beside_the_image_is_found_by_its_digest(project, registry, verified, origin, tmp_path):
    configured(project, 'store = ["registry"]')
    project.git("push", "-q", "origin", "HEAD:refs/heads/main")
    ref = f"{registry.host}/{NAME}"
    digest = built(project, push=f"{ref}:v1")
    assert project.git("for-each-ref", "refs/notes") == ""
    there = clone(origin, tmp_path / "there")
    for image in (f"{ref}@{digest}", f"docker://{ref}:v1"):
        outcome = verified(image, there)
        assert (outcome.verdict.level, outcome.record.digest) == (Level.IDENTICAL, digest)
    config = outcome.record.manifests[0].config
    with pytest.raises(UsageError, match="no record") as caught:
        verified(config, there)
    assert "registry.example.org/team/train@" in caught.value.hint
    with (there / "envfreeze.toml").open("a") as file:
        file.write(f'repository = "{ref}"\n')
    assert [build.entry.digest for build in log(there).builds] == [digest]
    assert log(project.root).builds == ()
    assert verified(config, there).verdict.level is Level.IDENTICAL


def test_an_image_without_project_files_is_verified_where_there_is_no_repository(
    project, registry, verified, tmp_path
):
    toml = (project.root / "envfreeze.toml").read_text().replace('include = ["train.py"]\n', "")
    project.write("envfreeze.toml", toml)
    project.lock()
    configured(project, 'store = ["registry"]')
    ref = f"{registry.host}/{NAME}"
    digest = built(project, push=f"{ref}:v1")
    nowhere = tmp_path / "nowhere"
    nowhere.mkdir()
    outcome = verified(f"{ref}@{digest}", nowhere, record=False)
    assert outcome.verdict.level is Level.IDENTICAL
    assert outcome.record.source.commit == project.git("rev-parse", "HEAD")
    assert list(nowhere.iterdir()) == []


def test_a_build_of_the_registry_s_records_alone_that_is_not_pushed_is_warned_of(project):
    configured(project, 'store = ["registry"]')
    ended = project.run("build")
    assert ended.code == 0
    assert "recorded nowhere" in ended.stderr


def packed_anew(image, registry_server, change=lambda config: config):
    """The image as Docker's classic store pushes it: the same tars, compressed by another compressor."""
    layers = []
    for layer in image.layers:
        with layer.open() as blob:
            tar = gzip.decompress(blob.read())
        made = registry_server.MemoryLayer(gzip.compress(tar, 1, mtime=7), layer.diff_id, layer.media_type)
        layers.append(made)
    config = canonical.dump(change(json.loads(image.config)))
    manifest = json.loads(image.manifest)
    manifest["config"] |= {"digest": str(Digest.of(config)), "size": len(config)}
    manifest["layers"] = [
        {"mediaType": one.media_type, "digest": str(one.digest), "size": one.size} for one in layers
    ]
    return ImageValue(canonical.dump(manifest), config, tuple(layers))


def test_an_image_that_a_store_packed_anew_is_found_by_its_config(
    project, registry, registry_server, verified
):
    digest = built(project)
    anew = packed_anew(layout.read(project.root / ".envfreeze/image"), registry_server)
    assert anew.digest != digest
    registry.push(anew, NAME, "v1")
    outcome = verified(f"{registry.host}/{NAME}@{anew.digest}")
    assert outcome.verdict.level is Level.LAYERS
    assert (outcome.verdict.reference, outcome.verdict.rebuilt) == (anew.digest, digest)
    assert str(digest) in outcome.verdict.findings[0].what
    other = packed_anew(
        layout.read(project.root / ".envfreeze/image"),
        registry_server,
        lambda config: config | {"author": "x"},
    )
    registry.push(other, NAME, "v2")
    outcome = verified(f"{registry.host}/{NAME}:v2")
    assert (outcome.verdict.level, outcome.verdict.reference) == (Level.TREE, other.digest)


def test_an_image_in_a_folder_is_verified_as_its_digest_is(project, verified, tmp_path):
    digest = built(project, output=tmp_path / "image")
    outcome = verified(f"oci:{tmp_path / 'image'}")
    assert (outcome.verdict.level, outcome.verdict.reference) == (Level.IDENTICAL, digest)


def test_a_lock_is_enough(project, verified, tmp_path):
    digest = built(project, output=tmp_path / "image")
    project.git("update-ref", "-d", "refs/notes/envfreeze")
    lock = project.root / "envfreeze.lock"
    config = Digest.of(layout.read(tmp_path / "image").config)
    for image in (config, f"oci:{tmp_path / 'image'}"):
        outcome = verified(image, tmp_path, lock=lock)
        assert (outcome.verdict.level, outcome.record) == (Level.IDENTICAL, None)
    assert verified(digest, tmp_path, lock=project.root).verdict.level is Level.IDENTICAL
    project.write("train.py", "print('another')\n")
    outcome = verified(digest, tmp_path, lock=lock)
    assert outcome.verdict.level is Level.DIFFERENT
    outcome = verified(f"oci:{tmp_path / 'image'}", tmp_path, lock=lock)
    assert outcome.verdict.level is not Level.IDENTICAL
    assert "app/train.py" in {finding.path for finding in outcome.verdict.findings}
    with pytest.raises(UsageError, match="pylock"):
        verified(digest, tmp_path, lock=project.root / "pylock.toml")


def test_the_command_takes_an_image_or_a_lock(project, tmp_path):
    digest = built(project, output=tmp_path / "image")
    elsewhere = replace(project, root=Path(tmp_path))
    ended = elsewhere.run("verify", str(digest), "--lock", str(project.root / "envfreeze.lock"), "--json")
    assert (ended.code, ended.document["verdict"], ended.document["record"]) == (0, "identical", None)
    assert elsewhere.run("verify", "nothing-of-that-name").code == 2
