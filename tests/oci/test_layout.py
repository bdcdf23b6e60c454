from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from envfreeze.digest import Digest
from envfreeze.errors import MachineError, UntrustedError, UsageError
from envfreeze.oci import layout, sharing, staging
from envfreeze.oci.image import ImageIndex, ImageValue
from envfreeze.oci.manifest import REF_NAME
from envfreeze.oci.validate import validate
from envfreeze.replacing import replace


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def blob(folder, digest):
    return folder / "blobs" / "sha256" / digest.hex


def replaced(path, data):
    path.unlink()
    path.write_bytes(data)


def test_an_image_is_read_as_it_was_written(tmp_path, image):
    assert layout.write(image, tmp_path / "out", name="digits:latest") == image.digest
    found = layout.read(tmp_path / "out")
    assert (found.manifest, found.config, found.digest) == (image.manifest, image.config, image.digest)
    assert [(one.digest, one.diff_id, one.size, one.media_type) for one in found.layers] == [
        (one.digest, one.diff_id, one.size, one.media_type) for one in image.layers
    ]
    assert validate(found) == ()


def test_the_index_json_points_at_the_manifest_with_platform_and_name(tmp_path, image):
    layout.write(image, tmp_path / "out", name="digits:latest")
    document = json.loads((tmp_path / "out/index.json").read_bytes())
    assert document["manifests"] == [
        {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": str(image.digest),
            "size": len(image.manifest),
            "platform": {"os": "linux", "architecture": "amd64"},
            "annotations": {
                REF_NAME: "digits:latest",
                "io.containerd.image.name": "docker.io/library/digits:latest",
            },
        }
    ]
    assert (tmp_path / "out/oci-layout").read_bytes() == b'{"imageLayoutVersion":"1.0.0"}'


def test_the_index_json_of_several_platforms_points_at_the_index(tmp_path, index):
    assert layout.write(index, tmp_path / "out") == index.digest
    document = json.loads((tmp_path / "out/index.json").read_bytes())
    assert [entry["digest"] for entry in document["manifests"]] == [str(index.digest)]
    found = layout.read(tmp_path / "out")
    assert isinstance(found, ImageIndex)
    assert found.raw == index.raw
    assert [one.platform for one in found.images] == [one.platform for one in index.images]
    assert validate(found) == ()


def test_a_layer_of_two_platforms_is_kept_once(tmp_path, index):
    layout.write(index, tmp_path / "out")
    assert len(names(tmp_path / "out/blobs/sha256")) == 1 + 2 + 2 + 3


def test_equal_images_give_equal_layouts(tmp_path, image):
    layout.write(image, tmp_path / "a")
    old = os.umask(0o077)
    try:
        layout.write(image, tmp_path / "b")
    finally:
        os.umask(old)
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_blobs_share_the_bytes_of_read_only_cache_files(tmp_path, image):
    layout.write(image, tmp_path / "out")
    for layer in image.layers:
        written = blob(tmp_path / "out", layer.digest)
        assert written.stat().st_mode & 0o777 == 0o444
        linked = written.samefile(layer.path)
        assert linked or reflinks(tmp_path)


def reflinks(folder):
    source, target = folder / "source", folder / "target"
    source.write_bytes(b"x" * 4096)
    with source.open("rb") as one, target.open("wb") as other:
        try:
            fcntl.ioctl(other.fileno(), sharing._FICLONE, one.fileno())
        except OSError:
            return False
    return True


def test_a_file_that_may_be_written_to_is_copied(tmp_path, image):
    for layer in image.layers:
        layer.path.chmod(0o644)
    layout.write(image, tmp_path / "out")
    for layer in image.layers:
        assert not blob(tmp_path / "out", layer.digest).samefile(layer.path)
    assert validate(layout.read(tmp_path / "out")) == ()


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EMLINK, errno.EPERM])
def test_where_links_are_impossible_blobs_are_copied(tmp_path, image, monkeypatch, number):
    def refuse(*_args, **_kwargs):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", refuse)
    layout.write(image, tmp_path / "out")
    assert validate(layout.read(tmp_path / "out")) == ()


