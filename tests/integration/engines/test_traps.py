"""Each combination that fails late, or succeeds and ignores what was asked, is there, and is caught.

The first lines of a test show that the trap is real on this engine; a release that closes it fails here, and
the rule may go.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from envfreeze.digest import Digest
from envfreeze.engines.docker import builder as builders
from envfreeze.engines.docker import probe
from envfreeze.engines.docker.build import Buildx
from envfreeze.engines.driven import readback
from envfreeze.engines.driven.model import EPOCH, Request
from envfreeze.errors import MachineError, UsageError
from envfreeze.oci import archive, layout
from envfreeze.oci import docker as loading
from envfreeze.oci.image import ImageIndex
from envfreeze.oci.inflate import inflate
from envfreeze.oci.members import members
from envfreeze.oci.platform import Platform
from envfreeze.oci.registry import Registries, resolve
from envfreeze.oci.registry.push import push
from envfreeze.progress import SILENT

if TYPE_CHECKING:
    from pathlib import Path

    from envfreeze.errors import EnvfreezeError

HERE = Platform.host()
LATE = "FROM scratch\nCOPY a /a\n"


@pytest.fixture
def late(folder) -> Path:
    """A folder with a file of today."""
    return folder(LATE, a=os.urandom(9).hex())


def raw(daemon, root: Path, output: str, *more: str, code: int = 0) -> str:
    """Build as a person would who has read about SOURCE_DATE_EPOCH; what docker says."""
    return daemon(
        *("buildx", "build", "--network=none", "--build-arg", f"SOURCE_DATE_EPOCH={EPOCH}"),
        *("--output", output, *more, str(root)),
        code=code,
    )


def exported(daemon, root: Path, into: Path, *more: str):
    """Build to an OCI layout, as a person would; the image."""
    raw(daemon, root, f"type=oci,tar=false,dest={into}", "--provenance=false", *more)
    return layout.read(into)


def request(root: Path, **said) -> Request:
    return Request(root, "Dockerfile", (HERE,), network="none", **said)


def told(error: EnvfreezeError) -> str:
    return "\n".join((error.message, *error.details))


def test_the_classic_store_pushes_and_ignores_the_rewrite(classic, late, registry, monkeypatch):
    name = f"{registry.host}/trap/classic:1"
    output = f"type=image,name={name},push=true,rewrite-timestamp=true"
    raw(classic, late, output, "--provenance=false")  # ends with 0

    with Registries() as registries, pytest.raises(MachineError, match="did not do it") as caught:
        readback.check([resolve(name, HERE, registries=registries).image], program="docker")
    assert "a is of " in told(caught.value)

    classic.use(monkeypatch)
    with pytest.raises(MachineError, match="classic store") as refused:
        Buildx().ready(request(late))
    assert "containerd-snapshotter" in refused.value.hint
    assert "--driver docker-container" in refused.value.hint


def test_the_classic_store_exports_no_oci_image(classic, late, tmp_path, monkeypatch):
    said = raw(classic, late, f"type=oci,dest={tmp_path}/image.tar", code=1)
    assert "OCI exporter is not supported" in said

    classic.use(monkeypatch)
    with pytest.raises(MachineError, match="cannot export an OCI image"):
        Buildx().build(request(late), tmp_path, logs=tmp_path, progress=SILENT)


def test_the_classic_store_loads_no_oci_archive_but_ours(one, classic, late, tmp_path, monkeypatch):
    raw(one, late, f"type=oci,dest={tmp_path}/theirs.tar", "--provenance=false")
    assert "no such file" in classic("load", "--input", f"{tmp_path}/theirs.tar", code=1)

    classic.use(monkeypatch)
    image = archive.read(tmp_path / "theirs.tar")
    assert loading.load(image, tag="ours:1") == str(Digest.of(image.config))


def test_the_containerd_store_keeps_the_digest_of_what_is_loaded(docker, late, tmp_path):
    (tmp_path / "into").mkdir()
    built = Buildx().build(request(late), tmp_path / "into", logs=tmp_path, progress=SILENT)

    assert loading.load(built.images[0], tag="kept:1") == str(built.images[0].digest)
    assert str(built.images[0].digest) in docker("image", "inspect", "kept:1")


def test_the_containerd_store_pushes_nothing_that_is_rewritten(docker, late, registry, tmp_path):
    name = f"{registry.host}/trap/containerd:1"
    output = f"type=image,name={name},push=true,rewrite-timestamp=true"
    assert 'conflicts with "unpack"' in raw(docker, late, output, code=1)

    (tmp_path / "into").mkdir()
    built = Buildx().build(request(late), tmp_path / "into", logs=tmp_path, progress=SILENT)
    assert push(built.images[0], name).digest == built.images[0].digest


def test_an_old_daemon_is_refused(dockerd, one, late, monkeypatch):
    one.use(monkeypatch)
    monkeypatch.setenv("DOCKER_HOST", dockerd)

    with pytest.raises(
        MachineError, match=r"Docker 20\.10\.\d+ has a BuildKit that does not rewrite"
    ) as caught:
        Buildx().ready(request(late))

    assert "--engine native" in caught.value.hint


def test_no_rewrite_lets_the_time_of_the_build_through(docker, folder, tmp_path):
    root = folder("BASE\nRUN echo a > /a\n")

    with pytest.raises(MachineError, match="did not do it"):
        readback.check([exported(docker, root, tmp_path / "image")], program="docker")


def test_a_rewrite_lets_an_older_time_through_and_a_cache_keeps_it(docker, folder, tmp_path):
    root = folder(LATE, a=os.urandom(9).hex())
    os.utime(root / "a", (1, 1))
    into = tmp_path / "image"
    raw(docker, root, f"type=oci,tar=false,rewrite-timestamp=true,dest={into}", "--provenance=false")
    assert times(layout.read(into)) == [1]

    # Of our folder the file has the one time, but the step is in the builder's cache with the other.
    (tmp_path / "cached").mkdir()
    cached = Buildx().build(request(root), tmp_path / "cached", logs=tmp_path, progress=SILENT)
    assert times(cached.images[0]) == [1]
    (note,) = readback.check(cached.images, program="docker", fresh=False)
    assert "a is of 1970-01-01T00:00:01Z" in note
    assert "--no-cache" in note

    (tmp_path / "fresh").mkdir()
    fresh = Buildx().build(request(root, fresh=True), tmp_path / "fresh", logs=tmp_path, progress=SILENT)
    assert times(fresh.images[0]) == [EPOCH]


def test_modes_leak_through_a_plain_copy(docker, folder, tmp_path):
    root = folder(LATE, a="a")
    (root / "a").chmod(0o640)
    assert [entry.mode for entry in entries(exported(docker, root, tmp_path / "image"))] == [0o640]

    (tmp_path / "into").mkdir()
    built = Buildx().build(request(root), tmp_path / "into", logs=tmp_path, progress=SILENT)
    assert [entry.mode for entry in entries(built.images[0])] == [0o644]


def test_a_file_that_keeps_size_and_time_is_not_sent_again(docker, folder, tmp_path):
    root = folder(LATE, a="before")
    os.utime(root / "a", (EPOCH, EPOCH))
    first = exported(docker, root, tmp_path / "first")
    (root / "a").write_text("after!")
    os.utime(root / "a", (EPOCH, EPOCH))

    assert exported(docker, root, tmp_path / "second").digest == first.digest


def test_an_attestation_makes_an_index_that_differs_around_an_equal_image(docker, folder, tmp_path):
    root = folder(LATE, a="a")
    os.utime(root / "a", (EPOCH, EPOCH))
    found = []
    for name in ("first", "second"):
        into = tmp_path / name
        output = f"type=oci,tar=false,rewrite-timestamp=true,dest={into}"
        raw(docker, root, output, "--provenance=mode=max", "--no-cache")
        found.append(layout.read(into))
    assert all(isinstance(image, ImageIndex) for image in found)
    assert found[0].digest != found[1].digest
    assert found[0].images[0].digest == found[1].images[0].digest

    (tmp_path / "into").mkdir()
    built = Buildx().build(request(root), tmp_path / "into", logs=tmp_path, progress=SILENT)
    assert not isinstance(built.images[0], ImageIndex)


@pytest.mark.parametrize(
    ("step", "left"),
    [
        ("mkdir -p /var/log/apt && date > /var/log/apt/history.log", "var/log/apt/history.log: apt's log"),
        ("mkdir -p /var/cache/apt && date > /var/cache/apt/pkgcache.bin", "pkgcache.bin: apt's cache"),
        ("mkdir -p /var/cache/ldconfig && date > /var/cache/ldconfig/aux-cache", "ldconfig's cache"),
        (
            "mkdir -p /opt/x.dist-info && date > /opt/x.dist-info/uv_cache.json",
            "uv_cache.json: what uv notes",
        ),
        ("mkdir -p /opt/conda/conda-meta && date > /opt/conda/conda-meta/history", "conda's history"),
        (
            "mkdir -p /etc && echo 'u:!:20000:0:99999:7:::' > /etc/shadow",
            "etc/shadow: an account with the day",
        ),
        ("mkdir -p /a && printf '\\313\\r\\r\\n\\0\\0\\0\\0abcdefgh' > /a/b.pyc", "a/b.pyc: bytecode"),
    ],
    ids=["apt log", "apt cache", "ldconfig", "uv", "conda", "shadow", "pyc"],
)
@pytest.mark.usefixtures("docker")
def test_what_a_step_leaves_is_named_with_the_step_and_the_remedy(folder, tmp_path, step, left):
    (tmp_path / "into").mkdir()
    built = Buildx().build(
        request(folder(f"BASE\nRUN {step}\n")), tmp_path / "into", logs=tmp_path, progress=SILENT
    )

    with pytest.raises(UsageError, match="no second build gives again") as caught:
        readback.check(built.images, program="docker")

    assert left in told(caught.value)
    assert "made by: RUN " in told(caught.value)


@pytest.mark.usefixtures("docker")
def test_a_cache_inside_the_image_is_refused(late):
    with pytest.raises(UsageError, match="changes its digest"):
        Buildx().ready(request(late, cache_to=("type=inline",)))


def test_a_builder_that_stands_the_probe_is_used_and_one_that_does_not_is_refused(
    one, classic, tmp_path, monkeypatch
):
    one.use(monkeypatch)
    probe.check(builders.find(None), tmp_path / "good", SILENT)

    classic.use(monkeypatch)
    with pytest.raises(MachineError, match=r"does not do what is asked of it: .*OCI exporter"):
        probe.check(builders.find(None), tmp_path / "bad", SILENT)


def times(image):
    return [int(entry.mtime) for entry in entries(image)]


def entries(image):
    for layer in image.layers:
        with layer.open() as blob, inflate(blob, layer.media_type) as stream:
            for member, _ in members(stream):
                yield member
