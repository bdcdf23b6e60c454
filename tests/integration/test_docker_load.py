"""Docker and Podman take an image and call it by the digest of its config."""

from __future__ import annotations

import gzip
import io
import shutil
import subprocess
import tarfile
from typing import TYPE_CHECKING

import pytest

from envfreeze.digest import Digest
from envfreeze.errors import MachineError, UntrustedError, UsageError
from envfreeze.oci import archive, docker, layout, media
from envfreeze.oci.image import FileLayer, ImageIndex, ImageValue
from envfreeze.oci.manifest import config_json, index_json, manifest_json
from envfreeze.oci.platform import Platform

if TYPE_CHECKING:
    from pathlib import Path

CC = shutil.which("cc") or shutil.which("gcc")


def layer_of(folder: Path, files: dict[str, tuple[int, bytes]]) -> FileLayer:
    """A layer of many gzip members, as spliced layers are."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, (mode, data) in sorted(files.items()):
            info = tarfile.TarInfo(path)
            info.mode, info.size = mode, len(data)
            tar.addfile(info, io.BytesIO(data))
    raw = buffer.getvalue()
    blob = b"".join(gzip.compress(raw[at : at + 1024], mtime=0) for at in range(0, len(raw), 1024))
    digest = Digest.of(blob)
    (folder / digest.hex).write_bytes(blob)
    return FileLayer(digest, Digest.of(raw), len(blob), media.LAYER_GZIP, folder / digest.hex)


def image_of(layers: tuple[FileLayer, ...], platform: str = "linux/amd64", **config) -> ImageValue:
    arguments = {
        "env": ["A=b"],
        "labels": {},
        "user": None,
        "workdir": None,
        "entrypoint": None,
        "cmd": ["/hello"],
    }
    raw = config_json(
        platform=Platform.parse(platform),
        layers=[(layer.diff_id, f"layer-{number}") for number, layer in enumerate(layers)],
        **(arguments | config),
    )
    return ImageValue(manifest_json(raw, layers), raw, layers)


@pytest.fixture
def image(tmp_path: Path) -> ImageValue:
    return image_of(
        (
            layer_of(tmp_path, {"etc/motd": (0o644, b"hello\n" * 1000)}),
            layer_of(tmp_path, {"opt/data": (0o600, bytes(range(256)) * 100)}),
        )
    )


def config_digest(image: ImageValue) -> str:
    return str(Digest.of(image.config))


@pytest.mark.usefixtures("dockerd")
def test_docker_calls_the_image_by_its_configs_digest(image):
    assert docker.load(image) == config_digest(image)


@pytest.mark.usefixtures("dockerd")
def test_docker_gives_the_image_its_tag(image, run):
    assert docker.load(image, tag="example.org/team/digits:1.0") == config_digest(image)
    shown = run(
        "docker", "image", "inspect", "--format", "{{.Id}} {{.RepoTags}}", "example.org/team/digits:1.0"
    )
    assert shown.split()[0] == config_digest(image)
    docker.load(image, tag="digits")
    assert "digits:latest" in run("docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}")


@pytest.mark.usefixtures("dockerd")
def test_docker_has_the_files(image, run, tmp_path):
    loaded = docker.load(image)
    container = run("docker", "create", loaded).strip()
    run("docker", "cp", f"{container}:/opt/data", str(tmp_path / "data"))
    run("docker", "cp", f"{container}:/etc/motd", str(tmp_path / "motd"))
    run("docker", "rm", container)
    assert (tmp_path / "data").read_bytes() == bytes(range(256)) * 100
    assert (tmp_path / "motd").read_bytes() == b"hello\n" * 1000


@pytest.mark.usefixtures("dockerd")
def test_docker_runs_the_image(run, need, tmp_path):
    need("cc", CC is not None, "no C compiler on this machine")
    (tmp_path / "hello.c").write_text('#include <stdio.h>\nint main(void) { return puts("frozen") < 0; }\n')
    run(str(CC), "-static", "-o", str(tmp_path / "hello"), str(tmp_path / "hello.c"))
    image = image_of((layer_of(tmp_path, {"hello": (0o755, (tmp_path / "hello").read_bytes())}),))
    assert run("docker", "run", "--rm", "--network=none", docker.load(image)) == "frozen\n"


@pytest.mark.usefixtures("dockerd")
def test_docker_load_takes_a_written_archive(image, run, tmp_path):
    archive.write(image, tmp_path / "image.tar", name="written:1")
    run("docker", "load", "-i", str(tmp_path / "image.tar"))
    assert run("docker", "image", "inspect", "--format", "{{.Id}}", "written:1").strip() == config_digest(
        image
    )


@pytest.mark.usefixtures("dockerd")
def test_of_an_index_the_engines_own_platform_is_loaded(image, tmp_path):
    other = image_of((layer_of(tmp_path, {"arm": (0o644, b"")}),), "linux/arm64")
    index = ImageIndex(index_json([other, image]), (other, image))
    chosen = image if docker.find().platform == image.platform else other
    assert docker.load(index) == config_digest(chosen)


@pytest.mark.usefixtures("dockerd")
def test_an_index_without_the_engines_platform_is_wrong_use():
    foreign = image_of((), "linux/arm64" if docker.find().platform.architecture == "amd64" else "linux/amd64")
    with pytest.raises(UsageError, match="the image is for"):
        docker.load(ImageIndex(index_json([foreign]), (foreign,)))


@pytest.mark.usefixtures("dockerd")
def test_a_damaged_layer_does_not_reach_the_engine(image, run):
    def held():
        return sorted(run("docker", "image", "ls", "--all", "--quiet").split())

    before = held()
    path = image.layers[1].path
    path.write_bytes(b"x" * path.stat().st_size)
    with pytest.raises(UntrustedError, match="is damaged"):
        docker.load(image, tag="damaged:1")
    assert held() == before


@pytest.mark.usefixtures("dockerd")
def test_an_engine_that_refuses_is_quoted(image):
    lying = ImageValue(image.manifest, image.config, image.layers[:1])  # The config has two diff_ids.
    with pytest.raises(MachineError, match="docker did not load the image") as caught:
        docker.load(lying)
    assert caught.value.details


def test_podman_calls_the_image_by_its_configs_digest(podman, image, monkeypatch, tmp_path):
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "podman").symlink_to(podman)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    assert docker.find().name == "podman"
    assert docker.load(image, tag="digits:2") == config_digest(image)
    assert docker.load(image) == config_digest(image)
    subprocess.run([podman, "image", "rm", "--force", config_digest(image)], check=True, capture_output=True)


@pytest.mark.usefixtures("dockerd")
def test_skopeo_pushes_a_layout_and_docker_pulls_it(registry, skopeo, image, run, tmp_path):
    layout.write(image, tmp_path / "out", name="a")
    name = f"{registry.host}/digits"
    run(
        skopeo,
        "copy",
        "--insecure-policy",
        "--preserve-digests",
        "--dest-tls-verify=false",
        f"oci:{tmp_path / 'out'}:a",
        f"docker://{name}:1",
    )
    run("docker", "pull", f"{name}@{image.digest}")
    assert run(
        "docker", "image", "inspect", "--format", "{{.Id}}", f"{name}@{image.digest}"
    ).strip() == config_digest(image)


def test_umoci_unpacks_a_layout(umoci, image, run, tmp_path):
    layout.write(image, tmp_path / "out", name="a")
    run(umoci, "unpack", "--image", f"{tmp_path / 'out'}:a", str(tmp_path / "bundle"))
    assert (tmp_path / "bundle/rootfs/etc/motd").read_bytes() == b"hello\n" * 1000
