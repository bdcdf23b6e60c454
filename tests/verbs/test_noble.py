"""`apt:ubuntu/noble`, as it ships, over an archive of Ubuntu's layout on loopback.

Three suites of which the security one has a place of its own in the table, two components, zstd in the
packages, `Suite` and `Codename` that differ, and Python 3.12. The test marked `network` reads the real
archive, where the host's own apt sources name a mirror of it.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import tomllib
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from importlib import resources

import pysequoia
import pytest

from envfreeze.locking import apt
from envfreeze.locking import files as lock_files
from envfreeze.locking.apt import mirrors, resolution, suites
from envfreeze.oci.platform import Platform
from envfreeze.project.load import load
from envfreeze.store.cache import Cache

SUITES = tomllib.loads((resources.files("envfreeze.locking.apt") / "suites.toml").read_text())
NEEDS = {
    "python3": "python3.12 (>= 3.12.3-0~)",
    "python3.12": "libpython3.12-stdlib, libc6 (>= 2.38), libssl3t64",
    "libpython3.12-stdlib": "libc6",
    "libssl3t64": "libc6",
    "ca-certificates": "openssl",
    "openssl": "libc6, libssl3t64",
    "libstdc++6": "gcc-14-base, libc6, libgcc-s1",
    "libgcc-s1": "gcc-14-base, libc6",
}
VERSIONS = {"libc6": "2.39-0ubuntu8", "python3": "3.12.3-0ubuntu2", "python3.12": "3.12.3-1ubuntu0.5"}
CONTENTS = {
    "base-files": {"./etc/debian_version": b"trixie/sid\n"},
    "libc6": {"./usr/lib/x86_64-linux-gnu/libc.so.6": b"\x7fELF" * 900},
    "python3": {"./usr/bin/python3": "python3.12"},
    "python3.12": {"./usr/bin/python3.12": b"\x7fELF" * 700},
    "htop": {"./usr/bin/htop": b"\x7fELF" * 100},
}


class Ubuntu:
    """An archive of Ubuntu's layout."""

    def __init__(self, site, key, deb_of):
        self.site, self.key, self.deb_of = site, key, deb_of

    def deb(self, name, version, component):
        content, stanza = self.deb_of(
            name, version, CONTENTS.get(name, {}), depends=NEEDS.get(name, ""), packing="zst"
        )
        path = f"pool/{component}/{name}_{version}_amd64.deb"
        self.site.files[f"/ubuntu/{path}"] = content
        digest = hashlib.sha256(content).hexdigest()
        return f"{stanza}Filename: {path}\nSize: {len(content)}\nSHA256: {digest}\n"

    def publish(self, suite, **components):
        """Publish a suite: for each component its packages' versions by name."""
        rows = ""
        root = f"/ubuntu/dists/{suite}"
        for component in ("main", "universe"):
            packages = components.get(component, {})
            stanzas = [self.deb(name, version, component) for name, version in packages.items()]
            packed = lzma.compress("\n".join(stanzas).encode())
            digest = hashlib.sha256(packed).hexdigest()
            folder = f"{component}/binary-amd64"
            self.site.files[f"{root}/{folder}/by-hash/SHA256/{digest}"] = packed
            rows += f" {digest} {len(packed)} {folder}/Packages.xz\n"
        date = format_datetime(datetime.now(UTC) - timedelta(hours=2)).replace("+0000", "UTC")
        text = (
            f"Origin: Ubuntu\nLabel: Ubuntu\nSuite: {suite}\nVersion: 24.04\nCodename: noble\nDate: {date}\n"
            f"Architectures: amd64 arm64 i386\nComponents: main restricted universe multiverse\n"
            f"Acquire-By-Hash: yes\nSHA256:\n{rows}"
        )
        signed = pysequoia.sign(self.key.signer(), text.encode(), mode=pysequoia.SignatureMode.CLEAR)
        self.site.files[f"{root}/InRelease"] = signed


