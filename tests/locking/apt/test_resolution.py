"""From a project to its OS packages, over real archives."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from envfreeze.digest import Digest
from envfreeze.errors import NetworkError, ResolutionError, UntrustedError, UsageError
from envfreeze.locking import apt
from envfreeze.locking.apt import mirrors, resolution, suites
from envfreeze.locking.model import AptIndex, Archive, Deb
from envfreeze.oci.platform import Platform
from envfreeze.project.model import AptArchive, Project

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    import pysequoia

    from envfreeze.store.cache import Cache

AMD64 = Platform("linux", "amd64")
ARM64 = Platform("linux", "arm64")
SECURE = "apt:debian/trixie-with-security"

# The fixtures `archive` and `project` are of these types.
Served = Any
Make = "Callable[..., Project]"
Resolve = "Callable[..., apt.AptResolution]"


@pytest.fixture
def resolve(catalogue: Any, cache: Cache, now: datetime, no_host: Path) -> Resolve:
    """Resolve for amd64 at the tests' present moment, on a host without apt."""

    def run(project: Project, platform: Platform = AMD64, **changes: Any) -> apt.AptResolution:
        settings = {"cache": cache, "now": now, "catalogue": catalogue, "host": no_host}
        return apt.resolve(project, platform, **(settings | changes))

    return run


@pytest.fixture
def mirrored(archive: Served, project: Make) -> Make:
    """Make projects whose mirror is the archive of the test."""
    return lambda **given: project(**({"mirror": f"{archive.url}/debian"} | given))


def names(resolution: apt.AptResolution) -> list[str]:
    return [deb.name for deb in resolution.base.packages]


# ---------------------------------------------------------------------------------------- what is locked


def test_a_base_is_locked_with_all_that_a_build_needs(
    archive: Served, mirrored: Make, resolve: Resolve
) -> None:
    suite = archive.publish()

    found = resolve(mirrored())

    assert (found.python, found.glibc) == ("3.13.5", "2.41")
    assert found.base.reference == "apt:debian/trixie"
    assert found.base.notes == ()
    assert names(found) == ["libc6", "python3.13", "tzdata"]
    assert found.base.packages[0] == Deb(
        name="libc6",
        version="2.41-12+deb13u4",
        architecture="amd64",
        filename="pool/libc6_2.41-12+deb13u4_amd64.deb",
        digest=Digest.of(b"libc6_2.41-12+deb13u4_amd64"),
        size=1000,
        archive="debian",
        requested=True,
    )
    assert found.base.packages[2].architecture == "all"
    assert found.base.archives == (
        Archive("debian", (f"{archive.url}/debian", "file:///nowhere/archive/debian/20260913T075541Z")),
    )
    assert found.base.indexes == (
        AptIndex(
            archive="debian",
            suite="trixie",
            components=("main",),
            date="2026-09-12T07:55:41Z",
            digest=Digest.of_file(suite / "InRelease"),
        ),
    )


def test_only_what_was_named_is_marked_as_requested(
    archive: Served, mirrored: Make, resolve: Resolve
) -> None:
    archive.publish(_seed_and("Package: git\nDepends: libz\n\nPackage: libz"))

    found = resolve(mirrored(packages=("git",)))

    assert {deb.name for deb in found.base.packages if not deb.requested} == {"libz"}


def test_a_foreign_platform_is_resolved_for_itself(archive: Served, mirrored: Make, resolve: Resolve) -> None:
    archive.publish(architecture="arm64")

    assert resolve(mirrored(), ARM64).base.packages[0].architecture == "arm64"
    with pytest.raises(ResolutionError, match="no packages of main for amd64"):
        resolve(mirrored(), AMD64)


def test_security_updates_are_taken(archive: Served, mirrored: Make, resolve: Resolve) -> None:
    archive.publish()
    archive.publish(
        "Package: libc6\nVersion: 2.41-12+deb13u5\n", at="debian-security", suite="trixie-security"
    )

    found = resolve(mirrored(base=SECURE))

    assert found.base.packages[0].version == "2.41-12+deb13u5"
    assert found.base.packages[0].archive == "debian-security"
    assert [place.name for place in found.base.archives] == ["debian", "debian-security"]
    assert found.base.archives[1].locations[0] == f"{archive.url}/debian-security"
    assert [index.suite for index in found.base.indexes] == ["trixie", "trixie-security"]


