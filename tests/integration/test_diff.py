"""Images out of real engines and registries, and packed again by real tools, against the ones they were."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import envfreeze
from envfreeze.compare.model import Kind, Level
from envfreeze.errors import UsageError
from envfreeze.oci import docker, layout

MUTATIONS = Path(__file__).parents[1] / "compare" / "mutations.py"


@pytest.fixture(scope="module")
def mutations():
    if "mutations" not in sys.modules:
        spec = importlib.util.spec_from_file_location("mutations", MUTATIONS)
        assert spec is not None
        assert spec.loader is not None
        sys.modules["mutations"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules["mutations"])
    return sys.modules["mutations"]


@pytest.fixture
def original(mutations, tmp_path):
    """The image as a layout, and the layout."""
    layout.write(mutations.original().image(), tmp_path / "original", name="a")
    return tmp_path / "original"


def told(report):
    return {(one.kind, one.path) for one in report.verdict.findings}


@pytest.mark.usefixtures("dockerd")
def test_an_image_in_docker_has_the_same_layers(original, mutations, tmp_path):
    docker.load(layout.read(original), tag="mutations:original")
    for name in ("mutations:original", "docker.io/library/mutations:original"):
        report = envfreeze.diff(str(original), f"docker-daemon:{name}", root=tmp_path)
        assert report.verdict.level is Level.LAYERS, told(report)
    changed = mutations.original()
    changed.layer("files").node("app/train.py").content = b"print('other')\n"
    identity = docker.load(changed.image())
    report = envfreeze.diff(f"docker-daemon:{identity}", str(original), root=tmp_path)
    assert (Kind.CONTENT, "app/train.py") in told(report)
    with pytest.raises(UsageError, match="docker has no image gone:1"):
        envfreeze.diff("docker-daemon:gone:1", str(original), root=tmp_path)


@pytest.mark.usefixtures("dockerd")
def test_what_docker_committed_is_told(original, run, tmp_path):
    docker.load(layout.read(original), tag="mutations:base")
    (tmp_path / "new.py").write_text("print('new')\n")
    container = run("docker", "create", "mutations:base", "/bin/true").strip()
    run("docker", "cp", str(tmp_path / "new.py"), f"{container}:/app/new.py")
    run("docker", "commit", container, "mutations:committed")
    run("docker", "rm", container)
    report = envfreeze.diff(str(original), "docker-daemon:mutations:committed", root=tmp_path)
    assert report.verdict.level is Level.PACKAGES, told(report)
    assert (Kind.ADDED, "app/new.py") in told(report)
    assert Kind.LAYER_ADDED in {kind for kind, _ in told(report)}


def test_podman_s_store_is_read(podman, original, run, skopeo, tmp_path):
    run(skopeo, "copy", "--insecure-policy", f"oci:{original}:a", "containers-storage:localhost/mutations:1")
    report = envfreeze.diff(str(original), "containers-storage:localhost/mutations:1", root=tmp_path)
    assert report.verdict.level.reaches(Level.LAYERS), told(report)
    subprocess.run(
        [podman, "image", "rm", "--force", "localhost/mutations:1"], check=False, capture_output=True
    )


@pytest.mark.parametrize("form", [("--dest-compress-format", "zstd"), ("--format", "v2s2")])
def test_skopeo_packs_it_again(skopeo, original, run, registry, tmp_path, form):
    """Another compression, and Docker's media types, which take another config's type along."""
    compress = ("--dest-compress",) if "zstd" in form else ()
    name = f"{registry.host}/mutations/{form[1]}:1"
    run(
        skopeo,
        "copy",
        "--insecure-policy",
        "--dest-tls-verify=false",
        *compress,
        *form,
        f"oci:{original}:a",
        f"docker://{name}",
    )
    report = envfreeze.diff(str(original), name, root=tmp_path)
    assert report.verdict.level.reaches(Level.TREE), told(report)
    assert {kind for kind, _ in told(report)} <= {
        Kind.COMPRESSION,
        Kind.MEDIA_TYPE,
        Kind.CONFIG_JSON,
        Kind.CONFIG_BUILD,
        Kind.CONFIG_HISTORY,
        Kind.MANIFEST,
    }


def test_what_umoci_packs_again_is_the_same_tree(umoci, original, run, tmp_path):
    run(umoci, "unpack", "--image", f"{original}:a", str(tmp_path / "bundle"))
    (tmp_path / "bundle/rootfs/app/added.py").write_text("1\n")
    run(umoci, "repack", "--image", f"{original}:b", str(tmp_path / "bundle"))
    report = envfreeze.diff(f"oci:{original}:a", f"oci:{original}:b", root=tmp_path)
    assert (Kind.ADDED, "app/added.py") in told(report)
    assert report.verdict.level is Level.PACKAGES, told(report)
