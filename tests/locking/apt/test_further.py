"""Further archives: flat ones, their signatures and keys, and what is taken from them."""

from __future__ import annotations

import shutil
import subprocess
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pysequoia
import pytest

from envfreeze.errors import NetworkError, ResolutionError, UntrustedError, UsageError
from envfreeze.locking import apt
from envfreeze.oci.platform import Platform
from envfreeze.project.model import AptArchive, Project

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from envfreeze.locking.model import Deb
    from envfreeze.store.cache import Cache

AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")
SEED = (
    "Package: libc6\nVersion: 2.41-12\n\nPackage: python3.13\nVersion: 3.13.5-2\n\n"
    "Package: tzdata\nArchitecture: all\n"
)
EXTRA = "Package: extra\nVersion: 3\nDepends: libc6\n"

Served = Any
Make = "Callable[..., Project]"


class Notes:
    """A progress that remembers what it was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def task(self, *_: object) -> Any:
        from envfreeze.progress import SILENT

        return SILENT.task("")

    def note(self, text: str) -> None:
        self.lines.append(text)

    warn = note


@pytest.fixture
def resolve(catalogue: Any, cache: Cache, now: datetime, no_host: Path) -> Any:
    """Resolve for amd64 at the tests' present moment, on a host without apt."""

    def run(project: Project, platform: Platform = AMD64, **changes: Any) -> apt.AptResolution:
        settings = {"cache": cache, "now": now, "catalogue": catalogue, "host": no_host}
        return apt.resolve(project, platform, **(settings | changes))

    return run


@pytest.fixture
def further(archive: Served, key: pysequoia.Tsk, project: Make, tmp_path: Path) -> Any:
    """Make projects of trixie and of one further archive, by default a flat one."""
    archive.publish()
    folder = tmp_path / "project"
    (folder / "vendor.asc").write_text(str(key.extract_certificate()))

    def make(suite: str = "/", *, at: str = "flat", keyring: bytes | None = None, **given: Any) -> Project:
        if keyring is not None:
            (folder / "vendor.asc").write_bytes(keyring)
        entry = AptArchive(
            url=given.pop("url", f"{archive.url}/{at}"),
            suite=suite,
            components=() if suite.endswith("/") else ("main",),
            key="vendor.asc",
            platforms=given.pop("platforms", ()),
        )
        settings = {"mirror": f"{archive.url}/debian", "packages": ("extra",), "apt": (entry,)}
        return project(**(settings | given))

    return make


def locked(found: apt.AptResolution, name: str = "extra") -> Deb:
    return next(deb for deb in found.base.packages if deb.name == name)


# ------------------------------------------------------------------------------------------------- flat


@pytest.mark.parametrize("by_hash", [False, True])
@pytest.mark.parametrize(("suite", "folder"), [("/", ""), ("./", ""), ("debian12/", "debian12")])
def test_a_flat_archive_is_locked_like_the_rest(
    archive: Served, further: Any, resolve: Any, suite: str, folder: str, by_hash: bool
) -> None:
    archive.publish_flat(EXTRA, folder=folder, by_hash=by_hash)
    found = resolve(further(suite))
    deb = locked(found)
    assert (deb.version, deb.filename, deb.requested) == ("3", "extra_3_amd64.deb", True)
    index = found.base.indexes[-1]
    assert (index.suite, index.components, index.date) == (suite, (), "2026-09-12T07:55:41Z")
    (place,) = [one for one in found.base.archives if one.name == deb.archive]
    assert place.locations == (f"{archive.url}/flat",)


def test_a_flat_archive_without_packages_is_named(archive: Served, further: Any, resolve: Any) -> None:
    root = archive.publish_flat(EXTRA)
    text = root.joinpath("InRelease").read_bytes()
    assert b"Packages.gz" in text
    from_conftest = archive.publish(EXTRA, at="flat", suite="x")
    shutil.copy(from_conftest / "InRelease", root / "InRelease")
    with pytest.raises(ResolutionError, match="flat / has no Packages file"):
        resolve(further())


def test_its_packages_of_other_architectures_are_not_taken(
    archive: Served, further: Any, resolve: Any
) -> None:
    archive.publish_flat(f"{EXTRA}\nPackage: extra\nVersion: 4\nArchitecture: arm64\n")
    assert locked(resolve(further())).version == "3"


def test_offline_the_last_index_serves_signature_and_all(archive: Served, further: Any, resolve: Any) -> None:
    archive.publish_flat(EXTRA, detached=True)
    found = resolve(further())
    shutil.rmtree(archive.folder)
    assert resolve(further(), offline=True) == found


