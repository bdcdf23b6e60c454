"""Further apt archives from the command line, and OS packages that an archive no longer has."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pysequoia
import pytest

from envfreeze.locking import files as lock_files

TABLE = '\n[[apt]]\nurl = "{}/cuda"\nsuite = "/"\nkey = "vendor.asc"\n'


@pytest.fixture
def vendor(strange_key):
    """`vendor(work, name=(deb, stanza))`: a flat archive with a key of its own, and all asked for."""

    def publish(work, url=None, **debs):
        site, stanzas = work.site, []
        for name, (content, stanza) in debs.items():
            site.files[f"/cuda/{name}_1%3a2.deb"] = content
            digest = hashlib.sha256(content).hexdigest()
            stanzas.append(f"{stanza}Filename: ./{name}_1%3a2.deb\nSize: {len(content)}\nSHA256: {digest}\n")
        packed = gzip.compress("\n".join(stanzas).encode())
        date = format_datetime(datetime.now(UTC) - timedelta(days=1))
        digest = hashlib.sha256(packed).hexdigest()
        release = f"Origin: Vendor\nDate: {date}\nSHA256:\n {digest} {len(packed)} Packages.gz\n".encode()
        signature = pysequoia.sign(strange_key.signer(), release, mode=pysequoia.SignatureMode.DETACHED)
        site.files |= {
            "/cuda/Packages.gz": packed,
            "/cuda/Release": release,
            "/cuda/Release.gpg": signature,
        }
        work.write("vendor.asc", str(strange_key.extract_certificate()))
        text = (work.root / "envfreeze.toml").read_text()
        if "[[apt]]" not in text:
            names = json.dumps(sorted(debs))
            text = text.replace("[image]\n", f"[image]\npackages = {names}\n")
            work.write("envfreeze.toml", text + TABLE.format(url or site.url))
        return work

    return publish


@pytest.fixture
def runtime(tools):
    """A package as a vendor makes it."""
    return tools.deb_of("runtime", "12.8-1", {"./opt/cuda/lib/librt.so": b"\x7fELF" * 9}, depends="libc6")


def test_a_flat_archive_is_locked_built_and_explained(small_project, vendor, runtime, tools, contents_of):
    work = vendor(small_project(), runtime=runtime, apt=tools.deb_of("apt", "3.0", {"./usr/bin/apt": b"x"}))
    ended = work.run("lock")
    assert ended.code == 0, ended.stderr
    assert work.run("lock").stdout == "unchanged\n"
    assert work.run("lock", "--check").stdout == "current\n"
    assert work.run("why", "runtime").stdout.splitlines()[1:] == ["  [image] packages -> runtime 12.8-1"]
    ended = work.run("build", "--archive", "image.tar", "--no-record")
    assert ended.code == 0, ended.stderr
    contents = contents_of(work.root / "image.tar")
    assert contents["opt/cuda/lib/librt.so"] == b"\x7fELF" * 9
    (sources,) = [path for path in contents if path.endswith("-cuda.sources")]
    (signed_by,) = re.findall(r"^Signed-By: /(.*)$", contents[sources].decode(), re.MULTILINE)
    (target,) = lock_files.read(work.root).targets
    (key,) = [archive.key for archive in target.base.archives if archive.key is not None]
    assert contents[signed_by] == key
    work.replace("vendor.asc", "Comment", "Comment")
    assert work.run("lock", "--offline", "--upgrade").stdout == "unchanged\n"


def test_credentials_reach_the_archive_at_every_step_and_are_written_nowhere(small_project, vendor, runtime):
    work = small_project()
    work.site.credentials["/cuda/"] = "ada:s3cret"
    url = work.site.url.replace("://", "://${APT_USER}:${APT_PASSWORD}@")
    vendor(work, url, runtime=runtime)
    ended = work.run("lock")
    assert (ended.code, "APT_USER" in ended.stderr) == (2, True)
    environment = {"APT_USER": "ada", "APT_PASSWORD": "s3cret"}
    ended = work.run("lock", **environment)
    assert ended.code == 0, ended.stderr
    for path in (work.cache / "blobs").rglob("*"):
        if path.is_file():
            path.chmod(0o600)
            path.unlink()
    built = work.run("build", "--no-record", **environment)
    assert built.code == 0, built.stderr
    written = b"".join(content for content in work.listing().values() if content)
    assert b"s3cret" not in written
    assert "s3cret" not in ended.stderr + built.stderr
    wrong = work.run("lock", "--upgrade", APT_USER="ada", APT_PASSWORD="wr0ng")
    assert wrong.code == 4
    assert "wr0ng" not in wrong.stderr


def test_netrc_will_do(small_project, vendor, runtime):
    work = vendor(small_project(), runtime=runtime)
    work.site.credentials["/cuda/"] = "ada:s3cret"
    refused = work.run("lock")
    assert refused.code == 4
    assert ".netrc" in refused.stderr or "401" in refused.stderr
    netrc = work.temporary.parent / "netrc"
    netrc.write_text("machine 127.0.0.1 login ada password s3cret\n")
    netrc.chmod(0o600)
    assert work.run("lock", NETRC=str(netrc)).code == 0


# ----------------------------------------------------------------------------------- superseded packages


@pytest.fixture
def snapshots(small_project):
    """The small project, on a distribution that has a snapshot archive; and that archive's folder."""
    work = small_project()
    suites = json.loads(work.suites.read_text())
    suites["archives"]["debian"]["snapshot"] = f"{work.site.url}/snapshot/debian"
    work.suites.write_text(json.dumps(suites))
    assert work.run("lock").code == 0
    (archive,) = [one for one in lock_files.read(work.root).targets[0].base.archives if one.name == "debian"]
    assert archive.locations[0] == f"{work.site.url}/debian"
    return work, archive.locations[1].removeprefix(work.site.url)


