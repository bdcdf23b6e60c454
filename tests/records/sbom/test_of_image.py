"""Bills of materials of images, whoever made them."""

from __future__ import annotations

import json

import pytest

from envfreeze.digest import Digest
from envfreeze.errors import UntrustedError
from envfreeze.records.sbom import cyclonedx, of_image, spdx
from envfreeze.records.sbom.model import Key, Licence

STATUS = b"""Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.41-12
Maintainer: GNU Libc Maintainers <debian-glibc@lists.example.org>
Homepage: https://www.example.org/libc

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1.0

Package: python3-yaml
Status: install ok installed
Architecture: amd64
Version: 6.0.2-1+b2
"""
COPYRIGHT = b"""Format: http://dep.debian.net/deps/dep5/
Upstream-Name: libc

Files: *
Copyright: them
License: LGPL-2.1+

Files: odd/*
Copyright: others
License: public-domain
 whatever

License: LGPL-2.1+
 text
"""


def metadata(name, version, *lines):
    return "\n".join(
        ["Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}", *lines, "", "text"]
    ).encode()


CONDA = {
    "name": "numpy",
    "version": "2.3.0",
    "build": "py313_0",
    "channel": "https://conda.example.org/conda-forge/linux-64",
    "subdir": "linux-64",
    "fn": "numpy-2.3.0-py313_0.conda",
    "url": "https://u:hush@conda.example.org/t/tk-hush/conda-forge/linux-64/numpy-2.3.0-py313_0.conda",
    "sha256": Digest.of(b"numpy").hex,
    "license": "BSD-3-Clause",
    "files": ["lib/python3.13/site-packages/numpy-2.3.0.dist-info/METADATA"],
}
YAML = "usr/lib/python3/dist-packages/PyYAML-6.0.2.egg-info/PKG-INFO"
SITE = "opt/venv/lib/python3.13/site-packages"


@pytest.fixture
def image(registry_server):
    lower = {
        "usr/lib/os-release": b'ID=debian\nVERSION_CODENAME="trixie"\n',
        "var/lib/dpkg/status": STATUS,
        "var/lib/dpkg/info/python3-yaml.list": b"/.\n/%s\n" % YAML.encode(),
        "usr/share/doc/libc6/copyright": COPYRIGHT,
        "usr/share/doc/python3-yaml/copyright": b"This is free software.\n",
        YAML: metadata("PyYAML", "6.0.2"),
        "opt/conda/conda-meta/numpy-2.3.0-py313_0.json": json.dumps(CONDA).encode(),
        "opt/conda/conda-meta/history": b"",
        "opt/conda/lib/python3.13/site-packages/numpy-2.3.0.dist-info/METADATA": metadata("numpy", "2.3.0"),
        "opt/conda/pkgs/x/lib/python3.13/site-packages/cached-1.dist-info/METADATA": metadata("cached", "1"),
        f"{SITE}/old-1.0.dist-info/METADATA": metadata("old", "1.0"),
        f"{SITE}/pip/_vendor/distlib-9.dist-info/METADATA": metadata("distlib", "9"),
    }
    upper = {
        f"{SITE}/.wh.old-1.0.dist-info": b"",
        f"{SITE}/torch-2.8.0+cu128.dist-info/METADATA": metadata(
            "torch",
            "2.8.0+cu128",
            "Author: PyTorch Team",
            "License-Expression: BSD-3-Clause",
            "Project-URL: Homepage, https://pytorch.example.org",
        ),
        f"{SITE}/torch-2.8.0+cu128.dist-info/REQUESTED": b"",
        f"{SITE}/mine-1.0.dist-info/METADATA": metadata("Mine", "1.0", "Author-email: me@example.org"),
        f"{SITE}/mine-1.0.dist-info/direct_url.json": (
            b'{"url": "https://u:hush@git.example.org/mine", "vcs_info": {"vcs": "git", "commit_id": "abc"}}'
        ),
        f"{SITE}/broken.dist-info/METADATA": b"\xff\xfe nothing",
    }
    return registry_server.image_of([lower, upper])