def test_a_mirror_may_hold_security_beside_the_rest(
    archive: Served, mirrored: Make, resolve: Resolve
) -> None:
    archive.publish()
    archive.publish("Package: libc6\nVersion: 2.41-13\n", suite="trixie-security")

    found = resolve(mirrored(base=SECURE))

    assert found.base.archives[1] == Archive(
        "debian-security",
        (f"{archive.url}/debian", "file:///nowhere/archive/debian-security/20260913T075541Z"),
    )


def test_the_same_archive_gives_the_same_answer_whatever_the_order(
    archive: Served, mirrored: Make, resolve: Resolve
) -> None:
    archive.publish(_seed_and("Package: aa\nDepends: awk", "Package: mawk\nProvides: awk", "Package: bb"))
    first = resolve(mirrored(packages=("aa", "bb")))
    archive.publish(_seed_and("Package: bb", "Package: mawk\nProvides: awk", "Package: aa\nDepends: awk"))
    second = resolve(mirrored(packages=("bb", "aa")))

    assert first.base.packages == second.base.packages


def test_the_same_wishes_of_the_same_indexes_are_resolved_once(
    archive: Served, mirrored: Make, resolve: Resolve, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.publish(_seed_and("Package: git\nDepends: libz", "Package: libz"))
    first = resolve(mirrored(packages=("git",)))

    monkeypatch.delattr(resolution.indexes, "read")
    assert resolve(mirrored(packages=("git",))) == first
    for other in ((), ("libz",), (f"git={first.base.packages[0].version}",)):
        with pytest.raises(AttributeError):
            resolve(mirrored(packages=other))
    archive.publish(_seed_and("Package: git", "Package: libz"))
    with pytest.raises(AttributeError):
        resolve(mirrored(packages=("git",)))


# ---------------------------------------------------------------------------------------------- mirrors


def test_the_hosts_own_sources_are_the_mirror_by_default(
    archive: Served, project: Make, resolve: Resolve, tmp_path: Path
) -> None:
    archive.publish()
    (tmp_path / "apt").mkdir()
    (tmp_path / "apt" / "sources.list").write_text(f"deb {archive.url}/debian bookworm main\n")

    found = resolve(project(), host=tmp_path / "apt")

    assert found.base.archives[0].locations[0] == f"{archive.url}/debian"


def test_without_any_mirror_the_snapshot_archive_is_used_and_locked_at_the_index_date(
    archive: Served, project: Make, resolve: Resolve, catalogue: Any, now: datetime
) -> None:
    archive.publish(at=f"snapshot/{mirrors.stamp(now)}")

    found = resolve(project(), catalogue=_with_snapshot(catalogue, f"{archive.url}/snapshot"))

    assert found.base.archives == (Archive("debian", (f"{archive.url}/snapshot/20260913T075541Z",)),)


def test_where_nothing_answers_the_error_says_to_set_a_mirror(project: Make, resolve: Resolve) -> None:
    with pytest.raises(NetworkError, match="index of trixie could not be had") as caught:
        resolve(project())
    assert "[image] mirror" in caught.value.hint
    assert "nowhere/archive/debian" in caught.value.details[0]


def test_a_mirror_without_the_suite_is_an_error_and_not_passed_over(
    archive: Served, mirrored: Make, resolve: Resolve, tmp_path: Path
) -> None:
    archive.publish(at="other")
    (tmp_path / "apt").mkdir()
    (tmp_path / "apt" / "sources.list").write_text(f"deb {archive.url}/other trixie main\n")

    with pytest.raises(NetworkError):
        resolve(mirrored(), host=tmp_path / "apt")


def test_a_folder_may_be_the_mirror(archive: Served, project: Make, resolve: Resolve) -> None:
    archive.publish()
    mirror = (archive.folder / "debian").as_uri()

    assert resolve(project(mirror=mirror)).base.archives[0].locations[0] == mirror


def test_credentials_never_reach_the_lock(archive: Served, project: Make, resolve: Resolve) -> None:
    archive.publish()
    secret = archive.url.replace("http://", "http://me:secret@") + "/debian"

    assert "secret" not in repr(resolve(project(mirror=secret)))


@pytest.mark.parametrize("by_hash", [True, False])
def test_indexes_are_fetched_by_hash_where_the_archive_offers_that(
    archive: Served, mirrored: Make, resolve: Resolve, by_hash: bool
) -> None:
    archive.publish(by_hash=by_hash)

    resolve(mirrored())

    assert ("by-hash" in archive.requests[-1]) is by_hash


def test_a_mirror_that_lacks_the_hashes_is_asked_by_name(
    archive: Served, mirrored: Make, resolve: Resolve
) -> None:
    suite = archive.publish()
    [hashed] = suite.glob("main/binary-amd64/by-hash/SHA256/*")
    hashed.rename(suite / "main/binary-amd64/Packages.xz")

    assert names(resolve(mirrored()))


# ------------------------------------------------------------------------------------------------ trust


def test_an_index_signed_by_another_key_is_refused(
    archive: Served, mirrored: Make, resolve: Resolve, strange_key: pysequoia.Tsk
) -> None:
    archive.publish(key=strange_key)

    with pytest.raises(UntrustedError, match="dists/trixie/InRelease has no valid signature"):
        resolve(mirrored())


def test_an_index_without_a_signature_is_refused(archive: Served, mirrored: Make, resolve: Resolve) -> None:
    suite = archive.publish()
    (suite / "InRelease").write_text("Codename: trixie\n")

    with pytest.raises(UntrustedError, match="is not signed"):
        resolve(mirrored())


def test_a_changed_index_is_refused(archive: Served, mirrored: Make, resolve: Resolve) -> None:
    signed = archive.publish() / "InRelease"
    signed.write_bytes(signed.read_bytes().replace(b"Origin: Tests", b"Origin: Other"))

    with pytest.raises(UntrustedError, match="no valid signature"):
        resolve(mirrored())


def test_another_suite_in_the_place_of_the_wanted_one_is_refused(
    archive: Served, mirrored: Make, resolve: Resolve
) -> None:
    archive.publish(named="sid")

    with pytest.raises(UntrustedError, match="names Suite: stable, Codename: sid, but trixie was asked for"):
        resolve(mirrored())


def test_a_wrong_index_of_the_hosts_mirror_is_told_and_not_routed_around(
    archive: Served, project: Make, resolve: Resolve, catalogue: Any, now: datetime, tmp_path: Path
) -> None:
    archive.publish(named="sid")
    archive.publish(at=f"snapshot/{mirrors.stamp(now)}")
    (tmp_path / "apt").mkdir()
    (tmp_path / "apt" / "sources.list").write_text(f"deb {archive.url}/debian trixie main\n")

    with pytest.raises(UntrustedError):
        resolve(
            project(),
            host=tmp_path / "apt",
            catalogue=_with_snapshot(catalogue, f"{archive.url}/snapshot"),
        )


def test_packages_that_are_not_those_of_the_index_are_refused(
    archive: Served, mirrored: Make, resolve: Resolve
) -> None:
    suite = archive.publish()
    [hashed] = suite.glob("main/binary-amd64/by-hash/SHA256/*")
    changed = bytearray(hashed.read_bytes())
    changed[-1] ^= 1
    hashed.write_bytes(changed)

    with pytest.raises(UntrustedError, match="Packages"):
        resolve(mirrored())


def test_an_expired_index_is_refused_unless_told_otherwise(
    archive: Served, mirrored: Make, resolve: Resolve, now: datetime
) -> None:
    archive.publish(until=now - timedelta(seconds=1))

    with pytest.raises(UntrustedError, match="expired") as caught:
        resolve(mirrored())
    assert caught.value.exit_code == 6
    assert resolve(mirrored(), allow_stale=True)


def test_an_index_older_than_the_locked_one_is_refused_unless_told_otherwise(
    archive: Served, mirrored: Make, resolve: Resolve, now: datetime
) -> None:
    archive.publish(date=now)
    locked = resolve(mirrored()).base
    archive.publish(date=now - timedelta(hours=1))

    with pytest.raises(UntrustedError, match="older than the locked one"):
        resolve(mirrored(), locked=locked)
    assert resolve(mirrored(), locked=locked, allow_stale=True)
    archive.publish(date=now)
    assert resolve(mirrored(), locked=locked)


def test_an_index_from_the_future_is_refused(
    archive: Served, mirrored: Make, resolve: Resolve, now: datetime
) -> None:
    archive.publish(date=now + timedelta(days=2))

    with pytest.raises(UntrustedError, match="in the future"):
        resolve(mirrored(), allow_stale=True)


# ---------------------------------------------------------------------------------------------- offline


def test_offline_the_last_index_is_used(archive: Served, mirrored: Make, resolve: Resolve) -> None:
    archive.publish()
    online = resolve(mirrored())
    archive.publish(_seed_and("Package: later"))
    archive.requests.clear()

    assert resolve(mirrored(), offline=True) == online
    assert archive.requests == []


def test_offline_without_an_index_is_a_network_error(mirrored: Make, resolve: Resolve) -> None:
    with pytest.raises(NetworkError, match="not in the cache") as caught:
        resolve(mirrored(), offline=True)
    assert caught.value.hint == "lock once without --offline"


def test_offline_an_index_that_has_expired_since_is_refused(
    archive: Served, mirrored: Make, resolve: Resolve, now: datetime
) -> None:
    archive.publish(until=now + timedelta(days=7))
    resolve(mirrored())

    later = now + timedelta(days=8)
    with pytest.raises(UntrustedError, match="expired"):
        resolve(mirrored(), offline=True, now=later)
    assert resolve(mirrored(), offline=True, now=later, allow_stale=True)


def test_an_index_that_was_refused_is_not_remembered(
    archive: Served, mirrored: Make, resolve: Resolve, strange_key: pysequoia.Tsk
) -> None:
    archive.publish(key=strange_key)
    with pytest.raises(UntrustedError):
        resolve(mirrored())
    with pytest.raises(NetworkError):
        resolve(mirrored(), offline=True)


# ------------------------------------------------------------------------------------- further archives


@pytest.fixture
def further(
    archive: Served, strange_key: pysequoia.Tsk, tmp_path: Path, project: Make
) -> Callable[..., Project]:
    """Make projects with a further archive that has `extra` and has its own key."""
    archive.publish()
    archive.publish(
        "Package: extra\nVersion: 3\nDepends: libc6\n",
        at="vendor",
        suite="main-suite",
        component="free",
        key=strange_key,
    )
    (tmp_path / "project" / "vendor.asc").write_text(str(strange_key.extract_certificate()))
    entry = AptArchive(
        url=f"{archive.url}/vendor/", suite="main-suite", components=("free",), key="vendor.asc"
    )
    return lambda **given: project(
        **({"mirror": f"{archive.url}/debian", "packages": ("extra",), "apt": (entry,)} | given)
    )


def test_a_further_archive_is_locked_like_the_rest(
    archive: Served, further: Callable[..., Project], resolve: Resolve, strange_key: pysequoia.Tsk
) -> None:
    found = resolve(further())

    name = f"{archive.url.removeprefix('http://')}/vendor"
    assert next(deb for deb in found.base.packages if deb.name == "extra").archive == name
    certificate = bytes(strange_key.extract_certificate())
    assert Archive(name, (f"{archive.url}/vendor",), certificate) in found.base.archives
    assert found.base.indexes[-1].suite == "main-suite"


def test_a_further_archives_key_vouches_for_that_archive_only(
    archive: Served, further: Callable[..., Project], resolve: Resolve, strange_key: pysequoia.Tsk
) -> None:
    archive.publish(key=strange_key)

    with pytest.raises(UntrustedError, match="debian/dists/trixie/InRelease has no valid signature"):
        resolve(further())


def test_the_key_that_the_lock_hashes_is_the_key_that_is_used(
    further: Callable[..., Project], resolve: Resolve, keyring: bytes
) -> None:
    with pytest.raises(UntrustedError, match="vendor/dists/main-suite"):
        resolve(further(inputs={"vendor.asc": keyring}))


def test_a_missing_key_and_a_wrong_one_are_the_users_mistake(
    archive: Served, project: Make, resolve: Resolve, tmp_path: Path
) -> None:
    archive.publish()
    entry = AptArchive(url=f"{archive.url}/debian", suite="trixie", components=("main",), key="no.asc")
    broken = project(mirror=f"{archive.url}/debian", apt=(entry,))

    with pytest.raises(UsageError, match=r"cannot read no\.asc"):
        resolve(broken)
    (tmp_path / "project" / "no.asc").write_text("my key")
    with pytest.raises(UsageError, match="not an OpenPGP keyring"):
        resolve(broken)


def test_a_component_that_is_not_there_is_named(
    archive: Served, further: Callable[..., Project], resolve: Resolve
) -> None:
    wrong = AptArchive(
        url=f"{archive.url}/vendor", suite="main-suite", components=("paid",), key="vendor.asc"
    )

    with pytest.raises(ResolutionError, match="main-suite has no packages of paid"):
        resolve(further(apt=(wrong,)))


# ----------------------------------------------------------------------------------------------- Python


def test_a_python_that_the_suite_lacks_is_wrong_use_before_anything_is_fetched(
    archive: Served, mirrored: Make, resolve: Resolve
) -> None:
    with pytest.raises(UsageError, match=r"apt:debian/trixie has Python 3\.13, not 3\.12") as caught:
        resolve(mirrored(python="3.12"))
    assert caught.value.exit_code == 2
    assert archive.requests == []


def test_the_suites_own_python_may_be_named(archive: Served, mirrored: Make, resolve: Resolve) -> None:
    archive.publish()

    assert resolve(mirrored(python="3.13")).python == "3.13.5"


def test_a_project_that_requires_another_python_cannot_be_resolved(
    archive: Served, mirrored: Make, resolve: Resolve
) -> None:
    archive.publish()

    with pytest.raises(ResolutionError, match=r"requires Python >=3\.13\.6, apt:debian/trixie has 3\.13\.5"):
        resolve(mirrored(requires_python=">=3.13.6"))
    assert resolve(mirrored(requires_python=">=3.11"))


@pytest.mark.parametrize(
    ("debian", "python"),
    [
        ("3.13.5-2+deb13u1", "3.13.5"),
        ("3.12.3-1ubuntu0.5", "3.12.3"),
        ("3.11.2-6+deb12u9", "3.11.2"),
        ("3.14.0~rc1-1", "3.14.0rc1"),
        ("3.14.0~b2-1", "3.14.0b2"),
        ("3.14.0~a7-1", "3.14.0a7"),
        ("1:3.13.5-2", "3.13.5"),
        ("3.13.5+dfsg-1", "3.13.5"),
        ("3.13.5", "3.13.5"),
    ],
)
def test_pythons_version_is_told_from_debians(debian: str, python: str) -> None:
    assert resolution.python_version(debian) == python


@pytest.mark.parametrize("version", ["3.13-1", "3.14.0~git2026-1", "new"])
def test_a_version_that_is_no_pythons_is_an_error(version: str) -> None:
    with pytest.raises(ResolutionError):
        resolution.python_version(version)


@pytest.mark.parametrize(
    ("debian", "glibc"),
    [("2.41-12+deb13u4", "2.41"), ("2.39-0ubuntu8.6", "2.39"), ("2.36-9+deb12u14", "2.36"), ("2.40", "2.40")],
)
def test_glibcs_version_is_told_from_debians(debian: str, glibc: str) -> None:
    assert resolution.glibc_version(debian) == glibc


# ---------------------------------------------------------------------------------------------- inputs


def test_an_unknown_package_is_named(archive: Served, mirrored: Make, resolve: Resolve) -> None:
    archive.publish()

    with pytest.raises(ResolutionError, match="no package tzdat in apt:debian/trixie") as caught:
        resolve(mirrored(packages=("tzdat",)))
    assert caught.value.exit_code == 3
    assert caught.value.hint == "did you mean tzdata?"


def test_an_unknown_base_is_named(project: Make, resolve: Resolve) -> None:
    with pytest.raises(UsageError, match="no suite 'apt:debian/potato'"):
        resolve(project(base="apt:debian/potato"))


def test_a_lock_of_the_same_inputs_satisfies_them(
    further: Callable[..., Project], resolve: Resolve, catalogue: Any
) -> None:
    locked = resolve(further()).base

    assert apt.satisfied(further(), locked, catalogue=catalogue) == ()


def test_every_cause_of_drift_is_named(
    further: Callable[..., Project], resolve: Resolve, catalogue: Any, archive: Served
) -> None:
    locked = resolve(further()).base
    vendor = f"{archive.url.removeprefix('http://')}/vendor"

    def causes(**changes: Any) -> tuple[str, ...]:
        return apt.satisfied(further(**changes), locked, catalogue=catalogue)

    assert causes(packages=("extra", "git")) == ("the OS package git is asked for and not locked",)
    assert causes(packages=()) == ("the OS package extra is locked and not asked for",)
    assert causes(base=SECURE) == (f"the base is {SECURE}, locked is apt:debian/trixie",)
    assert causes(apt=()) == (f"the archive {vendor} main-suite is locked and not asked for",)
    assert causes(requires_python="<3.13") == (
        "the project requires Python <3.13, apt:debian/trixie has 3.13.5",
    )
    assert causes(mirror="http://elsewhere.example.org/debian") == ()


# ----------------------------------------------------------------------------------------- the real thing


@pytest.mark.network
@pytest.mark.parametrize("platform", [AMD64, ARM64], ids=str)
@pytest.mark.parametrize(("suite", "python"), [("trixie", "3.13"), ("bookworm", "3.11")])
def test_debian_itself_is_resolved(
    need: Any, project: Make, cache: Cache, platform: Platform, suite: str, python: str
) -> None:
    base = f"apt:debian/{suite}"
    debian = suites.shipped()[base].indexes[0].archive
    hosts = mirrors._of_host(debian, suite, mirrors.host_sources(resolution.APT_FOLDER))
    need("debian-sources", bool(hosts), "the host's apt sources name no mirror of Debian")
    wanted = project(base=base)
    try:
        found = apt.resolve(wanted, platform, cache=cache)
    except NetworkError as error:
        need("debian-mirror", False, f"{error.message}: {error.details}")
        raise

    chosen = set(names(found))
    assert {"libc6", "libssl3t64" if suite == "trixie" else "libssl3", f"python{python}"} <= chosen
    assert len(chosen) < 80
    assert sum(deb.size for deb in found.base.packages) < 40_000_000
    assert found.python.startswith(f"{python}.")
    assert apt.satisfied(wanted, found.base) == ()
    begun = time.monotonic()
    assert apt.resolve(wanted, platform, cache=cache, offline=True) == found
    assert time.monotonic() - begun < 10


def _seed_and(*stanzas: str) -> str:
    """What a base needs, and more."""
    seed = ("Package: libc6\nVersion: 2.41-1", "Package: python3.13\nVersion: 3.13.5-2", "Package: tzdata")
    return "\n\n".join(seed + stanzas)


def _with_snapshot(catalogue: dict[str, suites.Suite], root: str) -> dict[str, suites.Suite]:
    """The catalogue with another snapshot archive."""
    from envfreeze.replacing import replace

    return {
        reference: replace(
            suite,
            indexes=tuple(
                replace(index, archive=replace(index.archive, snapshot=root)) for index in suite.indexes
            ),
        )
        for reference, suite in catalogue.items()
    }
