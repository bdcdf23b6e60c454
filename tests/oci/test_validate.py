from __future__ import annotations

import gzip
import io
import json
import random
import shutil
import tarfile

import pytest

from envfreeze.digest import Digest
from envfreeze.oci import canonical, layout, media
from envfreeze.oci.image import FileLayer, ImageIndex, ImageValue
from envfreeze.oci.manifest import index_json, manifest_json
from envfreeze.oci.validate import validate
from envfreeze.replacing import replace


def info(name, kind=tarfile.REGTYPE, link="", **changes):
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, link
    for key, value in changes.items():
        setattr(made, key, value)
    return made


def folder(name):
    return info(name, tarfile.DIRTYPE)


def only(problems):
    (problem,) = problems
    return problem


def changed(document, **changes):
    return canonical.dump(json.loads(document) | changes)


def with_config(image, **changes):
    """The image with another config that its manifest vouches for."""
    config = changed(image.config, **changes)
    return replace(image, config=config, manifest=manifest_json(config, image.layers))


def test_sound_images_have_no_problems(image, index):
    assert validate(image) == ()
    assert validate(index) == ()


@pytest.mark.parametrize(
    "media_type",
    [media.LAYER, media.LAYER_GZIP, media.LAYER_ZSTD, media.DOCKER_LAYER, media.DOCKER_LAYER_GZIP],
)
def test_every_kind_of_compression_is_read(make_layer, as_image, media_type):
    image = as_image((make_layer({"etc/hostname": b"x" * 100_000}, media_type),))
    if media.is_docker(media_type):
        image = replace(image, manifest=changed(image.manifest, mediaType=media.DOCKER_MANIFEST))
    assert validate(image) == ()


def test_a_layer_of_many_gzip_members_is_read(make_layer, as_image, tmp_path):
    whole = make_layer({"a": b"a" * 5000})
    tar = gzip.decompress(whole.path.read_bytes())
    blob = b"".join(gzip.compress(tar[at : at + 100], mtime=0) for at in range(0, len(tar), 100))
    (tmp_path / "blob").write_bytes(blob)
    layer = FileLayer(Digest.of(blob), whole.diff_id, len(blob), media.LAYER_GZIP, tmp_path / "blob")
    assert validate(as_image((layer,))) == ()


class TestBlobs:
    @pytest.fixture
    def blob(self, image):
        """The second layer's file, to be changed."""
        path = image.layers[1].path
        path.chmod(0o644)
        return path

    def test_a_missing_blob(self, image, blob):
        blob.unlink()
        assert "is missing" in only(validate(image))

    def test_a_truncated_blob(self, image, blob):
        blob.write_bytes(blob.read_bytes()[:-9])
        assert f"not {image.layers[1].size}" in only(validate(image))

    def test_a_blob_with_another_digest(self, image, blob):
        data = blob.read_bytes()
        blob.write_bytes(data[:4] + b"\1" + data[5:])  # The time in gzip's header: the content stays.
        assert "is damaged: its bytes have the digest" in only(validate(image))

    def test_damaged_compression_is_told_besides_the_digest(self, make_image):
        image = make_image({"a": b"a"}, {"b": random.Random(1).randbytes(2_000_000)})
        path = image.layers[1].path
        data = bytearray(path.read_bytes())
        data[2] = 9  # No such compression method.
        path.chmod(0o644)
        path.write_bytes(data)
        problems = validate(image)
        assert any("gzip data is damaged" in problem for problem in problems)
        assert any("its bytes have the digest" in problem for problem in problems)
        assert all(problem.startswith("layer 2 of 2 (sha256:") for problem in problems)

    def test_compression_that_is_another_than_the_media_type_says(self, make_layer, as_image):
        layer = replace(make_layer({"a": b"a"}), media_type=media.LAYER_ZSTD)
        assert "zstd data is damaged" in only(validate(as_image((layer,))))

    def test_a_wrong_diff_id(self, make_layer, as_image):
        layer = replace(make_layer({"a": b"a"}), diff_id=Digest.of(b"other"))
        assert f"its diffID {layer.diff_id}" in only(validate(as_image((layer,))))

    def test_data_after_the_end_of_the_tar(self, make_layer, as_image, pack_tar):
        tar = pack_tar((info("a"), b"a"))
        assert "after the end of its tar" in only(validate(as_image((make_layer(tar + b"secret"),))))

    def test_a_tar_that_is_none(self, make_layer, as_image):
        problems = validate(as_image((make_layer(b"#!/bin/sh" * 200),)))
        assert "the tar is damaged" in only(problems)

    def test_everything_wrong_is_told_at_once(self, image, index, blob):
        blob.unlink()
        image.layers[0].path.unlink()
        broken = with_config(image, os="")
        assert len(validate(broken)) == 3
        both = ImageIndex(index.raw, (*index.images, broken))
        assert len(validate(both)) == 4


