"""Chosen files of an image, with all its layers one on the other."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile

import pytest

from envfreeze.errors import UntrustedError, UsageError
from envfreeze.oci import archive, layout, media, merged, saved
from envfreeze.oci.image import ImageIndex
from envfreeze.oci.manifest import index_json
from envfreeze.oci.platform import Platform

AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")


def files(found):
    root = found.root
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def see(tmp_path):
    def read(image, wanted=lambda path: path.endswith(".txt")):
        folder = tmp_path / "seen"
        folder.mkdir()
        return merged.extract(image, wanted, folder)

    return read


def test_later_layers_replace_and_add(make_image, see):
    image = make_image({"a.txt": b"1", "d/b.txt": b"1", "c.bin": b"x"}, {"d/b.txt": b"2", "e.txt": b"3"})
    assert files(see(image)) == {"a.txt": b"1", "d/b.txt": b"2", "e.txt": b"3"}


def test_whiteouts_delete_files_and_folders_of_lower_layers_only(make_image, see):
    lower = {"d/a.txt": b"1", "d/sub/b.txt": b"1", "keep.txt": b"1", "gone.txt": b"1"}
    image = make_image(lower, {".wh.gone.txt": b"", "d/.wh.sub": b"", "d/sub/c.txt": b"2"})
    assert files(see(image)) == {"d/a.txt": b"1", "d/sub/c.txt": b"2", "keep.txt": b"1"}


def test_an_opaque_folder_hides_what_was_in_it(make_image, see):
    image = make_image({"d/a.txt": b"1", "d/sub/b.txt": b"1"}, {"d/.wh..wh..opq": b"", "d/c.txt": b"2"})
    assert files(see(image)) == {"d/c.txt": b"2"}


def tar_of(*members):
    """Tar members: name, content, and for a link its kind and target."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content, *link in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            if link:
                info.type, info.linkname = link
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def test_hard_links_have_their_content_wherever_it_stands(make_layer, as_image, see):
    tar = tar_of(
        ("cache/one", b"1"),
        ("x/one.txt", b"", tarfile.LNKTYPE, "cache/one"),
        ("a.txt", b"2"),
        ("b.txt", b"", tarfile.LNKTYPE, "a.txt"),
    )
    image = as_image((make_layer(tar),))
    assert files(see(image)) == {"x/one.txt": b"1", "a.txt": b"2", "b.txt": b"2"}


def test_what_becomes_a_link_or_a_file_takes_the_folder_away(make_layer, as_image, see):
    lower = make_layer({"d/a.txt": b"1", "e/b.txt": b"1"})
    upper = make_layer(tar_of(("d", b"", tarfile.SYMTYPE, "e"), ("e", b"file")))
    found = see(as_image((lower, upper)))
    assert files(found) == {}
    assert found.links == {"d": "e"}


def test_links_near_the_root_are_followed_and_loops_end(make_layer, as_image, see):
    tar = tar_of(
        ("opt/conda", b"", tarfile.SYMTYPE, "../usr/share/conda"),
        ("usr/share/conda", b"", tarfile.SYMTYPE, "/opt/conda-4"),
        ("loop", b"", tarfile.SYMTYPE, "loop"),
    )
    found = see(as_image((make_layer(tar),)))
    assert found.resolve("opt/conda/bin") == "opt/conda-4/bin"
    assert found.resolve("usr/bin") == "usr/bin"
    assert found.resolve("loop/x") == "loop/x"


def test_nothing_leaves_the_folder(make_layer, as_image, see, tmp_path):
    tar = tar_of(
        ("../out.txt", b"1"), ("/abs.txt", b"2"), ("d", b"", tarfile.SYMTYPE, "/srv"), ("d/x.txt", b"3")
    )
    assert files(see(as_image((make_layer(tar),)))) == {"abs.txt": b"2", "d/x.txt": b"3"}
    assert not (tmp_path / "out.txt").exists()


def test_a_path_that_is_both_a_file_and_a_folder(make_layer, as_image, see):
    with pytest.raises(UntrustedError, match="both a file and a folder"):
        see(as_image((make_layer(tar_of(("a.txt", b"1"), ("a.txt/b.txt", b"2"))),)))


