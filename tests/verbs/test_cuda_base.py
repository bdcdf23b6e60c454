"""`base = "cuda"`: a plain base where the wheels bring CUDA, else the image that has what they use."""

from __future__ import annotations

import json
import shutil

import pytest

from envfreeze.locking import files
from envfreeze.oci import layout

RELEASE = b'ID=debian\nVERSION_ID="13"\nVERSION_CODENAME=trixie\nPRETTY_NAME="Debian GNU/Linux 13 (trixie)"\n'


@pytest.fixture
def registry(registry_server):
    with registry_server.serve() as served:
        yield served


@pytest.fixture
def project(small_project, registry, registry_server, tools):
    """Make a project with `base = "cuda"`, whose registry has images that look like NVIDIA's."""

    def make(requirement, *gpu):
        for release in ("12.4.1", "12.8.1", "12.9.1"):
            for flavour in ("base", "runtime", "devel"):
                tag = f"{release}-{flavour}-ubuntu24.04"
                registry.push(lookalike(tag), "nvidia/cuda", tag)
        work = small_project()
        work.site.add_wheel("cupy-cuda12x", tools.wheel_of("cupy_cuda12x", "13.6.0"), "13.6.0")
        name = "/wheels/cupy-cuda12x-13.6.0-py3-none-any.whl"
        work.site.files[name.replace("cupy-cuda12x", "cupy_cuda12x")] = work.site.files.pop(name)
        runtime = "nvidia_cuda_runtime_cu12"
        work.site.add_wheel(runtime, tools.wheel_of(runtime, "12.8.90"), "12.8.90")
        needs = ["nvidia-cuda-runtime-cu12==12.8.90"]
        work.site.add_wheel("torch", tools.wheel_of("torch", "2.9.0", requires=needs), "2.9.0")
        work.write("requirements.txt", f"{requirement}\n")
        text = (work.root / "envfreeze.toml").read_text().replace("[image]\n", '[image]\nbase = "cuda"\n')
        tables = "\n".join(["[gpu]", *gpu, "[registry]", f'mirrors = {{ "docker.io" = "{registry.host}" }}'])
        work.write("envfreeze.toml", f"{text}\n{tables}\n")
        work.commit()
        return work

    def lookalike(tag):
        """A base with a C library and a Python, as dpkg knows them, and NVIDIA's variables."""
        release, flavour, _ = tag.split("-")
        image = suite()
        minor = ".".join(release.split(".")[:2])
        settings = {
            "Env": [
                "PATH=/usr/local/cuda/bin:/usr/bin:/bin",
                f"CUDA_VERSION={release}",
                f"NVIDIA_REQUIRE_CUDA=cuda>={minor} brand=tesla,driver>=535,driver<536",
            ]
        }
        top = registry_server.layer_of(
            {"etc/os-release": RELEASE, "usr/local/cuda/flavour": flavour.encode()}
        )
        return registry_server.image_of([*image, top], settings=settings)

    made = []

    def suite():
        if not made:
            work = small_project(where="base")
            assert work.run("lock").code == 0
            assert work.run("build", "--no-record").code == 0
            image = layout.read(work.root / ".envfreeze" / "image")
            entries = json.loads(image.config)["history"]
            for layer, entry in zip(image.layers, entries, strict=True):
                if entry["created_by"].startswith(("deb", "system")):
                    with layer.open() as blob:
                        kept = registry_server.MemoryLayer(blob.read(), layer.diff_id, layer.media_type)
                    made.append(kept)
            shutil.rmtree(work.root)
        return made

    return make


def target_of(work):
    (target,) = files.read(work.root).targets
    return target


def test_wheels_that_bring_cuda_get_a_plain_base(project, registry):
    work = project("torch", 'driver = "570.124.06"')
    ended = work.run("lock")
    assert ended.code == 0, ended.stderr
    target = target_of(work)
    assert target.image is None
    assert target.base.reference == "apt:debian/trixie"
    assert target.gpu.cuda == "12.8"
    assert "base apt:debian/trixie: nvidia-cuda-runtime-cu12 12.8.90 (pip) brings CUDA 12.8" in ended.stderr
    assert "a plain base saves" in ended.stderr
    assert not registry.asked
    assert work.run("lock").stdout == "unchanged\n"
    assert work.run("lock", "--check").stdout == "current\n"


def test_a_package_that_uses_the_system_s_libraries_gets_the_newest_runtime_that_the_fleet_runs(
    project, registry
):
    work = project("cupy-cuda12x", 'driver = "570.124.06"', 'gpus = ["A100"]')
    ended = work.run("lock")
    assert ended.code == 0, ended.stderr
    target = target_of(work)
    assert target.image.reference == "nvidia/cuda:12.8.1-runtime-ubuntu24.04"
    assert target.image.env["CUDA_VERSION"] == "12.8.1"
    assert target.gpu.cuda == "12.8"
    assert [one.word for one in target.gpu.fleet] == ["native"]
    assert "cupy-cuda12x: it loads the system's CUDA libraries" in ended.stderr
    registry.asked.clear()
    work.write("requirements.txt", "cupy-cuda12x\nbeta\n")
    assert work.run("lock", "--offline").code == 0
    assert work.run("lock", "--check").stdout == "current\n"
    assert not registry.asked
    assert target_of(work).image == target.image
    work.commit()
    built = work.run("build")
    assert built.code == 0, built.stderr
    env = json.loads(layout.read(work.root / ".envfreeze" / "image").config)["config"]["Env"]
    assert "CUDA_VERSION=12.8.1" in env
    assert f"NVIDIA_REQUIRE_CUDA={target.gpu.env['NVIDIA_REQUIRE_CUDA']}" in env
    assert work.run("verify", built.stdout.strip()).stdout == "identical\n"


def test_the_flavour_can_be_said_and_cuda_twice_is_told_with_its_bytes(project):
    work = project("torch", 'driver = "570.124.06"', 'flavour = "devel"')
    ended = work.run("lock")
    assert ended.code == 0, ended.stderr
    assert target_of(work).image.reference == "nvidia/cuda:12.8.1-devel-ubuntu24.04"
    assert "twice" in ended.stderr
    assert "MB to download" in ended.stderr


def test_no_image_of_that_cuda_is_an_error_that_names_it(project, refused):
    work = project("cupy-cuda12x", 'driver = "560.35.05"')
    said = refused(work, 3, "lock")
    assert "nvidia/cuda has no runtime image of CUDA 12.6" in said


def test_offline_an_image_that_was_never_asked_for_is_named(project, refused):
    work = project("cupy-cuda12x", 'driver = "570.124.06"')
    text = (work.root / "requirements.txt").read_text()
    work.write("requirements.txt", "")
    assert work.run("lock").code == 0
    work.write("requirements.txt", text)
    assert "offline" in refused(work, 4, "lock", "--offline")