class TestManifest:
    def test_a_layer_that_the_manifest_does_not_list(self, image, make_layer):
        more = replace(image, layers=(*image.layers, make_layer({"x": b"x"})))
        assert validate(more) == (
            "the manifest lists 2 layers, there are 3",
            "the config has 2 diff_ids for 3 layers",
            "the config's history tells of 2 layers, there are 3",
        )

    @pytest.mark.parametrize(
        ("key", "value", "words"),
        [
            ("digest", f"sha256:{'0' * 64}", "has the digest"),
            ("size", 1, "has the size"),
            ("mediaType", media.LAYER, "has the media type"),
            ("digest", "sha256:../x", "where a sha256 digest belongs"),
        ],
    )
    def test_a_layer_that_is_not_the_listed_one(self, image, key, value, words):
        document = json.loads(image.manifest)
        document["layers"][0][key] = value
        assert words in only(validate(replace(image, manifest=canonical.dump(document))))

    def test_a_media_type_that_is_no_layers(self, image, make_layer, as_image):
        other = as_image((image.layers[0], make_layer({"a": b"a"}, "text/plain")))
        assert validate(other) == (
            "layer 2 has the media type text/plain, which is no layer's",
            f"layer 2 of 2 ({other.layers[1].digest}): its media type text/plain is no layer's",
        )

    def test_a_config_that_is_not_the_listed_one(self, image):
        problems = validate(replace(image, config=image.config + b" "))
        assert [problem.split(",")[0] for problem in problems] == [
            f"the config is {Digest.of(image.config + b' ')}",
            f"the config has {len(image.config) + 1} bytes",
        ]

    def test_a_wrong_schema_version(self, image):
        assert "schemaVersion 1" in only(
            validate(replace(image, manifest=changed(image.manifest, schemaVersion=1)))
        )

    def test_a_manifest_that_is_an_index_too(self, image):
        assert "CVE-2021-41190" in only(
            validate(replace(image, manifest=changed(image.manifest, manifests=[])))
        )

    def test_media_types_of_two_families(self, image):
        mixed = replace(image, manifest=changed(image.manifest, mediaType=media.DOCKER_MANIFEST))
        assert "mixes media types" in only(validate(mixed))

    def test_a_manifest_that_is_no_json(self, image):
        assert "not valid JSON" in only(validate(replace(image, manifest=b"<html>")))


class TestConfig:
    @pytest.mark.parametrize("key", ["os", "architecture"])
    def test_no_platform(self, image, key):
        assert only(validate(with_config(image, **{key: None}))) == f"the config has no {key}"

    def test_another_diff_id(self, image):
        rootfs = {"type": "layers", "diff_ids": [str(Digest.of(b"x")), str(image.layers[1].diff_id)]}
        assert "layer 1 has the diffID" in only(validate(with_config(image, rootfs=rootfs)))

    def test_no_diff_ids(self, image):
        assert only(validate(with_config(image, rootfs={}))) == "the config has no rootfs.diff_ids"

    def test_a_rootfs_of_another_type(self, image):
        rootfs = json.loads(image.config)["rootfs"] | {"type": "snapshots"}
        assert "the type 'snapshots'" in only(validate(with_config(image, rootfs=rootfs)))

    def test_a_history_of_another_length(self, image):
        history = json.loads(image.config)["history"]
        assert "tells of 1 layers" in only(validate(with_config(image, history=history[1:])))

    def test_empty_layers_do_not_count(self, image):
        history = [{"empty_layer": True}, *json.loads(image.config)["history"]]
        assert validate(with_config(image, history=history)) == ()

    def test_no_history_is_none(self, image):
        assert validate(with_config(image, history=None)) == ()


class TestIndex:
    def test_a_platform_that_is_another_in_the_config(self, index):
        document = json.loads(index.raw)
        document["manifests"][0]["platform"]["architecture"] = "s390x"
        problem = only(validate(ImageIndex(canonical.dump(document), index.images)))
        assert problem.endswith("is for linux/amd64, the index states linux/s390x")

    def test_a_wrong_size(self, index):
        document = json.loads(index.raw)
        document["manifests"][1]["size"] += 1
        assert "the index states" in only(validate(ImageIndex(canonical.dump(document), index.images)))

    def test_a_missing_image(self, index):
        problem = only(validate(ImageIndex(index.raw, index.images[:1])))
        assert problem == f"manifest {index.images[1].digest} stands in the index and is missing"

    def test_an_image_too_many(self, index):
        raw = index_json(index.images[:1])
        assert "does not stand in the index" in only(validate(ImageIndex(raw, index.images)))

    def test_problems_name_the_platform(self, index):
        index.images[1].layers[1].path.unlink()
        assert only(validate(index)).startswith("linux/arm64: layer 2 of 2")