# ------------------------------------------------------------------------------------------- signatures


@pytest.mark.parametrize("armour", [True, False])
def test_a_detached_signature_will_do(archive: Served, further: Any, resolve: Any, armour: bool) -> None:
    archive.publish_flat(EXTRA, detached=True, armour=armour)
    assert locked(resolve(further())).version == "3"


@pytest.mark.parametrize("armour", [True, False])
@pytest.mark.parametrize("place", [0, 1])
def test_one_valid_signature_of_several_is_enough(
    archive: Served, further: Any, resolve: Any, strange_key: pysequoia.Tsk, armour: bool, place: int
) -> None:
    keys = [strange_key]
    keys.insert(place, archive.key)
    archive.publish_flat(EXTRA, detached=True, armour=armour, keys=tuple(keys))
    assert locked(resolve(further())).version == "3"


def test_a_missing_signature_is_told(archive: Served, further: Any, resolve: Any) -> None:
    root = archive.publish_flat(EXTRA, detached=True)
    (root / "Release.gpg").unlink()
    with pytest.raises(UntrustedError, match="flat/Release is not signed"):
        resolve(further())


@pytest.mark.parametrize("content", [b"", b"<html>", b"-----BEGIN PGP SIGNATURE-----\n\n!\n"])
def test_a_signature_that_is_none_is_told(
    archive: Served, further: Any, resolve: Any, content: bytes
) -> None:
    root = archive.publish_flat(EXTRA, detached=True)
    (root / "Release.gpg").write_bytes(content)
    with pytest.raises(UntrustedError, match=r"flat/Release(\.gpg is not|  ?has no valid)"):
        resolve(further())


def test_a_release_file_that_was_changed_is_refused(archive: Served, further: Any, resolve: Any) -> None:
    root = archive.publish_flat(EXTRA, detached=True)
    release = root / "Release"
    release.write_bytes(release.read_bytes().replace(b"Vendor", b"Mallory"))
    with pytest.raises(UntrustedError, match="flat/Release has no valid signature"):
        resolve(further())


def test_a_packages_file_that_was_changed_is_refused(archive: Served, further: Any, resolve: Any) -> None:
    root = archive.publish_flat(EXTRA)
    packed = root / "Packages.gz"
    packed.write_bytes(packed.read_bytes()[:-1] + b"x")
    with pytest.raises(UntrustedError, match=r"Packages\.gz"):
        resolve(further())


def test_neither_kind_of_index_is_a_network_error_with_the_way_out(further: Any, resolve: Any) -> None:
    with pytest.raises(NetworkError, match="the index of / could not be had") as caught:
        resolve(further())
    assert "[[apt]]" in caught.value.hint


# ------------------------------------------------------------------------------------------------- keys


def test_the_key_that_is_needed_is_named(
    archive: Served, further: Any, resolve: Any, key: pysequoia.Tsk, strange_key: pysequoia.Tsk
) -> None:
    archive.publish_flat(EXTRA, keys=(strange_key,), detached=True)
    with pytest.raises(UntrustedError, match=r"it names [0-9A-F]{40}") as caught:
        resolve(further())
    assert key.extract_certificate().fingerprint.upper() in caught.value.details[0]


def test_several_keys_in_one_file_all_count_armoured_or_binary(
    archive: Served, further: Any, resolve: Any, key: pysequoia.Tsk, strange_key: pysequoia.Tsk
) -> None:
    certificates = [strange_key.extract_certificate(), key.extract_certificate()]
    archive.publish_flat(EXTRA)
    armoured = resolve(further(keyring="\n".join(map(str, certificates)).encode()))
    binary = resolve(further(keyring=b"".join(map(bytes, certificates))))
    assert armoured == binary
    (place,) = [one for one in binary.base.archives if one.key is not None]
    assert place.key == b"".join(map(bytes, certificates))


def test_damaged_armour_is_the_users_mistake(
    archive: Served, further: Any, resolve: Any, key: pysequoia.Tsk
) -> None:
    archive.publish_flat(EXTRA)
    text = str(key.extract_certificate()).replace("-----END", "----END")
    with pytest.raises(UsageError, match="damaged armour"):
        resolve(further(keyring=text.encode()))


def test_a_secret_key_is_refused(archive: Served, further: Any, resolve: Any, key: pysequoia.Tsk) -> None:
    archive.publish_flat(EXTRA)
    for keyring in (bytes(key), str(key).encode()):
        with pytest.raises(UsageError, match="holds a secret key"):
            resolve(further(keyring=keyring))


