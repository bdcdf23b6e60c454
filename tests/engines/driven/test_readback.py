"""What an engine made is read for times and files that are not as they should be."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from datetime import UTC, datetime

import pytest

from envfreeze.digest import Digest
from envfreeze.engines.driven import readback, residue
from envfreeze.engines.driven.model import EPOCH
from envfreeze.errors import MachineError, UntrustedError, UsageError
from envfreeze.oci import media
from envfreeze.oci.image import FileLayer, ImageValue
from envfreeze.oci.manifest import manifest_json

NOW = 1_800_000_000
PYC = b"\xcb\r\r\n"


@pytest.fixture
def layer(tmp_path):
    def make(files: dict[str, bytes], mtime: int = EPOCH) -> FileLayer:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for path, data in files.items():
                info = tarfile.TarInfo(path)
                info.size, info.mtime = len(data), mtime
                tar.addfile(info, io.BytesIO(data))
        raw = buffer.getvalue()
        blob = gzip.compress(raw, mtime=0)
        digest = Digest.of(blob)
        (tmp_path / digest.hex).write_bytes(blob)
        return FileLayer(digest, Digest.of(raw), len(blob), media.LAYER_GZIP, tmp_path / digest.hex)

    return make


def image_of(*layers: FileLayer, created: int = EPOCH, steps: tuple[str, ...] = ()) -> ImageValue:
    when = datetime.fromtimestamp(created, UTC).isoformat()
    history = [{"created": when, "created_by": step} for step in steps or ("RUN x",) * len(layers)]
    config = {
        "architecture": "amd64",
        "os": "linux",
        "created": when,
        "rootfs": {"type": "layers", "diff_ids": [str(one.diff_id) for one in layers]},
        "history": history,
    }
    raw = json.dumps(config).encode()
    return ImageValue(manifest_json(raw, layers), raw, layers)


def test_a_sound_image_of_one_time_passes(layer):
    assert readback.check([image_of(layer({"a": b"a"}))], program="docker") == ()


def test_a_later_time_in_a_layer_is_the_engine_s_fault(layer):
    with pytest.raises(
        MachineError, match="docker was asked for no time after 1980-01-02T00:00:00Z"
    ) as caught:
        readback.check([image_of(layer({"a": b""}), layer({"b": b"", "c": b""}, NOW))], program="docker")
    assert "layer 2: b is of 2027-01-15T08:00:00Z" in caught.value.message


def test_a_later_time_in_the_config_is_too(layer):
    with pytest.raises(MachineError, match="the config was created 2027"):
        readback.check([image_of(layer({"a": b""}), created=NOW)], program="docker")


def test_layers_of_the_base_are_as_they_are(layer):
    base, above = layer({"var/log/dpkg.log": b"x"}, NOW), layer({"b": b""})
    image = image_of(base, above)

    readback.check([image], program="docker", base=frozenset({base.diff_id}))
    with pytest.raises(MachineError):
        readback.check([image], program="docker")


def test_the_history_of_the_base_is_as_it_is(layer):
    base, above = layer({"a": b""}), layer({"b": b""})
    config = json.loads(image_of(base, above).config)
    config["history"][0]["created"] = "2027-01-15T08:00:00Z"
    raw = json.dumps(config).encode()
    image = ImageValue(manifest_json(raw, (base, above)), raw, (base, above))

    assert readback.read(image, frozenset({base.diff_id})).late == ()
    assert readback.read(image).late == ("the history was created 2027-01-15T08:00:00Z",)


def test_an_earlier_time_is_told_where_a_cache_may_have_given_it(layer):
    image = image_of(layer({"a": b""}, 1))

    assert readback.check([image], program="docker", fresh=True) == ()
    (note,) = readback.check([image], program="docker", fresh=False)
    assert "layer 1: a is of 1970-01-01T00:00:01Z" in note


def test_a_damaged_image_is_said(layer, tmp_path):
    one = layer({"a": b"a"})
    (tmp_path / one.digest.hex).write_bytes(b"\x1f\x8b" + bytes(one.size - 2))

    with pytest.raises(UntrustedError, match="the image that docker made is damaged"):
        readback.check([image_of(one)], program="docker")


LEFT = {
    "usr/lib/python3/x.pyc": PYC + bytes(12),
    "opt/venv/lib/python3.13/site-packages/x.dist-info/uv_cache.json": b"{}",
    "opt/conda/conda-meta/history": b"==> 1980-01-02 00:00:00 <==\n==> 2026-11-22 08:00:00 <==\n",
    "conda-meta/history": b"x",
    "var/cache/ldconfig/aux-cache": b"x",
    "var/cache/apt/pkgcache.bin": b"x",
    "var/lib/apt/lists/archive.example.org_debian_dists_trixie_InRelease": b"x",
    "var/log/apt/term.log": b"x",
    "var/log/dpkg.log": b"x",
    "etc/shadow": b"root:*:20000:0:99999:7:::\n",
    "etc/machine-id": b"0123\n",
    "etc/ssh/ssh_host_rsa_key": b"x",
    "root/.cache/pip/http/a": b"x",
    "root/.cache/uv/a": b"x",
    "home/ada/.bash_history": b"x",
}

KEPT = {
    "usr/lib/python3/x.pyc": PYC + b"\1\0\0\0" + bytes(8),
    "usr/lib/python3/checked.pyc": PYC + b"\3\0\0\0" + bytes(8),
    "var/lib/apt/lists/lock": b"",
    "var/log/apt/history.log": b"",
    "var/log/dpkg.log": b"",
    "etc/shadow": b"root:*:3653:0:99999:7:::\nada:!::0:99999:7:::\nodd\n",
    "etc/machine-id": b"",
    "opt/conda/conda-meta/python-3.13.json": b"{}",
    "opt/conda/conda-meta/history": b"==> 1980-01-02 00:00:00 <==\n# cmd: envfreeze build\n",
}


@pytest.mark.parametrize("path", LEFT)
def test_what_no_second_build_gives_again_is_named_with_its_step(layer, path):
    image = image_of(
        layer({"a": b""}), layer({path: LEFT[path]}), steps=("COPY a", "RUN apt-get   install\n x")
    )

    with pytest.raises(UsageError) as caught:
        readback.check([image], program="docker")

    assert f"{path}: " in caught.value.message
    assert caught.value.message.endswith("(made by: RUN apt-get install x)")


def test_what_comes_out_again_is_left(layer):
    readback.check([image_of(layer(KEPT))], program="docker")


def test_links_and_folders_are_no_residue(tmp_path):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        info = tarfile.TarInfo("etc/machine-id")
        info.type, info.linkname, info.mtime = tarfile.SYMTYPE, "/run/machine-id", EPOCH
        tar.addfile(info)
    raw = buffer.getvalue()
    (tmp_path / "plain").write_bytes(raw)
    plain = FileLayer(Digest.of(raw), Digest.of(raw), len(raw), media.LAYER, tmp_path / "plain")

    readback.check([image_of(plain)], program="docker")


def test_every_rule_has_a_remedy():
    assert all(rule.what and rule.remedy for rule in residue.RULES)
    assert len({rule.pattern for rule in residue.RULES}) == len(residue.RULES)