def test_a_damaged_layer_is_named(make_image, see):
    image = make_image({"a.txt": b"1" * 100_000})
    path = image.layers[0].path
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[-9] ^= 1
    path.write_bytes(content)
    with pytest.raises(UntrustedError, match="layer 1 of the image"):
        see(image)


def test_an_artifact_is_no_file_system(make_layer, as_image, see):
    layer = make_layer(b"text", "application/vnd.in-toto+json")
    with pytest.raises(UntrustedError, match="no file system"):
        see(as_image((layer,)))


def docker_save(path, image, *, compressed=False, repeated=False, name="app:1"):
    """Write what Docker 20.10's `docker save` writes."""
    config = image.config
    hexed = hashlib.sha256(config).hexdigest()
    members = [(f"{hexed}.json", config)]
    listed = []
    for number, layer in enumerate(image.layers):
        with layer.open() as blob:
            content = blob.read()
        if not compressed:
            import gzip

            content = gzip.decompress(content)
        members.append((f"{number}/layer.tar", content))
        listed.append(f"{number}/layer.tar")
    if repeated:
        members.append(("again/layer.tar", b"", tarfile.SYMTYPE, "../0/layer.tar"))
        listed[0] = "again/layer.tar"
    manifest = [{"Config": f"{hexed}.json", "RepoTags": [name], "Layers": listed}]
    path.write_bytes(tar_of(*members, ("manifest.json", json.dumps(manifest).encode())))


@pytest.mark.parametrize("options", [{}, {"compressed": True}, {"repeated": True}])
def test_what_docker_saves_is_read(make_image, see, tmp_path, options):
    docker_save(tmp_path / "image.tar", make_image({"a.txt": b"1"}, {"b.txt": b"2"}), **options)
    image = saved.read(tmp_path / "image.tar", AMD64)
    assert image.platform == AMD64
    assert files(see(image)) == {"a.txt": b"1", "b.txt": b"2"}


def test_layouts_and_archives_are_read_and_the_platform_chosen(make_image, tmp_path):
    images = [make_image({"a.txt": b"1"}, platform=platform) for platform in (AMD64, ARM64)]
    both = ImageIndex(index_json(images), tuple(images))
    layout.write(both, tmp_path / "layout")
    archive.write(images[1], tmp_path / "arm.tar")
    assert saved.read(tmp_path / "layout", ARM64).digest == images[1].digest
    assert saved.read(tmp_path / "arm.tar", ARM64).digest == images[1].digest
    with pytest.raises(UsageError, match="holds no image for linux/amd64; it is for linux/arm64"):
        saved.read(tmp_path / "arm.tar", AMD64)
    assert saved.is_image(tmp_path / "layout")
    assert not saved.is_image(tmp_path)


def broken(entries):
    return tar_of(("manifest.json", json.dumps(entries).encode()), ("c.json", b"{}"))


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        (b"hello", UntrustedError, "image.tar"),
        (b"\x1f\x8b\x08hello", UsageError, "is compressed"),
        (tar_of(("x", b"1")), UsageError, "is no image"),
        (broken([]), UntrustedError, "lists no image"),
        (broken([{}]), UntrustedError, "does not name a config"),
        (broken([{"RepoTags": ["a:1"]}, {"RepoTags": ["b:1"]}]), UsageError, "several images: a:1, b:1"),
        (broken([{"Config": "gone", "Layers": []}]), UntrustedError, "is missing"),
        (broken([{"Config": "c.json", "Layers": ["l"]}]), UntrustedError, "different layers"),
        (tar_of(("manifest.json", b"{")), UntrustedError, "not valid JSON"),
    ],
)
def test_what_is_no_image_is_said(tmp_path, content, error, words):
    (tmp_path / "image.tar").write_bytes(content)
    with pytest.raises(error, match=words):
        saved.read(tmp_path / "image.tar", AMD64)


def test_there_is_no_such_file(tmp_path):
    with pytest.raises(UsageError, match="there is no"):
        saved.read(tmp_path / "image.tar", AMD64)


def test_zstd_and_plain_layers_are_read(make_layer, as_image, see):
    layers = (make_layer({"a.txt": b"1"}, media.LAYER_ZSTD), make_layer({"b.txt": b"2"}, media.LAYER))
    assert files(see(as_image(layers))) == {"a.txt": b"1", "b.txt": b"2"}