def test_a_layout_is_replaced_as_a_whole(tmp_path, image, make_image):
    layout.write(make_image({"old": b"old"}), tmp_path / "out")
    layout.write(image, tmp_path / "out")
    assert validate(layout.read(tmp_path / "out")) == ()
    assert len(names(tmp_path / "out/blobs/sha256")) == 2 + len(image.layers)
    assert names(tmp_path) == ["out"]


def test_a_layout_is_replaced_where_the_file_system_cannot_swap(tmp_path, image, make_image, monkeypatch):
    class Old:
        def renameat2(self, *_args):
            import ctypes

            ctypes.set_errno(errno.EINVAL)
            return -1

    layout.write(make_image({"old": b"old"}), tmp_path / "out")
    monkeypatch.setattr(staging.ctypes, "CDLL", lambda *_args, **_kwargs: Old())
    layout.write(image, tmp_path / "out")
    assert layout.read(tmp_path / "out").digest == image.digest
    assert names(tmp_path) == ["out"]


def test_a_layout_can_be_written_over_itself(tmp_path, image):
    layout.write(image, tmp_path / "out")
    layout.write(layout.read(tmp_path / "out"), tmp_path / "out")
    assert validate(layout.read(tmp_path / "out")) == ()


def test_a_link_to_a_layout_stays_a_link(tmp_path, image, make_image):
    layout.write(make_image({"old": b"old"}), tmp_path / "real")
    (tmp_path / "link").symlink_to("real")
    layout.write(image, tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert layout.read(tmp_path / "real").digest == image.digest


def test_an_empty_folder_is_filled(tmp_path, image):
    (tmp_path / "out").mkdir()
    layout.write(image, tmp_path / "out")
    assert layout.read(tmp_path / "out").digest == image.digest


def test_folders_above_are_made(tmp_path, image):
    layout.write(image, tmp_path / "a/b/out")
    assert layout.read(tmp_path / "a/b/out").digest == image.digest


def test_what_is_no_layout_is_left_untouched(tmp_path, image):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis/chapter").write_text("1")
    (tmp_path / "file").write_text("2")
    for target in ("thesis", "file"):
        with pytest.raises(UsageError, match="not an OCI image layout"):
            layout.write(image, tmp_path / target)
    assert files(tmp_path) == {"thesis/chapter": b"1", "file": b"2"}


def test_a_layout_with_other_files_in_it_is_left_untouched(tmp_path, image):
    layout.write(image, tmp_path / "out")
    (tmp_path / "out/.git").mkdir()
    before = files(tmp_path / "out")
    with pytest.raises(UsageError, match=r"holds \.git besides"):
        layout.write(image, tmp_path / "out")
    assert files(tmp_path / "out") == before


def test_a_damaged_layer_leaves_the_old_layout_and_nothing_else(tmp_path, image, make_image):
    old = make_image({"old": b"old"})
    layout.write(old, tmp_path / "out")
    victim = image.layers[0].path
    replaced(victim, b"x" * victim.stat().st_size)  # Writable, so it is copied, and so read.
    with pytest.raises(UntrustedError, match="is damaged"):
        layout.write(image, tmp_path / "out")
    assert layout.read(tmp_path / "out").digest == old.digest
    assert names(tmp_path) == ["out"]


def test_a_layer_of_another_size_is_refused(tmp_path, image):
    replaced(image.layers[0].path, b"short")
    image.layers[0].path.chmod(0o444)
    with pytest.raises(UntrustedError, match="has 5 bytes, not"):
        layout.write(image, tmp_path / "new" / "out")
    assert names(tmp_path) == []


def test_a_full_disk_is_said_in_words(tmp_path, image, monkeypatch):
    def full(*_args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(layout, "_place", full)
    with pytest.raises(MachineError, match="No space left") as caught:
        layout.write(image, tmp_path / "out")
    assert "free some space" in caught.value.hint
    assert names(tmp_path) == []


def test_a_place_that_cannot_be_written_is_said_in_words(image):
    with pytest.raises(MachineError, match="cannot write /proc/out"):
        layout.write(image, type(image.layers[0].path)("/proc/out"))


SLOW_WRITER = """
import sys, time
from pathlib import Path
from envfreeze.oci import layout, sharing, staging
image = layout.read(Path(sys.argv[1]))
place = layout._place
def slow(layer, target):
    place(layer, target)
    print("placed", flush=True)
    time.sleep(60)
layout._place = slow
layout.write(image, Path(sys.argv[2]))
"""


def test_a_killed_writer_leaves_the_old_layout_and_the_next_one_sweeps(tmp_path, image, make_image):
    old = make_image({"old": b"old"})
    layout.write(image, tmp_path / "source")
    layout.write(old, tmp_path / "out")
    with subprocess.Popen(
        [sys.executable, "-c", SLOW_WRITER, str(tmp_path / "source"), str(tmp_path / "out")],
        stdout=subprocess.PIPE,
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"placed\n"
        # While it lives, nobody takes its work for a leftover.
        layout.write(old, tmp_path / "out")
        assert len(names(tmp_path)) == 3
        writer.send_signal(signal.SIGKILL)
    assert layout.read(tmp_path / "out").digest == old.digest
    layout.write(image, tmp_path / "out")
    assert names(tmp_path) == ["out", "source"]
    assert validate(layout.read(tmp_path / "out")) == ()


def test_readers_see_the_old_or_the_new_layout_while_writers_race(tmp_path, image, make_image):
    both = [image, make_image({"other": b"other"})]
    layout.write(image, tmp_path / "out")
    end = time.monotonic() + 1.0

    def keep_writing(one):
        while time.monotonic() < end:
            layout.write(one, tmp_path / "out")

    with ThreadPoolExecutor() as pool:
        writers = [pool.submit(keep_writing, one) for one in both]
        while time.monotonic() < end:
            assert (tmp_path / "out").is_dir()
            # A layout that was opened just before it was replaced may lose its files.
            with suppress(FileNotFoundError):
                document = json.loads((tmp_path / "out/index.json").read_bytes())
                assert document["manifests"][0]["digest"] in {str(one.digest) for one in both}
        for writer in writers:
            writer.result()
    assert names(tmp_path) == ["out"]
    assert validate(layout.read(tmp_path / "out")) == ()


def test_no_layout_is_wrong_use(tmp_path):
    for where in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(UsageError, match="not an OCI image layout"):
            layout.read(where)


def test_an_image_is_chosen_by_name(tmp_path, image, make_image):
    other = make_image({"other": b"other"})
    layout.write(image, tmp_path / "a", name="one")
    layout.write(other, tmp_path / "b", name="two")
    document = json.loads((tmp_path / "a/index.json").read_bytes())
    document["manifests"] += json.loads((tmp_path / "b/index.json").read_bytes())["manifests"]
    (tmp_path / "a/index.json").write_text(json.dumps(document))
    for path in (tmp_path / "b/blobs/sha256").iterdir():
        (tmp_path / "a/blobs/sha256" / path.name).write_bytes(path.read_bytes())
    assert layout.read(tmp_path / "a", name="two").digest == other.digest
    assert [one.digest for one in layout.read(tmp_path / "a").images] == [image.digest, other.digest]
    with pytest.raises(UsageError, match="no image named three"):
        layout.read(tmp_path / "a", name="three")


class TestHostileLayouts:
    @pytest.fixture
    def out(self, tmp_path, image):
        layout.write(image, tmp_path / "out")
        return tmp_path / "out"

    def point(self, out, **changes):
        document = json.loads((out / "index.json").read_bytes())
        document["manifests"][0] |= changes
        (out / "index.json").write_text(json.dumps(document))

    def plant(self, out, document, media_type="application/vnd.oci.image.index.v1+json"):
        """Put a document into the blobs; its descriptor."""
        data = json.dumps(document).encode()
        blob(out, Digest.of(data)).write_bytes(data)
        return {"mediaType": media_type, "digest": str(Digest.of(data)), "size": len(data)}

    @pytest.mark.parametrize(
        "digest",
        [
            "sha256:../../../etc/passwd",
            "sha256:" + "A" * 64,
            "md5:00",
            "f" * 64,
            "",
            None,
            7,
            "sha512:" + "0" * 128,
        ],
    )
    def test_a_digest_that_is_none_is_refused(self, out, digest):
        self.point(out, digest=digest)
        with pytest.raises(UntrustedError, match="where a sha256 digest belongs"):
            layout.read(out)

    @pytest.mark.parametrize("size", [-1, 1.5, "12", None, True])
    def test_a_size_that_is_none_is_refused(self, out, size):
        self.point(out, size=size)
        with pytest.raises(UntrustedError, match="no valid size"):
            layout.read(out)

    def test_a_huge_document_is_not_read(self, out):
        self.point(out, size=1 << 40)
        with pytest.raises(UntrustedError, match="is refused"):
            layout.read(out)

    def test_a_huge_index_json_is_not_read_whole(self, out):
        with (out / "index.json").open("r+b") as file:
            file.truncate(1 << 40)
        with pytest.raises(UntrustedError, match="is refused"):
            layout.read(out)

    def test_an_index_that_names_itself_cannot_be(self, out):
        self.point(out, mediaType="application/vnd.oci.image.index.v1+json")
        with pytest.raises(UntrustedError, match="calls itself"):
            layout.read(out)

    def test_indexes_nested_deeply_are_refused(self, out):
        entry = json.loads((out / "index.json").read_bytes())["manifests"][0]
        for _ in range(9):
            entry = self.plant(out, {"schemaVersion": 2, "manifests": [entry]})
        self.point(out, **entry)
        with pytest.raises(UntrustedError, match="nested more than"):
            layout.read(out)

    def test_indexes_that_multiply_are_refused(self, out):
        entry = json.loads((out / "index.json").read_bytes())["manifests"][0]
        for _ in range(4):
            entry = self.plant(out, {"schemaVersion": 2, "manifests": [entry] * 30})
        self.point(out, **entry)
        with pytest.raises(UntrustedError, match="more than 1000 images"):
            layout.read(out)

    def test_a_document_of_two_meanings_is_refused(self, out, image):
        document = json.loads(image.manifest) | {"manifests": []}
        for media_type in ("index", "manifest"):
            full = f"application/vnd.oci.image.{media_type}.v1+json"
            self.point(out, **self.plant(out, document | {"mediaType": full}, full))
            with pytest.raises(UntrustedError, match="is not an image"):
                layout.read(out)

    def test_fewer_diff_ids_than_layers_are_refused(self, out, image):
        config = json.loads(image.config)
        config["rootfs"]["diff_ids"].pop()
        planted = self.plant(out, config, "application/vnd.oci.image.config.v1+json")
        manifest = json.loads(image.manifest) | {"config": planted}
        self.point(out, **self.plant(out, manifest, manifest["mediaType"]))
        with pytest.raises(UntrustedError, match="has 2 layers, its config 1 diff_ids"):
            layout.read(out)

    @pytest.mark.parametrize("part", ["manifest", "config"])
    def test_a_damaged_document_is_refused(self, out, image, part):
        data = getattr(image, part)
        replaced(blob(out, Digest.of(data)), data.replace(b"2", b"3", 1))
        with pytest.raises(UntrustedError, match="is damaged"):
            layout.read(out)

    def test_a_missing_document_is_refused(self, out, image):
        blob(out, image.digest).unlink()
        with pytest.raises(UntrustedError, match="is missing"):
            layout.read(out)

    def test_a_missing_index_json_is_refused(self, out):
        (out / "index.json").unlink()
        with pytest.raises(UntrustedError, match=r"index\.json is missing"):
            layout.read(out)

    def test_a_later_layout_version_is_refused(self, out):
        (out / "oci-layout").write_text('{"imageLayoutVersion":"2.0.0"}')
        with pytest.raises(UntrustedError, match=r"'2\.0\.0', known is 1\.0\.0"):
            layout.read(out)

    def test_a_pipe_in_place_of_a_layer_does_not_block(self, out, image):
        path = blob(out, image.layers[0].digest)
        path.unlink()
        os.mkfifo(path)
        with pytest.raises(UntrustedError, match="no regular file"):
            layout.read(out).layers[0].open()

    def test_a_damaged_layer_is_noticed_before_its_last_byte_is_handed_out(self, out, image):
        layer = image.layers[1]
        data = blob(out, layer.digest).read_bytes()
        replaced(blob(out, layer.digest), data[:-1] + b"!")
        with layout.read(out).layers[1].open() as file, pytest.raises(UntrustedError, match="is damaged"):
            file.read()

    def test_a_config_that_is_no_object_has_no_platform(self, image):
        broken = replace(image, config=b"[]")
        assert isinstance(broken, ImageValue)
        with pytest.raises(UntrustedError):
            _ = broken.platform
