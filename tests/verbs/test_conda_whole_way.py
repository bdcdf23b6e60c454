"""A project of conda and pip: locked, built, verified."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from envfreeze.locking import files as lock_files
from envfreeze.oci import layout

MINOR = "3.12"
SECOND = Path(__file__).parents[1] / "formats" / "second_implementation.py"


@pytest.fixture
def mixed(small_project, conda_channel, tmp_path):
    item = conda_channel.Item
    with conda_channel.serve(tmp_path / "channel") as channel:
        channel.add(
            *(built for built in conda_channel.every_kind() if built.index["name"] != "python"),
            conda_channel.with_scripts(),
            conda_channel.package(
                "python",
                f"{MINOR}.4",
                "h0_0_cpython",
                depends=["__glibc >=2.17,<3.0.a0", "zlib"],
                paths={
                    f"bin/python{MINOR}": item(b"#!/bin/sh\n", 0o755),
                    "bin/python": item(symlink=f"python{MINOR}"),
                },
            ),
        )
        channel.index()
        work = small_project()
        work.write(
            "environment.yml",
            f"channels: [{channel.url}]\ndependencies:\n  - python={MINOR}\n  - pure\n  - tools\n",
        )
        work.replace("envfreeze.toml", "[pip]", '[conda]\nenvironment = "environment.yml"\n\n[pip]')
        yield work


def paths(image):
    found = {}
    for layer in image.layers:
        with layer.open() as blob, tarfile.open(fileobj=io.BytesIO(gzip.decompress(blob.read()))) as tar:
            for member in tar:
                found[member.name] = tar.extractfile(member).read() if member.isreg() else b""
    return found


def test_a_project_of_conda_and_pip_is_built_and_verified(mixed):
    assert mixed.run("lock").code == 0
    mixed.commit()
    digest = mixed.run("build").digest
    assert mixed.built() == digest
    image = layout.read(mixed.root / ".envfreeze" / "image")
    config = json.loads(image.config)["config"]
    assert "CONDA_PREFIX=/opt/conda" in config["Env"]
    found = paths(image)
    (target,) = lock_files.read(mixed.root).targets
    records = {
        json.loads(data)["url"]: json.loads(data)["md5"]
        for path, data in found.items()
        if path.startswith("opt/conda/conda-meta/") and path.endswith(".json")
    }
    assert records == {package.url: package.md5 for package in target.conda}
    assert found["opt/conda/bin/alpha"].startswith(f"#!/opt/conda/bin/python{MINOR}\n".encode())
    assert found["opt/conda/conda-meta/history"].endswith(b'# update specs: ["pure", "python", "tools"]\n')
    computed = subprocess.run(
        [sys.executable, SECOND, mixed.root, mixed.cache / "blobs" / "sha256"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert computed.returncode == 0, computed.stderr
    assert json.loads(computed.stdout)["digest"] == str(digest)
    verified = mixed.run("verify", str(digest))
    assert verified.code == 0, verified.stderr
    sealed = mixed.run("lock", "--seal")
    assert sealed.code == 0, sealed.stderr
    assert lock_files.read(mixed.root).sealed


def test_a_package_whose_link_scripts_are_allowed_is_installed_without_running_them(mixed):
    mixed.replace("environment.yml", "  - tools\n", "  - tools\n  - scripted\n")
    mixed.replace("envfreeze.toml", "[conda]\n", '[conda]\nallow-link-scripts = ["scripted"]\n')
    ended = mixed.run("lock")
    assert ended.code == 0, ended.stderr
    built = mixed.run("build")
    assert built.code == 0, built.stderr


def test_condas_python_on_a_base_that_is_an_image(mixed, registry_server):
    with registry_server.serve() as registry:
        image = registry_server.image_of(
            [{"usr/lib/libc.so.6": b"GNU C Library stable release version 2.34."}],
            settings={"Env": ["PATH=/usr/bin", "CUDA_VERSION=12.8.1"]},
        )
        registry.push(image, "team/base", "1")
        mixed.replace("envfreeze.toml", "[image]\n", f'[image]\nbase = "{registry.host}/team/base:1"\n')
        mixed.commit()
        ended = mixed.run("lock")
        assert ended.code == 0, ended.stderr
        (target,) = lock_files.read(mixed.root).targets
        assert (target.python, target.glibc, target.image.interpreter) == (f"{MINOR}.4", "2.34", None)
        assert not target.base.packages
        digest = mixed.run("build").digest
        assert mixed.built() == digest
        config = json.loads(layout.read(mixed.root / ".envfreeze" / "image").config)["config"]
        assert config["Env"][:3] == [
            "PATH=/opt/conda/bin:/usr/bin",
            "CUDA_VERSION=12.8.1",
            "CONDA_PREFIX=/opt/conda",
        ]
        assert mixed.run("verify", str(digest)).stdout == "identical\n"
