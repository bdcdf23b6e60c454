"""The packages of images: real environments, laid into layers, read back."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING

import pytest
from uv import find_uv_bin

from envfreeze.digest import Digest
from envfreeze.errors import UntrustedError, UsageError
from envfreeze.locking.imports import environment, os_packages
from envfreeze.locking.imports.model import ImportedDeb
from envfreeze.locking.model import AptBase, Deb
from envfreeze.oci import media
from envfreeze.oci.image import FileLayer, ImageValue
from envfreeze.oci.manifest import config_json, manifest_json
from envfreeze.oci.platform import Platform

if TYPE_CHECKING:
    from pathlib import Path

PYTHON = "python{}.{}".format(*sys.version_info[:2])
SITE = f"opt/venv/lib/{PYTHON}/site-packages"
STATUS = b"""\
Package: libc6
Status: install ok installed
Priority: required
Version: 2.41-12

Package: libgl1
Status: install ok installed
Priority: optional
Version: 1.7.0-1

Package: libglvnd0
Status: install ok installed
Priority: optional
Version: 1.7.0-1

Package: gone
Status: deinstall ok config-files
Priority: optional
Version: 1
"""


def metadata(name, version="1.0", **more):
    files = {"METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(), "RECORD": b""}
    files |= {key: value.encode() for key, value in more.items()}
    return {f"{name}-{version}.dist-info/{key}": value for key, value in files.items()}


def at(prefix, *packages):
    return {f"{prefix}/{path}": content for package in packages for path, content in package.items()}


@pytest.fixture
def image_of(tmp_path):
    """Make an image of dictionaries of files, or of folders, one layer each."""

    def make(*layers, env=("PATH=/opt/venv/bin:/usr/bin",)):
        made = []
        for number, content in enumerate(layers):
            buffer = io.BytesIO()
            with tarfile.open(fileobj=buffer, mode="w") as tar:
                if isinstance(content, dict):
                    for path, data in content.items():
                        info = tarfile.TarInfo(path)
                        info.size = len(data)
                        tar.addfile(info, io.BytesIO(data))
                else:
                    folder, place = content
                    tar.add(folder, place)
            blob = gzip.compress(buffer.getvalue(), mtime=0)
            path = tmp_path / f"layer-{number}"
            path.write_bytes(blob)
            digests = Digest.of(blob), Digest.of(buffer.getvalue())
            made.append(FileLayer(*digests, len(blob), media.LAYER_GZIP, path))
        config = config_json(
            platform=Platform("linux", "amd64"),
            env=list(env),
            labels={},
            user=None,
            workdir="/",
            entrypoint=None,
            cmd=None,
            layers=[(layer.diff_id, "a layer") for layer in made],
        )
        return ImageValue(manifest_json(config, made), config, tuple(made))

    return make


def names(image, **options):
    return [str(package) for package in environment.read_image(image, shown="it", **options).packages]


def test_a_real_environment_is_read_with_what_its_installer_noted(world, image_of, tmp_path):
    venv = tmp_path / "venv"
    subprocess.run([find_uv_bin(), "venv", "-q", "--no-config", "-p", sys.executable, venv], check=True)
    install = [find_uv_bin(), "pip", "install", "-q", "--no-config", "--python", str(venv / "bin/python")]
    url = world.index.file_url(world.wheels["gamma-1.0-py3-none-any.whl"])
    subprocess.run([*install, "--default-index", world.url, "alpha", f"gamma @ {url}"], check=True)
    found = environment.read_image(image_of((venv, "opt/venv")), shown="the image x")
    assert [str(package) for package in found.packages] == ["alpha 1.0", "beta 1.5", "gamma 1.0"]
    assert found.packages[2].files[0].url == url
    assert found.requested == {"alpha", "beta", "gamma"}
    assert found.requires_python == f"=={PYTHON.removeprefix('python')}.*"
    assert found.file == "the environment /opt/venv of the image x"


def test_what_a_later_layer_removes_or_upgrades_counts_as_it_does_in_a_container(image_of):
    image = image_of(
        at(SITE, metadata("alpha"), metadata("beta"), metadata("gamma")),
        at(
            SITE,
            {".wh.alpha-1.0.dist-info": b"", "beta-1.0.dist-info/.wh..wh..opq": b""},
            metadata("beta", "2.0"),
        ),
    )
    assert names(image) == ["beta 2.0", "gamma 1.0"]


def test_the_first_environment_on_the_path_that_holds_packages_is_meant(image_of):
    system = at(f"usr/local/lib/{PYTHON}/site-packages", metadata("alpha"))
    project = at(SITE, metadata("beta"))
    path = "PATH=/usr/local/bin:/opt/venv/bin"
    assert names(image_of(system, project)) == ["beta 1.0"]
    assert names(image_of(system, project, env=[path])) == ["alpha 1.0"]
    assert names(image_of(system, project, env=[path, "VIRTUAL_ENV=/opt/venv"])) == ["beta 1.0"]
    assert names(image_of(system, project, env=[path]), prefix="/opt/venv") == ["beta 1.0"]
    only_pip = at(f"usr/local/lib/{PYTHON}/site-packages", metadata("pip"))
    assert names(image_of(only_pip, project, env=[path])) == ["beta 1.0"]
    assert names(image_of(project, env=["PATH=/usr/bin"])) == ["beta 1.0"]


def test_an_environment_that_sees_the_one_below_it_has_both(image_of):
    below = at(f"usr/local/lib/{PYTHON}/site-packages", metadata("alpha"), metadata("beta"))
    settings = {"opt/venv/pyvenv.cfg": b"home = /usr/local/bin\ninclude-system-site-packages = true\n"}
    assert names(image_of(below, settings | at(SITE, metadata("beta", "2.0")))) == ["beta 2.0", "alpha 1.0"]


def test_several_environments_of_which_none_is_on_the_path(image_of):
    image = image_of(at(SITE, metadata("a")), at(SITE.replace("venv", "other"), metadata("b")), env=[])
    with pytest.raises(UsageError, match="several environments") as caught:
        names(image)
    assert caught.value.hint == "name one: --from-env-prefix /opt/other or /opt/venv"
    with pytest.raises(UsageError, match="/opt/nothing is no environment"):
        names(image, prefix="/opt/nothing")


def test_an_image_without_packages(image_of):
    with pytest.raises(UsageError, match="it holds no environment with packages"):
        names(image_of({"etc/hostname": b"x"}))


def test_conda_packages_of_an_image_and_not_those_of_its_cache(image_of):
    row = {
        "name": "zlib",
        "url": "https://c.example.org/main/linux-64/zlib-1.3.1-h1_0.conda",
        "md5": "a" * 32,
    }
    meta = {"opt/conda/conda-meta/zlib-1.3.1-h1_0.json": json.dumps(row).encode()}
    cached = at(f"opt/conda/pkgs/numpy-2/lib/{PYTHON}/site-packages", metadata("numpy", "2"))
    found = environment.read_image(image_of(meta | cached, env=["PATH=/opt/conda/bin"]), shown="it")
    assert [package.filename for package in found.conda] == ["zlib-1.3.1-h1_0.conda"]
    assert found.packages == ()


def test_damaged_metadata_are_named_by_their_path_in_the_image(image_of):
    image = image_of({"opt/conda/conda-meta/zlib.json": b"{"}, env=["PATH=/opt/conda/bin"])
    with pytest.raises(UsageError) as caught:
        names(image)
    assert caught.value.message.startswith("it: /opt/conda/conda-meta/zlib.json is not JSON")


def test_a_damaged_layer_is_refused(image_of):
    image = image_of(at(SITE, metadata("alpha")))
    path: Path = image.layers[0].path
    path.write_bytes(path.read_bytes()[:-8] + bytes(8))
    with pytest.raises(UntrustedError, match="layer 1 of the image"):
        names(image)


def test_os_packages_are_told_of_and_not_taken(image_of):
    states = b"Package: libglvnd0\nArchitecture: amd64\nAuto-Installed: 1\n"
    dpkg = {"var/lib/dpkg/status": STATUS, "var/lib/apt/extended_states": states}
    found = environment.read_image(image_of(dpkg | at(SITE, metadata("alpha"))), shown="it")
    assert found.debs == (
        ImportedDeb("libc6", "2.41-12", requested=False),
        ImportedDeb("libgl1", "1.7.0-1", requested=True),
        ImportedDeb("libglvnd0", "1.7.0-1", requested=False),
    )
    libc = Deb("libc6", "2.41-13", "amd64", "pool/libc6.deb", Digest.of(b""), 1, "debian")
    base = AptBase("apt:debian/trixie", (), (), (libc,))
    assert list(os_packages.missing(found, base)) == [
        (
            "the environment /opt/venv of it has OS packages that the lock has not: libgl1; "
            "name those that are needed in [image] packages"
        ),
        "1 OS package has another version in apt:debian/trixie than in the environment /opt/venv of it",
    ]
    assert os_packages.summary(found) == (
        "in the environment /opt/venv of it: 1 Python package (alpha 1.0), 3 OS packages"
    )


def test_the_status_of_distroless_images(image_of):
    status = {
        "var/lib/dpkg/status.d/libc6": STATUS.split(b"\n\n")[0].replace(
            b"Status: install ok installed\n", b""
        )
    }
    found = environment.read_image(image_of(status | at(SITE, metadata("alpha"))), shown="it")
    assert [deb.name for deb in found.debs] == ["libc6"]