def test_what_is_installed_is_listed_once_under_whoever_installed_it(image):
    bill = of_image.bill(image, name="train")
    found = {package.key: package for package in bill.packages}
    assert [(key.side, key.name) for key in found] == [
        ("conda", "numpy"),
        ("os", "libc6"),
        ("os", "python3-yaml"),
        ("pip", "mine"),
        ("pip", "torch"),
    ]
    libc = found[Key("os", "libc6", "2.41-12")]
    assert libc.purl == "pkg:deb/debian/libc6@2.41-12?arch=amd64&distro=trixie"
    assert libc.licence == Licence("LGPL-2.1-or-later AND LicenseRef-debian-public-domain")
    assert (libc.supplier, libc.homepage) == ("GNU Libc Maintainers", "https://www.example.org/libc")
    assert found[Key("os", "python3-yaml", "6.0.2-1+b2")].licence == Licence()
    numpy = found[Key("conda", "numpy", "2.3.0")]
    assert numpy.purl.startswith("pkg:conda/numpy@2.3.0?build=py313_0&channel=conda-forge&subdir=linux-64")
    assert (numpy.digest, numpy.licence) == (Digest.of(b"numpy"), Licence("BSD-3-Clause"))
    torch = found[Key("pip", "torch", "2.8.0+cu128")]
    assert (torch.requested, torch.supplier) == (True, "PyTorch Team")
    assert torch.homepage == "https://pytorch.example.org"
    mine = found[Key("pip", "mine", "1.0")]
    assert (mine.requested, mine.supplier) == (False, None)
    assert mine.purl == "pkg:pypi/mine@1.0?vcs_url=git%2Bhttps://git.example.org/mine%40abc"
    assert bill.subject == image.digest


def test_no_login_gets_into_the_documents(image, judged):
    for writer in (cyclonedx, spdx):
        document = writer.write(of_image.bill(image, name="train"))
        assert b"hush" not in document
        assert b"@example.org" not in document
        assert judged(document) == []


def test_another_config_has_the_same_packages_and_the_same_image_the_same_bytes(image, registry_server):
    again = registry_server.image_of(list(image.layers), settings={"Env": ["A=1"]})
    first, second = (of_image.bill(one, name="train") for one in (image, again))
    assert first.packages == second.packages
    assert cyclonedx.write(first) == cyclonedx.write(of_image.bill(image, name="train"))


def test_a_distroless_image_has_its_packages_in_parts(registry_server):
    one = b"Package: base-files\nVersion: 13.8\nArchitecture: amd64\n"
    parts = {
        "var/lib/dpkg/status.d/base-files": one,
        "var/lib/dpkg/status.d/base-files.md5sums": b"0  etc/x\n",
    }
    bill = of_image.bill(registry_server.image_of([parts]), name="distroless")
    assert [package.key for package in bill.packages] == [Key("os", "base-files", "13.8")]


def test_a_database_that_is_not_read_is_named(registry_server):
    told = []

    class Told:
        warn = told.append

        def task(self, *_):
            return self

        advance = finish = staticmethod(lambda *_: None)

    image = registry_server.image_of([{"lib/apk/db/installed": b"P:musl\n"}])
    assert of_image.bill(image, name="alpine", progress=Told()).packages == ()
    assert "lib/apk/db/installed" in told[0]


def test_an_empty_image_has_an_empty_bill(registry_server, judged):
    bill = of_image.bill(registry_server.image_of([{"a": b""}]), name="empty")
    assert bill.packages == ()
    assert [judged(writer.write(bill)) for writer in (cyclonedx, spdx)] == [[], []]


def test_a_record_of_conda_s_that_is_none_is_refused_by_name(registry_server):
    image = registry_server.image_of([{"opt/conda/conda-meta/x.json": b"{"}])
    with pytest.raises(UntrustedError, match=r"conda-meta/x\.json"):
        of_image.bill(image, name="broken")