def test_an_expired_key_is_refused_unless_told_otherwise(archive: Served, further: Any, resolve: Any) -> None:
    short = pysequoia.Tsk.generate(user_id="Short <short@example.org>", validity_seconds=3600)
    archive.publish_flat(EXTRA, keys=(short,))
    project = further(keyring=bytes(short.extract_certificate()))
    expired = short.extract_certificate().expiration + timedelta(days=1)
    with pytest.raises(
        UntrustedError, match=f"{short.extract_certificate().fingerprint.upper()}, which expired"
    ):
        resolve(project, now=expired)
    assert locked(resolve(project, now=expired, allow_stale=True)).version == "3"


def test_keys_that_gpg_exports_are_read(
    archive: Served, further: Any, resolve: Any, key: pysequoia.Tsk, tmp_path: Path, need: Any
) -> None:
    need("gpg", shutil.which("gpg") is not None, "no gpg on this machine")
    archive.publish_flat(EXTRA)
    home = tmp_path / "gnupg"
    home.mkdir(mode=0o700)
    gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet"]
    subprocess.run(
        [*gpg, "--import"], input=bytes(key.extract_certificate()), check=True, capture_output=True
    )
    for form in (["--export"], ["--armor", "--export"]):
        exported = subprocess.run([*gpg, *form], check=True, capture_output=True).stdout
        assert locked(resolve(further(keyring=exported))).version == "3"


# ------------------------------------------------------------------------------------ what is taken of it


def test_what_the_distribution_has_is_the_distributions(archive: Served, further: Any, resolve: Any) -> None:
    archive.publish_flat(f"{EXTRA}\nPackage: libc6\nVersion: 9.9\n\nPackage: tzdata\nVersion: 2026a-1\n")
    notes = Notes()
    found = resolve(further(), progress=notes)
    assert (locked(found, "libc6").version, locked(found, "libc6").archive) == ("2.41-12+deb13u4", "debian")
    (line,) = [line for line in notes.lines if line.startswith("libc6")]
    assert line.endswith('has 9.9: packages = ["libc6=9.9"] takes that')
    assert not any("tzdata" in line for line in notes.lines)


def test_a_version_that_is_named_is_taken_wherever_it_is(archive: Served, further: Any, resolve: Any) -> None:
    archive.publish_flat("Package: tzdata\nVersion: 2027a-1\n\nPackage: tzdata\nVersion: 2026z-1\n")
    found = resolve(further(packages=("tzdata=2026z-1",)))
    assert (locked(found, "tzdata").version, locked(found, "tzdata").archive.endswith("flat")) == (
        "2026z-1",
        True,
    )
    assert resolve(further(packages=("tzdata=2026a-1",))).base.packages[-1].archive == "debian"


def test_a_version_that_nobody_has_is_told_with_those_there_are(
    archive: Served, further: Any, resolve: Any
) -> None:
    archive.publish_flat(EXTRA)
    with pytest.raises(ResolutionError, match=r"there is no extra 4 in apt:debian/trixie") as caught:
        resolve(further(packages=("extra=4",)))
    assert "there is 3 (" in caught.value.hint
    with pytest.raises(UsageError, match="extra is asked for in two versions, 3 and 4"):
        resolve(further(packages=("extra=3", "extra=4")))


def test_a_version_that_only_a_further_archive_has_is_taken_where_it_is_needed(
    archive: Served, further: Any, resolve: Any
) -> None:
    archive.publish_flat(
        "Package: extra\nDepends: tzdata, libc6 (>= 9)\n\nPackage: libc6\nVersion: 9.9\n\n"
        "Package: libc6\nVersion: 9.1\n\nPackage: tzdata\nVersion: 2030a\n"
    )
    notes = Notes()
    found = resolve(further(), progress=notes)
    assert locked(found, "libc6").version == "9.9"
    assert any(line.startswith("libc6 9.9 is taken from 127.0.0.1") for line in notes.lines)
    assert locked(found, "tzdata").version == "2026a-1"


def test_of_two_providers_the_distribution_s_is_taken(archive: Served, further: Any, resolve: Any) -> None:
    archive.publish(f"{SEED}\nPackage: mawk\nPriority: extra\nProvides: awk\n")
    archive.publish_flat(
        "Package: extra\nDepends: awk\n\nPackage: better-awk\nPriority: required\nProvides: awk\n"
    )
    assert {deb.name for deb in resolve(further()).base.packages} >= {"extra", "mawk"}


def test_an_archive_that_would_be_named_like_the_distribution_s_is_refused(
    further: Any, resolve: Any
) -> None:
    with pytest.raises(UsageError, match="would be named debian in the lock"):
        resolve(further("/", url="file:///debian"))


