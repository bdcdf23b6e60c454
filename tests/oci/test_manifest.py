from __future__ import annotations

import json

from envfreeze.digest import Digest
from envfreeze.oci import media
from envfreeze.oci.image import FileLayer, ImageIndex, ImageValue
from envfreeze.oci.manifest import config_json, index_json, manifest_json
from envfreeze.oci.platform import Platform

DIFF_ID = Digest.of(b"tar")
BLOB = Digest.of(b"blob")


def config(platform="linux/amd64", **changes):
    arguments = {
        "env": ["PATH=/opt/venv/bin:/usr/bin", "LANG=C.UTF-8"],
        "labels": {"b": "2", "a": "1"},
        "user": "1000:1000",
        "workdir": "/work",
        "entrypoint": ["/opt/venv/bin/python"],
        "cmd": ["train.py"],
        "layers": [(DIFF_ID, "wheel-torch")],
    }
    return config_json(platform=Platform.parse(platform), **(arguments | changes))


def test_the_config_has_these_bytes():
    assert config() == (
        b'{"architecture":"amd64","config":{"Cmd":["train.py"],"Entrypoint":["/opt/venv/bin/python"],'
        b'"Env":["PATH=/opt/venv/bin:/usr/bin","LANG=C.UTF-8"],"Labels":{"a":"1","b":"2"},'
        b'"User":"1000:1000","WorkingDir":"/work"},"created":"1980-01-02T00:00:00Z",'
        b'"history":[{"created":"1980-01-02T00:00:00Z","created_by":"wheel-torch"}],"os":"linux",'
        b'"rootfs":{"diff_ids":["sha256:%s"],"type":"layers"}}' % DIFF_ID.hex.encode()
    )


def test_what_is_empty_is_absent():
    written = json.loads(
        config(env=[], labels={}, user=None, workdir=None, entrypoint=None, cmd=[], layers=[])
    )
    assert written["config"] == {}
    assert written["rootfs"]["diff_ids"] == written["history"] == []


def test_arm64_states_its_variant():
    assert json.loads(config("linux/arm64"))["variant"] == "v8"
    assert "variant" not in json.loads(config())


def test_the_order_of_env_is_kept():
    assert json.loads(config(env=["Z=1", "A=2"]))["config"]["Env"] == ["Z=1", "A=2"]


def test_the_manifest_has_these_bytes(tmp_path):
    layer = FileLayer(BLOB, DIFF_ID, 4, media.LAYER_GZIP, tmp_path)
    raw = b"{}"
    assert manifest_json(raw, [layer]) == (
        b'{"config":{"digest":"sha256:%s","mediaType":"application/vnd.oci.image.config.v1+json","size":2},'
        b'"layers":[{"digest":"sha256:%s","mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","size":4}],'
        b'"mediaType":"application/vnd.oci.image.manifest.v1+json","schemaVersion":2}'
        % (Digest.of(raw).hex.encode(), BLOB.hex.encode())
    )


def test_the_index_names_platforms_in_the_order_given():
    raw = [config("linux/arm64", layers=[]), config(layers=[])]
    images = [ImageValue(manifest_json(one, ()), one, ()) for one in raw]
    index = ImageIndex(index_json(images), tuple(images))
    document = json.loads(index.raw)
    assert document["mediaType"] == media.INDEX
    assert [entry["platform"] for entry in document["manifests"]] == [
        {"architecture": "arm64", "os": "linux", "variant": "v8"},
        {"architecture": "amd64", "os": "linux"},
    ]
    assert [entry["digest"] for entry in document["manifests"]] == [str(image.digest) for image in images]


def test_an_image_knows_its_platform_and_digest():
    raw = config("linux/arm64", layers=[])
    image = ImageValue(manifest_json(raw, ()), raw, ())
    assert image.platform == Platform("linux", "arm64")
    assert image.digest == Digest.of(image.manifest)
