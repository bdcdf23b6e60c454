"""Peers take the image: whatever reads gzip, registries, engines; and the training runs in it."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import stat
import subprocess
import tarfile
from pathlib import Path

import pytest
from isal import igzip

from envfreeze.digest import Digest
from envfreeze.oci import archive, layout
from envfreeze.oci.validate import validate

pytestmark = pytest.mark.network

CHUNK = 1 << 20


def digest_of(stream) -> str:
    hashed = hashlib.sha256()
    while chunk := stream.read(CHUNK):
        hashed.update(chunk)
    return f"sha256:{hashed.hexdigest()}"


def test_every_digest_size_and_diff_id_is_right(digits):
    assert validate(digits.image) == ()
    assert str(digits.image.digest) == digits.digest


def test_the_archive_holds_the_same_image(digits, envfreeze, tmp_path):
    image = tmp_path / "image.tar"
    printed = envfreeze("build", "--no-record", "--archive", str(image), at=digits.root)
    assert printed == digits.digest
    assert validate(archive.read(image)) == ()
    assert str(archive.read(image).digest) == digits.digest


def test_the_layout_holds_the_image_and_nothing_else(digits):
    """Each blob is what its name says, and every blob is needed."""
    names = set()
    for blob in (digits.layout / "blobs" / "sha256").iterdir():
        with blob.open("rb") as file:
            assert digest_of(file) == f"sha256:{blob.name}"
        names.add(f"sha256:{blob.name}")
    assert names == {
        digits.digest,
        str(Digest.of(digits.image.config)),
        *(str(layer.digest) for layer in digits.image.layers),
    }
    assert {path.name for path in digits.layout.iterdir()} == {"blobs", "index.json", "oci-layout"}


@pytest.mark.parametrize("opened", [gzip.open, igzip.open])
def test_any_gzip_library_reads_the_layers(digits, opened):
    for layer in digits.image.layers:
        with opened(digits.layout / "blobs" / "sha256" / layer.digest.hex) as stream:
            assert digest_of(stream) == str(layer.diff_id)


def test_gzip_itself_reads_the_layers_without_a_word(digits, need):
    need("gzip", shutil.which("gzip") is not None, "no gzip on this machine")
    for layer in digits.image.layers:
        with (digits.layout / "blobs" / "sha256" / layer.digest.hex).open("rb") as blob:
            tested = subprocess.run(["gzip", "--test"], stdin=blob, capture_output=True, check=True)
            assert not tested.stderr
            blob.seek(0)
            with subprocess.Popen(["gzip", "-dc"], stdin=blob, stdout=subprocess.PIPE) as process:
                assert digest_of(process.stdout) == str(layer.diff_id)
            assert process.returncode == 0


def test_the_system_s_tar_reads_every_layer_without_a_word(digits, run):
    for layer in digits.image.layers:
        path = digits.layout / "blobs" / "sha256" / layer.digest.hex
        assert run("tar", "--list", "--gzip", "--file", str(path))


# Registries and engines


@pytest.fixture(scope="session")
def pushed(digits, registry, need):
    """The image's name in a registry, to which skopeo pushed it."""
    need("skopeo", shutil.which("skopeo") is not None, "no skopeo on this machine")
    name = f"{registry.host}/team/digits"
    source = f"oci:{digits.layout}:frozen"
    options = ["--insecure-policy", "--preserve-digests", "--dest-tls-verify=false"]
    subprocess.run(["skopeo", "copy", "--quiet", *options, source, f"docker://{name}:1"], check=True)
    return name


def test_a_registry_has_it_under_the_same_digest(pushed, digits, run):
    shown = run("skopeo", "inspect", "--tls-verify=false", "--format", "{{.Digest}}", f"docker://{pushed}:1")
    assert shown.strip() == digits.digest
    raw = run("skopeo", "inspect", "--tls-verify=false", "--raw", f"docker://{pushed}@{digits.digest}")
    assert raw.encode() == digits.image.manifest


def test_it_comes_back_from_the_registry_unchanged(pushed, digits, run, tmp_path):
    run(
        "skopeo",
        "copy",
        "--quiet",
        "--insecure-policy",
        "--preserve-digests",
        "--src-tls-verify=false",
        f"docker://{pushed}@{digits.digest}",
        f"oci:{tmp_path / 'back'}:frozen",
    )
    back = layout.read(tmp_path / "back")
    assert str(back.digest) == digits.digest
    assert validate(back) == ()