@pytest.fixture
def noble(small_project, key, tools, tmp_path):
    """The small project on noble: the shipped table, with this test's key in place of Ubuntu's."""
    work = small_project()
    ubuntu = Ubuntu(work.site, key, tools.deb_of)
    seed = [*SUITES["seeds"]["minimal"], *NEEDS, "libc6", "gcc-14-base"]
    ubuntu.publish(
        "noble",
        main={name: VERSIONS.get(name, "1") for name in dict.fromkeys(seed)},
        universe={"htop": "3.3.0-4"},
    )
    ubuntu.publish("noble-updates", main={"libc6": "2.39-0ubuntu8.6", "tzdata": "2026a-0ubuntu0.24.04"})
    ubuntu.publish("noble-security", main={"libssl3t64": "1.1", "libc6": "2.39-0ubuntu8.3"})
    for name in {key for suite in SUITES["suites"] for index in suite["indexes"] for key in index["keys"]}:
        (tmp_path / name).write_bytes(bytes(key.extract_certificate()))
    work.suites.write_text(json.dumps(SUITES))
    work.replace("envfreeze.toml", "/debian", "/ubuntu")
    work.replace("envfreeze.toml", "[image]\n", '[image]\nbase = "apt:ubuntu/noble"\npackages = ["htop"]\n')
    return work


def test_noble_is_locked_built_and_explained(noble, contents_of):
    ended = noble.run("lock")
    assert ended.code == 0, ended.stderr
    (target,) = lock_files.read(noble.root).targets
    assert (target.python, target.glibc) == ("3.12.3", "2.39")
    assert [(index.archive, index.suite) for index in target.base.indexes] == [
        ("ubuntu", "noble"),
        ("ubuntu", "noble-updates"),
        ("ubuntu-security", "noble-security"),
    ]
    versions = {deb.name: (deb.version, deb.archive) for deb in target.base.packages}
    assert versions["libc6"] == ("2.39-0ubuntu8.6", "ubuntu")
    assert versions["libssl3t64"] == ("1.1", "ubuntu-security")
    assert versions["htop"][0] == "3.3.0-4"
    assert all("snapshot" in archive.locations[-1] for archive in target.base.archives)
    assert noble.run("why", "libpython3.12-stdlib").stdout.splitlines()[1:] == [
        "  the Python of apt:ubuntu/noble -> python3.12 3.12.3-1ubuntu0.5 -> libpython3.12-stdlib 1",
        (
            "  the Python of apt:ubuntu/noble -> python3 3.12.3-0ubuntu2 -> python3.12 3.12.3-1ubuntu0.5 -> "
            "libpython3.12-stdlib 1"
        ),
    ]
    assert noble.run("lock", "--check").stdout == "current\n"
    built = noble.run("build", "--archive", "image.tar", "--no-record")
    assert built.code == 0, built.stderr
    contents = contents_of(noble.root / "image.tar")
    assert contents["usr/bin/python3.12"] == CONTENTS["python3.12"]["./usr/bin/python3.12"]
    assert contents["usr/bin/htop"] == CONTENTS["htop"]["./usr/bin/htop"]
    assert "opt/venv/lib/python3.12/site-packages/alpha/__init__.py" in contents
    assert b"3.12.3" in contents["opt/venv/pyvenv.cfg"]
    status = contents["var/lib/dpkg/status"].decode()
    assert "Version: 2.39-0ubuntu8.6\n" in status


def test_a_suite_that_passes_for_another_is_refused(noble):
    noble.site.files["/ubuntu/dists/noble/InRelease"] = noble.site.files[
        "/ubuntu/dists/noble-updates/InRelease"
    ]
    ended = noble.run("lock")
    assert ended.code == 6
    assert "names Suite: noble-updates, Codename: noble, but noble was asked for" in ended.stderr


@pytest.mark.network
def test_noble_itself_is_resolved(need, small_project, tmp_path):
    suite = suites.shipped()["apt:ubuntu/noble"]
    hosts = mirrors.host_sources(resolution.APT_FOLDER)
    named = mirrors._of_host(suite.indexes[0].archive, "noble", hosts)
    need("ubuntu-sources", bool(named), "the host's apt sources name no mirror of Ubuntu")
    work = small_project()
    work.write("envfreeze.toml", '[image]\nbase = "apt:ubuntu/noble"\n')
    with Cache.open(tmp_path / "ubuntu-cache") as cache:
        found = apt.resolve(load(work.root), Platform("linux", "amd64"), cache=cache)
    assert found.python.startswith("3.12.")
    assert {"libc6", "libssl3t64", "python3.12"} <= {deb.name for deb in found.base.packages}
    assert len(found.base.packages) < 90
