"""The packages of an image, from real layers that shadow each other."""

from __future__ import annotations

import gzip
import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envfreeze.digest import Digest
from envfreeze.errors import UntrustedError
from envfreeze.gpu.model import Package
from envfreeze.locking.image_packages import read
from envfreeze.oci import media
from envfreeze.oci.image import FileLayer, ImageValue
from envfreeze.oci.manifest import config_json, manifest_json
from envfreeze.oci.platform import Platform

SITE = "opt/venv/lib/python3.13/site-packages"
CONDA = "opt/conda/lib/python3.12/site-packages"


def tar_of(files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path, content in files.items():
            info = tarfile.TarInfo(path)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def image_of(folder, *layers, env=(), labels=None):
    placed = []
    for files in layers:
        tar = tar_of(files)
        blob = gzip.compress(tar, mtime=0)
        path = folder / Digest.of(blob).hex
        path.write_bytes(blob)
        placed.append(FileLayer(Digest.of(blob), Digest.of(tar), len(blob), media.LAYER_GZIP, path))
    config = config_json(
        platform=Platform("linux", "amd64"),
        env=list(env),
        labels=labels or {},
        user=None,
        workdir="/",
        entrypoint=None,
        cmd=None,
        layers=[(layer.diff_id, "made") for layer in placed],
    )
    return ImageValue(manifest_json(config, placed), config, tuple(placed))


def info(name, version, site=SITE, installer=b"pip\n"):
    folder = f"{site}/{name}-{version}.dist-info"
    return {f"{folder}/METADATA": b"Name: x\n", f"{folder}/INSTALLER": installer, f"{folder}/RECORD": b""}


def names(found):
    return [f"{one.name} {one.version}" for one in found.packages]


def test_python_packages_are_known_by_their_names_normalised(tmp_path):
    found = read(
        image_of(tmp_path, info("torch", "2.9.0+cu128") | info("nvidia_cuda_runtime_cu12", "12.8.90"))
    )
    assert found.packages == (
        Package("nvidia-cuda-runtime-cu12", "12.8.90"),
        Package("torch", "2.9.0+cu128"),
    )


def test_conda_packages_have_their_build_and_are_not_counted_twice(tmp_path):
    files = info("torch", "2.6.0", CONDA, installer=b"conda") | info("alpha", "1.0", CONDA)
    files |= {
        "opt/conda/conda-meta/pytorch-2.6.0-cuda126_py312h1b2c3d4_200.json": b"{}",
        "opt/conda/conda-meta/cuda-version-12.6-h7480c83_3.json": b"{}",
        "opt/conda/conda-meta/history": b"",
    }
    assert read(image_of(tmp_path, files)).packages == (
        Package("alpha", "1.0"),
        Package("cuda-version", "12.6", "conda", "h7480c83_3"),
        Package("pytorch", "2.6.0", "conda", "cuda126_py312h1b2c3d4_200"),
    )


def test_what_a_package_carries_of_others_is_none_of_the_image_s(tmp_path):
    site = "usr/lib/python3/dist-packages/setuptools/_vendor"
    assert names(read(image_of(tmp_path, info("wheel", "0.45", site)))) == []


def test_a_whiteout_removes_what_lower_layers_brought(tmp_path):
    old = f"{SITE}/.wh.torch-2.8.0.dist-info"
    found = read(image_of(tmp_path, info("torch", "2.8.0"), {old: b""} | info("torch", "2.9.0")))
    assert names(found) == ["torch 2.9.0"]


def test_an_opaque_folder_hides_all_below_and_nothing_of_its_own_layer(tmp_path):
    upper = info("beta", "2.0") | {f"{SITE}/.wh..wh..opq": b""}
    found = read(image_of(tmp_path, info("alpha", "1.0") | info("wide", "1", "usr/site-packages"), upper))
    assert names(found) == ["beta 2.0", "wide 1"]


def test_a_removed_folder_takes_everything_in_it(tmp_path):
    assert names(read(image_of(tmp_path, info("alpha", "1.0"), {"opt/.wh.venv": b""}))) == []


def test_environment_labels_and_the_base_are_those_of_the_config(tmp_path):
    labels = {"org.opencontainers.image.base.name": "nvidia/cuda:12.8.1-base-ubuntu24.04"}
    found = read(image_of(tmp_path, {"a": b""}, env=["CUDA_VERSION=12.8.1", "X=a=b"], labels=labels))
    assert found.env == {"CUDA_VERSION": "12.8.1", "X": "a=b"}
    base = found.base("image")
    assert (base.reference, base.env) == (labels.popitem()[1], found.env)


def test_forward_compatibility_is_known_by_its_library_and_the_newest_counts(tmp_path):
    files = {f"usr/local/cuda-{cuda}/compat/libcuda.so.575.1": b"" for cuda in ("12.9", "12.10")}
    assert read(image_of(tmp_path, files)).compat == "cuda-compat-12-10"
    assert read(image_of(tmp_path, {"usr/local/cuda-12.9/lib64/libcuda.so.1": b""})).compat == ""


def test_a_damaged_layer_is_named(tmp_path):
    image = image_of(tmp_path, info("alpha", "1.0"))
    (layer,) = image.layers
    layer.path.write_bytes(layer.path.read_bytes()[:-9] + bytes(9))
    with pytest.raises(UntrustedError, match=str(layer.digest)):
        read(image)


@given(
    st.lists(
        st.dictionaries(st.text("/.-wh site-packagesdistinfoMETA", max_size=40), st.just(b"")), max_size=3
    )
)
def test_names_of_any_shape_are_read_or_refused(tmp_path_factory, layers):
    folder = tmp_path_factory.mktemp("image")
    layers = [{path.encode().decode(): b"" for path in files if path.strip("/.")} for files in layers]
    found = read(image_of(folder, *layers))
    assert all(package.name and package.version for package in found.packages)