BAD_NAMES = {
    "stands twice": [(info("a"), b"1"), (info("./a"), b"2")],
    "leads out of the root": [(info("a/../../b"), b"")],
    "is an absolute path": [(info("/etc/passwd"), b"")],
    "comes after what is inside it": [(info("a/b"), b""), (folder("a"), b"")],
    "which is a symbolic link": [(info("a", tarfile.SYMTYPE, "/etc"), b""), (info("a/passwd"), b"")],
    "which is a file": [(info("a"), b""), (info("a/b/c"), b"")],
    "and something is inside it": [(info("a/b"), b""), (info("a", tarfile.SYMTYPE, "/etc"), b"")],
    "is not a valid whiteout": [(info(".wh."), b"")],
    "is inside a whiteout": [(info(".wh.a/b"), b"")],
    "is a whiteout that is not an empty file": [(info(".wh.a"), b"content")],
    "which is not there": [(info("a", tarfile.LNKTYPE, "b"), b"")],
    "comes after 'a', a hard link to it": [(info("a", tarfile.LNKTYPE, "b"), b""), (info("b"), b"")],
    "is a hard link out of the root": [(info("a", tarfile.LNKTYPE, "../b"), b"")],
    "which is a directory": [(folder("d"), b""), (info("e", tarfile.LNKTYPE, "d"), b"")],
    "is not UTF-8": [(info("a\udcff"), b"")],
    "has no name": [(info("./"), b"")],
}


class TestNames:
    @pytest.mark.parametrize("words", BAD_NAMES)
    def test_a_name_that_breaks_a_rule(self, make_layer, as_image, words):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
            for member, content in BAD_NAMES[words]:
                tar.addfile(replace_size(member, content), io.BytesIO(content))
        assert words in only(validate(as_image((make_layer(buffer.getvalue()),))))

    def test_names_that_break_none(self, make_layer, as_image, pack_tar):
        tar = pack_tar(
            (folder("./"), b""),
            (info("./.wh.gone"), b""),
            (folder("./etc"), b""),
            (info("./etc/.wh..wh..opq"), b""),
            (info("./etc/a"), b"a"),
            (info("./etc/b", tarfile.LNKTYPE, "./etc/a"), b""),
            (info("./etc/c", tarfile.SYMTYPE, "../../../a"), b""),
            (info("usr/share/no-parent"), b""),
            (info("dev/null", tarfile.CHRTYPE), b""),
            (info("a..b/...c"), b""),
        )
        assert validate(as_image((make_layer(tar),))) == ()

    def test_many_problems_are_counted_and_not_all_told(self, make_layer, as_image, pack_tar):
        tar = pack_tar(*((info(f"/{number}"), b"") for number in range(200)))
        problems = validate(as_image((make_layer(tar),)))
        assert len(problems) == 51
        assert problems[-1].endswith("150 more of its names break the rules")


def replace_size(member, content):
    member.size = len(content)
    return member


def test_an_attestation_is_no_image_and_no_problem(image, tmp_path):
    """BuildKit's indexes hold manifests of in-toto statements beside the images."""
    statement = b'{"_type":"https://in-toto.io/Statement/v1"}'
    (tmp_path / "statement").write_bytes(statement)
    digest = Digest.of(statement)
    layer = FileLayer(digest, digest, len(statement), "application/vnd.in-toto+json", tmp_path / "statement")
    config = canonical.dump(
        {
            "os": "unknown",
            "architecture": "unknown",
            "rootfs": {"type": "layers", "diff_ids": [str(digest)]},
        }
    )
    attestation = ImageValue(manifest_json(config, [layer]), config, (layer,))
    both = ImageIndex(index_json([image, attestation]), (image, attestation))
    assert validate(both) == ()
    layout.write(both, tmp_path / "out")
    assert validate(layout.read(tmp_path / "out")) == ()


@pytest.mark.integration
def test_what_skopeo_makes_of_an_image_is_sound(image, tmp_path, need, run):
    need("skopeo", shutil.which("skopeo") is not None, "no skopeo on this machine")
    layout.write(image, tmp_path / "out", name="a")
    for number, options in enumerate((["--format", "v2s2"], ["--dest-compress-format", "zstd"])):
        target = tmp_path / f"copy-{number}"
        run("skopeo", "copy", "--insecure-policy", *options, f"oci:{tmp_path / 'out'}:a", f"oci:{target}:a")
        assert validate(layout.read(target)) == ()