def test_two_needs_that_no_version_meets_are_told(archive: Served, further: Any, resolve: Any) -> None:
    archive.publish_flat(
        "Package: extra\nDepends: other, libc6 (>= 9)\n\nPackage: other\nDepends: libc6 (<< 9)\n\n"
        "Package: libc6\nVersion: 9.9\n"
    )
    with pytest.raises(ResolutionError, match=r"other 1 needs libc6 \(<< 9\)") as caught:
        resolve(further())
    assert "libc6 is held at 9.9" in caught.value.details


def test_of_two_further_archives_the_newest_counts_and_then_the_first(
    archive: Served, further: Any, resolve: Any
) -> None:
    archive.publish_flat(EXTRA, at="one")
    archive.publish_flat(EXTRA, at="two")
    first, second = further(at="one").apt[0], further(at="two").apt[0]
    assert locked(resolve(further(apt=(first, second)))).archive.endswith("/one")
    assert locked(resolve(further(apt=(second, first)))).archive.endswith("/two")
    archive.publish_flat(EXTRA.replace("3", "3.1"), at="two")
    assert locked(resolve(further(apt=(first, second)))).archive.endswith("/two")


# --------------------------------------------------------------------------------- platforms and age


def test_an_archive_for_one_platform_is_not_read_for_another(
    archive: Served, further: Any, resolve: Any, catalogue: Any
) -> None:
    archive.publish(architecture="arm64")
    archive.publish_flat(EXTRA)
    project = further(platforms=(AMD64,), packages=())
    before = len(archive.requests)
    found = resolve(project, ARM64)
    assert not any("/flat/" in request for request in archive.requests[before:])
    assert apt.satisfied(project, found.base, ARM64, catalogue=catalogue) == ()
    assert apt.satisfied(project, found.base, AMD64, catalogue=catalogue) != ()


def test_an_archive_that_has_nothing_for_a_platform_is_a_warning(
    archive: Served, further: Any, resolve: Any
) -> None:
    archive.publish(architecture="arm64")
    archive.publish(EXTRA, at="vendor", suite="trixie")
    notes = Notes()
    found = resolve(further("trixie", at="vendor", packages=()), ARM64, progress=notes)
    assert found.base.packages
    assert any("vendor trixie has nothing of main for arm64" in line for line in notes.lines)


def test_an_expired_or_older_index_is_refused_unless_told_otherwise(
    archive: Served, further: Any, resolve: Any, now: datetime
) -> None:
    archive.publish(EXTRA, at="vendor", suite="trixie", until=now - timedelta(days=1))
    project = further("trixie", at="vendor")
    with pytest.raises(UntrustedError, match="vendor/dists/trixie/InRelease expired"):
        resolve(project)
    assert locked(resolve(project, allow_stale=True))
    archive.publish_flat(EXTRA)
    found = resolve(further())
    archive.publish_flat(EXTRA, date=now - timedelta(days=30))
    with pytest.raises(UntrustedError, match="is older than the locked one"):
        resolve(further(), locked=found.base)


def test_another_key_and_another_version_are_drift(
    archive: Served,
    further: Any,
    resolve: Any,
    catalogue: Any,
    key: pysequoia.Tsk,
    strange_key: pysequoia.Tsk,
) -> None:
    archive.publish_flat(EXTRA)
    found = resolve(further())
    assert apt.satisfied(further(), found.base, AMD64, catalogue=catalogue) == ()
    assert apt.satisfied(further(packages=("extra=4",)), found.base, catalogue=catalogue) == (
        "the OS package extra is asked for in version 4, locked is 3",
    )
    both = bytes(key.extract_certificate()) + bytes(strange_key.extract_certificate())
    (cause,) = apt.satisfied(further(keyring=both), found.base, catalogue=catalogue)
    assert "has another key than the locked one" in cause


# ------------------------------------------------------------------------------------------ credentials


def test_credentials_stand_in_no_lock_and_no_error(archive: Served, further: Any, resolve: Any) -> None:
    archive.publish_flat(EXTRA)
    url = archive.url.replace("://", "://ada:secret@")
    found = resolve(further(url=f"{url}/flat"))
    assert "secret" not in repr(found)
    assert locked(found).archive == f"{archive.url.removeprefix('http://')}/flat"
    with pytest.raises(NetworkError) as caught:
        resolve(further(url=f"{url}/nothing"))
    assert "secret" not in "".join((caught.value.message, caught.value.hint, *caught.value.details))
