"""A real registry's image as the base: a lookalike of nvidia/cuda, pushed by skopeo, re-tagged, run."""

from __future__ import annotations

import json
import re
import shutil

import pytest

from envfreeze.locking import files
from envfreeze.oci import canonical, layout
from envfreeze.oci.image import ImageValue
from envfreeze.oci.manifest import manifest_json
from envfreeze.oci.registry import resolve, tags
from envfreeze.oci.validate import validate

CUDA = {
    "Env": [
        "PATH=/usr/local/cuda/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "CUDA_VERSION=12.8.1",
        "NVIDIA_REQUIRE_CUDA=cuda>=12.8 brand=tesla,driver>=550,driver<551",
        "NV_CUDNN_VERSION=9.8.0.87-1",
        "LD_LIBRARY_PATH=/usr/local/cuda/lib64",
    ]
}


@pytest.fixture
def base(digits, big):
    """What envfreeze assembled for examples/digits, without its environment, under another config."""

    def make(name, **settings):
        (image,) = digits.images
        document = json.loads(image.config)
        kept = [
            number
            for number, entry in enumerate(document["history"])
            if entry["created_by"].startswith(("deb", "system"))
        ]
        layers = tuple(image.layers[number] for number in kept)
        document["rootfs"]["diff_ids"] = [str(layer.diff_id) for layer in layers]
        document["history"] = [document["history"][number] for number in kept]
        document["config"] = {**CUDA, **settings}
        config = canonical.dump(document)
        folder = big / name
        layout.write(ImageValue(manifest_json(config, layers), config, layers), folder, name="x")
        return folder

    return make


@pytest.mark.network
def test_an_image_on_a_registrys_base_runs_and_outlives_its_tag(
    base, registry, skopeo, run, big, envfreeze, unpack, umoci
):
    where = f"{registry.host}/nvidia/cuda"
    plain = ("--dest-tls-verify=false", "--src-tls-verify=false")

    def push(folder, tag):
        run(skopeo, "copy", *plain, f"oci:{folder}:x", f"docker://{where}:{tag}")

    push(base("cuda"), "12.8")
    # Docker's own media types, as most images have them.
    run(skopeo, "copy", *plain, "--format=v2s2", f"docker://{where}:12.8", f"docker://{where}:12.8-docker")
    assert tags(where) == ("12.8", "12.8-docker")
    root = big / "on-cuda"
    root.mkdir()
    (root / "requirements.txt").write_text("certifi\n")
    (root / "envfreeze.toml").write_text(
        f'[image]\nbase = "{where}:12.8-docker"\npackages = ["vim-tiny", "git"]\n'
    )
    cache = big / "cuda-cache"
    envfreeze("lock", at=root, cache=cache)
    (target,) = files.read(root).targets
    assert target.image.env["CUDA_VERSION"] == "12.8.1"
    assert target.image.manifest == resolve(f"{where}:12.8-docker", target.platform).image.digest
    built = envfreeze("build", "--no-record", "--tag", "x", at=root, cache=cache)
    image = layout.read(root / ".envfreeze" / "image")
    assert not validate(image)
    settings = json.loads(image.config)["config"]
    assert settings["Env"][0].startswith("PATH=/opt/venv/bin:/usr/local/cuda/bin:")

    tree = unpack(image)
    assert tree("python", "-c", "import certifi; print(certifi.where())").startswith("/opt/venv/lib/")
    assert tree("dpkg", "--audit") == ""
    assert not re.search(r"^..5", tree("dpkg", "--verify"), re.MULTILINE)
    assert "git version" in tree("git", "--version")
    status = tree("dpkg-query", "--show")
    assert "vim-tiny" in status
    assert "libc6" in status
    before = tree("ldconfig", "-p").splitlines()
    tree("ldconfig")
    assert [line for line in tree("ldconfig", "-p").splitlines() if "=>" in line] == [
        line for line in before if "=>" in line
    ]

    push(base("other", Labels={"another": "image"}), "12.8-docker")
    assert envfreeze("lock", "--outdated", at=root, cache=cache).startswith(f"{where}:12.8-docker sha256:")
    shutil.rmtree(cache)
    assert envfreeze("lock", at=root, cache=cache) == "unchanged"
    assert envfreeze("build", "--no-record", "--tag", "x", at=root, cache=cache) == built
    run(skopeo, "inspect", "--raw", f"oci:{root}/.envfreeze/image")
    target_folder = big / "on-cuda-unpacked"
    run(umoci, "raw", "unpack", "--rootless", "--image", f"{root}/.envfreeze/image:x", str(target_folder))