@pytest.fixture(scope="session")
def pulled(pushed, digits, docker_host):
    """The image's name in Docker, which pulled it from the registry by digest."""
    name = f"{pushed}@{digits.digest}"
    subprocess.run(["docker", "-H", docker_host, "pull", "--quiet", name], check=True, capture_output=True)
    return name


@pytest.mark.usefixtures("dockerd")
def test_docker_pulls_and_runs_it(pulled, digits, run):
    assert run("docker", "image", "inspect", "--format", "{{.Id}}", pulled).strip() == str(
        Digest.of(digits.image.config)
    )
    run("docker", "run", "--rm", "--network=none", pulled, "python", "-c", "import sklearn")


def test_build_loads_it_into_docker(dockerd, digits, envfreeze, run, tmp_path):
    options = ["--no-record", "--load", "--tag", "digits:loaded", "--output", str(tmp_path / "image")]
    docker = {"DOCKER_HOST": dockerd}
    document = json.loads(envfreeze("build", *options, "--json", at=digits.root, env=docker))
    assert document["digest"] == digits.digest
    assert document["loaded"] == str(Digest.of(digits.image.config))
    shown = run("docker", "image", "inspect", "--format", "{{.Id}}", "digits:loaded")
    assert shown.strip() == document["loaded"]


def listing(root: Path) -> dict[str, tuple[object, ...]]:
    """All paths below a folder with what an image says of each, but the devices that a test put there."""
    found = {}
    for folder, folders, names in os.walk(root):
        for path in (Path(folder, name) for name in folders + names):
            told = path.lstat()
            if stat.S_ISCHR(told.st_mode):
                continue
            content: object = None
            if stat.S_ISREG(told.st_mode):
                content = hashlib.sha256(path.read_bytes()).hexdigest()
            elif stat.S_ISLNK(told.st_mode):
                content = path.readlink()
            # A later layer's file touches the folder that it comes into, and few programs put that right.
            mtime = None if stat.S_ISDIR(told.st_mode) else told.st_mtime
            found[str(path.relative_to(root))] = (oct(told.st_mode), told.st_uid, told.st_gid, mtime, content)
    return found


def test_umoci_unpacks_the_tree_that_tar_unpacks(umoci, digits, unpack, run, big):
    (image,) = digits.images
    bundle = big / "bundle"
    run(umoci, "unpack", "--image", f"{digits.layout}:frozen", str(bundle))
    by_umoci, by_tar = listing(bundle / "rootfs"), listing(unpack(image).root)
    assert len(by_umoci) > 5000
    assert by_umoci == by_tar
    configuration = json.loads((bundle / "config.json").read_text())
    assert configuration["process"]["args"] == ["python", "train.py"]
    assert configuration["process"]["cwd"] == "/app"
    assert "PYTHONHASHSEED=0" in configuration["process"]["env"]


# The training


def model(printed: str) -> str:
    (last,) = printed.splitlines()[-1:]
    assert last.startswith("model sha256:")
    return last


@pytest.mark.usefixtures("dockerd")
def test_the_training_gives_the_same_model_twice(pulled, run):
    train = ("docker", "run", "--rm", "--network=none", pulled)
    first = run(*train)
    assert "accuracy 0.9" in first
    assert model(run(*train)) == model(first)


def test_the_training_needs_no_engine(digits_tree):
    """It runs in the bare tree, and gives the same model twice there too."""
    first, second = (
        model(digits_tree("sh", "-c", "cd /app && python -W ignore train.py", PYTHONHASHSEED="0"))
        for _ in range(2)
    )
    assert first == second


# What stands in the layers


def test_entries_tell_nothing_of_this_machine(digits):
    """One time, no names of users, and every parent before what is in it."""
    for layer in digits.image.layers:
        seen = {""}
        with tarfile.open(digits.layout / "blobs" / "sha256" / layer.digest.hex) as tar:
            for member in tar:
                assert member.mtime == 315619200, member.name
                assert (member.uname, member.gname) == ("", "")
                assert member.name.rpartition("/")[0] in seen, member.name
                seen.add(member.name)
