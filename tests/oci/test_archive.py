from __future__ import annotations

import errno
import io
import json
import os
import shutil
import tarfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envfreeze.digest import Digest
from envfreeze.errors import EnvfreezeError, MachineError, UntrustedError, UsageError
from envfreeze.oci import archive, layout
from envfreeze.oci.image import ImageIndex
from envfreeze.oci.validate import validate


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def members(path):
    with tarfile.open(path, mode="r:") as tar:
        return [(info, b"" if not info.isreg() else tar.extractfile(info).read()) for info in tar]


def test_an_image_is_read_as_it_was_written(tmp_path, image):
    assert archive.write(image, tmp_path / "image.tar") == image.digest
    found = archive.read(tmp_path / "image.tar")
    assert (found.manifest, found.config) == (image.manifest, image.config)
    assert [one.diff_id for one in found.layers] == [one.diff_id for one in image.layers]
    assert validate(found) == ()


def test_an_index_is_read_as_it_was_written(tmp_path, index):
    assert archive.write(index, tmp_path / "image.tar") == index.digest
    found = archive.read(tmp_path / "image.tar")
    assert isinstance(found, ImageIndex)
    assert found.raw == index.raw
    assert validate(found) == ()


def test_an_archive_holds_what_the_layout_holds_sorted_and_without_owner_or_time(tmp_path, image):
    layout.write(image, tmp_path / "folder", name="digits:1")
    archive.write(image, tmp_path / "image.tar", name="digits:1")
    held = members(tmp_path / "image.tar")
    written = [info.name for info, _ in held]
    assert written == sorted(written)
    assert {(info.uid, info.gid, info.uname, info.gname, info.mtime) for info, _ in held} == {
        (0, 0, "", "", 315619200)
    }
    folder = tmp_path / "folder"
    assert {info.name: data for info, data in held if info.isreg() and info.name != "manifest.json"} == {
        str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_equal_images_give_equal_archives(tmp_path, image):
    archive.write(image, tmp_path / "a.tar")
    archive.write(archive.read(tmp_path / "a.tar"), tmp_path / "b.tar")
    assert Digest.of_file(tmp_path / "a.tar") == Digest.of_file(tmp_path / "b.tar")


@pytest.mark.parametrize(
    ("name", "tags"), [("digits:1", ["digits:1"]), ("latest", None), ("A b:1", None), (None, None)]
)
def test_docker_finds_its_own_manifest(tmp_path, image, name, tags):
    archive.write(image, tmp_path / "image.tar", name=name)
    held = {info.name: data for info, data in members(tmp_path / "image.tar")}
    (entry,) = json.loads(held["manifest.json"])
    assert held[entry["Config"]] == image.config
    assert [Digest.of(held[path]) for path in entry["Layers"]] == [layer.digest for layer in image.layers]
    assert entry["RepoTags"] == tags


def test_an_archive_of_several_platforms_has_no_docker_manifest(tmp_path, index):
    archive.write(index, tmp_path / "image.tar")
    assert "manifest.json" not in {info.name for info, _ in members(tmp_path / "image.tar")}


def test_an_archive_is_replaced_at_once(tmp_path, image, make_image):
    old = make_image({"old": b"old"})
    archive.write(old, tmp_path / "image.tar")
    data = image.layers[0].path
    size = data.stat().st_size
    data.unlink()
    data.write_bytes(b"x" * size)
    with pytest.raises(UntrustedError, match="is damaged"):
        archive.write(image, tmp_path / "image.tar")
    assert archive.read(tmp_path / "image.tar").digest == old.digest
    assert names(tmp_path) == ["image.tar"]


def test_a_full_disk_leaves_nothing(tmp_path, image, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(archive, "_add", full)
    with pytest.raises(MachineError, match="No space left"):
        archive.write(image, tmp_path / "deep/image.tar")
    assert names(tmp_path) == []


def test_a_folder_is_not_replaced_by_an_archive(tmp_path, image):
    with pytest.raises(UsageError, match="is a folder"):
        archive.write(image, tmp_path)


def test_what_is_no_archive_is_wrong_use(tmp_path):
    with tarfile.open(tmp_path / "other.tar", "w"):
        pass
    with pytest.raises(UsageError, match="not an OCI archive"):
        archive.read(tmp_path / "other.tar")
    with pytest.raises(UsageError, match="there is no"):
        archive.read(tmp_path / "nothing.tar")


def test_a_damaged_layer_is_noticed_when_it_is_read(tmp_path, image):
    archive.write(image, tmp_path / "image.tar")
    layer = archive.read(tmp_path / "image.tar").layers[1]
    with (tmp_path / "image.tar").open("r+b") as file:
        file.seek(layer.offset)
        file.write(b"\0")
    with layer.open() as file, pytest.raises(UntrustedError, match="is damaged"):
        file.read()


def test_a_truncated_archive_is_refused(tmp_path, image):
    archive.write(image, tmp_path / "image.tar")
    for size in (1500, 3000):
        os.truncate(tmp_path / "image.tar", size)
        with pytest.raises(EnvfreezeError):
            archive.read(tmp_path / "image.tar")


def test_a_file_that_stands_twice_is_refused(tmp_path):
    with tarfile.open(tmp_path / "image.tar", "w") as tar:
        for _ in range(2):
            tar.addfile(tarfile.TarInfo("index.json"), io.BytesIO())
    with pytest.raises(UntrustedError, match="twice"):
        archive.read(tmp_path / "image.tar")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(data=st.data())
def test_no_flipped_byte_goes_unnoticed_or_crashes(tmp_path, make_image, data):
    path = tmp_path / "image.tar"
    image = make_image({"a": b"a"})
    path.unlink(missing_ok=True)
    archive.write(image, path)
    raw = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    path.unlink()
    path.write_bytes(raw)
    try:
        found = archive.read(path)
    except EnvfreezeError:
        return
    # What is still read is the image itself: the damage is in padding or in a header's unused parts.
    assert found.digest == image.digest
    assert all("damaged" in problem or "is sha256" in problem for problem in validate(found))


@pytest.mark.integration
def test_skopeo_copies_an_archive_and_keeps_its_digest(tmp_path, image, index, need, run):
    need("skopeo", shutil.which("skopeo") is not None, "no skopeo on this machine")
    for number, one in enumerate((image, index)):
        archive.write(one, tmp_path / "image.tar", name="digits:1")
        target = tmp_path / f"copy-{number}"
        run(
            "skopeo",
            "copy",
            "--all",
            "--preserve-digests",
            "--insecure-policy",
            f"oci-archive:{tmp_path / 'image.tar'}",
            f"oci:{target}:copy",
        )
        found = layout.read(target)
        assert found.digest == one.digest
        assert validate(found) == ()


@pytest.mark.parametrize("content", [b"numpy==2.0\n", b"", b"\0" * 10240])
def test_a_file_that_is_no_archive_is_left_as_it_is(tmp_path, image, content):
    path = tmp_path / "requirements.txt"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="is no OCI archive"):
        archive.write(image, path)
    assert path.read_bytes() == content


def test_a_device_is_left_as_it_is(tmp_path, image):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with pytest.raises(UsageError, match="is no OCI archive"):
        archive.write(image, fifo)
    assert fifo.is_fifo()
