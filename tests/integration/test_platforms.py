"""Images for a foreign platform are assembled without emulation, and several go into one index."""

from __future__ import annotations

import json
import os
import shutil
import struct
from pathlib import Path

import pytest

from envfreeze.digest import Digest
from envfreeze.locking import files
from envfreeze.oci import archive, layout
from envfreeze.oci.platform import Platform
from envfreeze.oci.validate import validate

pytestmark = pytest.mark.network

# e_machine of the ELF header (the gABI's registry).
MACHINES = {"linux/amd64": 62, "linux/arm64": 183}
INTERPRETERS = {"linux/amd64": "/lib64/ld-linux-x86-64.so.2", "linux/arm64": "/lib/ld-linux-aarch64.so.1"}
PT_INTERP = 3


def test_both_are_sound(medley):
    assert validate(medley.image) == ()
    assert str(medley.image.digest) == medley.digest


def test_the_index_names_both_platforms(medley):
    listed = json.loads(medley.image.raw)["manifests"]
    assert [(entry["digest"], entry["platform"]) for entry in listed] == [
        (str(medley.images[0].digest), {"os": "linux", "architecture": "amd64"}),
        (str(medley.images[1].digest), {"os": "linux", "architecture": "arm64", "variant": "v8"}),
    ]
    variants = [json.loads(image.config).get("variant") for image in medley.images]
    assert variants == [None, "v8"]


def test_each_has_a_lock_of_its_own(medley):
    names = {path.name for path in medley.root.iterdir() if "lock" in path.name}
    assert names == {
        "envfreeze.lock",
        "pylock.linux-amd64.toml",
        "pylock.linux-arm64.toml",
        "requirements.linux-amd64.lock.txt",
        "requirements.linux-arm64.lock.txt",
    }
    amd64, arm64 = medley.lock.targets
    assert [wheel.name for wheel in amd64.wheels] == [wheel.name for wheel in arm64.wheels]
    pure = {wheel.name for wheel in amd64.wheels if wheel in arm64.wheels}
    assert "certifi" in pure
    assert "ruff" not in pure


def test_layers_of_pure_wheels_are_shared(medley):
    amd64, arm64 = ({layer.digest for layer in image.layers} for image in medley.images)
    assert amd64 & arm64


@pytest.fixture(scope="module", params=[0, 1], ids=["amd64", "arm64"])
def unpacked(request, medley, unpack):
    """An image of the two, and its files."""
    image = medley.images[request.param]
    return image, unpack(image)


def elf_files(root: Path):
    for folder, _, names in os.walk(root):
        for path in (Path(folder, name) for name in names):
            if path.is_file() and not path.is_symlink():
                content = path.read_bytes()
                if content[:4] == b"\x7fELF":
                    yield path, content


def interpreter(elf: bytes) -> str | None:
    """The dynamic linker that an ELF file of 64 bits, little endian, asks for."""
    (offset,) = struct.unpack_from("<Q", elf, 32)
    size, count = struct.unpack_from("<HH", elf, 54)
    for number in range(count):
        kind, _, where, _, _, length = struct.unpack_from("<IIQQQQ", elf, offset + number * size)
        if kind == PT_INTERP:
            return elf[where : where + length].rstrip(b"\0").decode()
    return None


def test_every_program_and_library_is_for_the_platform(unpacked):
    image, tree = unpacked
    platform = str(image.platform)
    machines = {path.name: struct.unpack_from("<H", elf, 18)[0] for path, elf in elf_files(tree.root)}
    assert set(machines.values()) == {MACHINES[platform]}
    names = {name.partition(".")[0] for name in machines}
    assert {"python3", "libc", "ruff", "_speedups", "_yaml"} <= names


def test_every_program_finds_its_linker(unpacked):
    image, tree = unpacked
    asked = {interpreter(elf) for _, elf in elf_files(tree.root)} - {None}
    assert asked == {INTERPRETERS[str(image.platform)]}
    linker = (tree.root / asked.pop().lstrip("/")).resolve()
    assert linker.is_relative_to(tree.root)
    assert linker.is_file()


def test_the_foreign_image_runs_under_emulation(medley, unpack, need):
    (image,) = (image for image in medley.images if image.platform != Platform.host())
    emulator = shutil.which(f"qemu-{image.platform.machine}-static")
    need("qemu", emulator is not None, f"no qemu for {image.platform} on this machine")
    tree = unpack(image)
    shutil.copy(emulator, tree.root / "qemu")
    code = (
        "import markupsafe._speedups, platform, sys, yaml, zope.interface;"
        "print(platform.machine(), sys.prefix, yaml.__with_libyaml__)"
    )
    python = "/opt/venv/bin/python"
    shown = tree("/qemu", "-0", python, python, "-c", code)
    assert shown.split() == [image.platform.machine, "/opt/venv", "True"]


def test_one_platform_can_be_built_alone(medley, envfreeze, tmp_path):
    image = tmp_path / "image.tar"
    options = ("--no-record", "--platform", "linux/arm64", "--archive", str(image))
    digest = envfreeze("build", *options, at=medley.root)
    assert digest == str(medley.images[1].digest)
    assert str(archive.read(image).digest) == digest


def test_one_platform_locked_alone_is_the_same_image(medley, envfreeze, tmp_path):
    """A platform's image does not depend on its neighbours in the lock."""
    root = tmp_path / "alone"
    root.mkdir()
    shutil.copy(medley.root / "requirements.txt", root)
    (root / "envfreeze.toml").write_text('[image]\nplatform = "linux/arm64"\n')
    envfreeze("lock", at=root)
    assert files.read(root).targets[0].wheels == medley.lock.targets[1].wheels
    assert envfreeze("build", at=root) == str(medley.images[1].digest)


@pytest.mark.parametrize("name", ["index", "manifest", "config"])
def test_verify_by_any_of_its_digests(medley, envfreeze, name):
    """A platform's own digests have that platform rebuilt, the index's digest both."""
    amd64, arm64 = medley.images
    digest, rebuilt = {
        "index": (medley.image.digest, medley.image.digest),
        "manifest": (arm64.digest, arm64.digest),
        "config": (Digest.of(amd64.config), amd64.digest),
    }[name]
    document = json.loads(envfreeze("verify", "--json", str(digest), at=medley.root))
    assert document["verdict"] == "identical"
    assert document["rebuilt"] == str(rebuilt)


def test_peers_read_the_index(medley, skopeo, registry, run, tmp_path):
    options = ["--insecure-policy", "--preserve-digests", "--all", "--quiet"]
    name = f"docker://{registry.host}/medley:1"
    run(skopeo, "copy", *options, "--dest-tls-verify=false", f"oci:{medley.layout}:frozen", name)
    back = tmp_path / "back"
    run(skopeo, "copy", *options, "--src-tls-verify=false", name, f"oci:{back}:frozen")
    assert str(layout.read(back).digest) == medley.digest
    arm64 = ["inspect", "--tls-verify=false", "--override-arch=arm64", "--format", "{{.Architecture}}"]
    assert run(skopeo, *arm64, name) == "arm64\n"