def supersede(work, tools):
    """The archive has a new libc6 and no longer the old one; nothing is left in the cache."""
    old = next(path for path in work.site.files if "libc6_" in path)
    content = work.site.files.pop(old)
    work.site.add_deb(
        "libc6", tools.deb_of("libc6", "2.41-13", {"./usr/lib/x86_64-linux-gnu/libc.so.6": b"new"})
    )
    work.site.publish()
    for path in (work.cache / "blobs").rglob("*"):
        if path.is_file():
            path.chmod(0o600)
            path.unlink()
    return old.removeprefix("/debian"), content


def test_a_superseded_package_is_fetched_from_the_snapshot_of_the_locked_date(snapshots, tools):
    work, snapshot = snapshots
    built = work.run("build", "--no-record").digest
    pool, content = supersede(work, tools)
    (target,) = lock_files.read(work.root).targets
    made = datetime.fromisoformat(target.base.indexes[0].date) + timedelta(hours=24)
    assert snapshot == f"/snapshot/debian/{made:%Y%m%dT%H%M%SZ}"
    work.site.files[snapshot + pool] = content
    again = work.run("build", "--no-record")
    assert again.digest == built
    (line,) = [line for line in again.stderr.splitlines() if "libc6_2.41-12" in line]
    assert "404" in line
    assert f"trying {work.site.url}{snapshot}{pool}" in line


def test_a_snapshot_with_another_file_is_not_believed(snapshots, tools):
    work, snapshot = snapshots
    pool, content = supersede(work, tools)
    work.site.files[snapshot + pool] = content[:-1] + b"x"
    ended = work.run("build", "--no-record")
    assert ended.code == 6
    assert "libc6_2.41-12_amd64.deb" in ended.stderr


def test_a_package_that_is_in_neither_place_is_named_with_both(snapshots, tools):
    work, snapshot = snapshots
    pool, _ = supersede(work, tools)
    ended = work.run("build", "--no-record")
    assert ended.code == 4
    message, *details = ended.stderr[ended.stderr.index("error:") :].splitlines()
    assert "libc6_2.41-12_amd64.deb could not be fetched" in message
    assert f"{work.site.url}/debian{pool}: 404" in details[0]
    assert f"{work.site.url}{snapshot}{pool}: 404" in details[1]
    assert "envfreeze lock --upgrade-package libc6" in details[2]
    moved = work.run("lock", "--upgrade-package", "libc6")
    assert moved.code == 0
    assert "up  libc6 2.41-12 -> 2.41-13" in moved.stderr
    assert work.run("build", "--no-record").code == 0


def test_a_further_archive_that_drops_a_version_has_no_snapshot_and_a_way_out(
    small_project, vendor, runtime, tools
):
    work = vendor(small_project(), runtime=runtime)
    assert work.run("lock").code == 0
    del work.site.files["/cuda/runtime_1%3a2.deb"]
    for path in (work.cache / "blobs").rglob("*"):
        if path.is_file():
            path.chmod(0o600)
            path.unlink()
    ended = work.run("build", "--no-record")
    assert ended.code == 4
    assert "runtime_1%3a2.deb could not be fetched" in ended.stderr
    assert "no snapshots of it are known" in ended.stderr
    newer = tools.deb_of("runtime", "12.9-1", {"./opt/cuda/lib/librt.so": b"\x7fELF"}, depends="libc6")
    vendor(work, runtime=newer)
    moved = work.run("lock", "--upgrade-package", "runtime")
    assert "up  runtime 12.8-1 -> 12.9-1  (asked for)" in moved.stderr
    assert work.run("build", "--no-record").code == 0
