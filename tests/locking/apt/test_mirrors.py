"""Where archives are looked for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envfreeze.errors import UsageError
from envfreeze.locking.apt import mirrors, suites

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 9, 20, 12, 0, tzinfo=UTC)

DEB822 = """\
# The distribution's own.
Types: deb deb-src
URIs: http://mirror.example.org/debian/ http://other.example.org/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example.org/debian-security
Suites: bookworm-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
Enabled: no
URIs: http://off.example.org/debian
Suites: trixie
Components: main

Types: deb-src
URIs: http://sources.example.org/debian
Suites: trixie
Components: main

Types: deb
URIs: https://vendor.example.org/debian
Suites: trixie
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abcd
 -----END PGP PUBLIC KEY BLOCK-----
"""

ONE_LINE = """\
# deb http://commented.example.org/debian trixie main
deb [arch=amd64 signed-by=/etc/apt/keyrings/debian-archive.gpg] http://line.example.org/debian trixie main
deb-src http://line.example.org/debian trixie main
deb cdrom:[Debian 13]/ trixie main
deb [signed-by=/etc/apt/keyrings/vendor.gpg] https://vendor.example.org/debian trixie main   # not ours
deb http://plain.example.org/debian trixie main non-free # a comment
"""


def host(tmp_path: Path, **files: str) -> tuple[mirrors.HostSource, ...]:
    """The sources of a host with the files `sources_list`, `list` and `sources`."""
    (tmp_path / "sources.list.d").mkdir()
    for name, text in files.items():
        path = "sources.list" if name == "sources_list" else f"sources.list.d/x.{name}"
        (tmp_path / path).write_text(text)
    return mirrors.host_sources(tmp_path)


def archive(reference: str = "apt:debian/trixie", number: int = 0) -> suites.SuiteArchive:
    return suites.shipped()[reference].indexes[number].archive


def roots(
    sources: tuple[mirrors.HostSource, ...],
    *,
    suite: str = "trixie",
    mirror: str | None = None,
    of: suites.SuiteArchive | None = None,
) -> list[str]:
    found = mirrors.places(of or archive(), suite, mirror=mirror, host=sources, now=NOW)
    return [place.root for place in found]


SNAPSHOT = "https://snapshot.debian.org/archive/debian/20260920T120000Z"
SECURITY_SNAPSHOT = "https://snapshot.debian.org/archive/debian-security/20260920T120000Z"


def test_a_host_without_apt_leaves_the_snapshot_archive(tmp_path: Path) -> None:
    sources = mirrors.host_sources(tmp_path / "none")

    assert sources == ()
    [place] = mirrors.places(archive(), "trixie", mirror=None, host=sources, now=NOW)
    assert place.root == SNAPSHOT
    assert place.lasting is None
    assert place.name == "https://snapshot.debian.org/archive/debian"


def test_a_host_of_another_release_serves_the_same_archive(tmp_path: Path) -> None:
    assert roots(host(tmp_path, sources=DEB822)) == [
        "http://mirror.example.org/debian",
        "http://other.example.org/debian",
        SNAPSHOT,
    ]


def test_security_is_an_archive_of_its_own(tmp_path: Path) -> None:
    security = archive(number=2)

    assert roots(host(tmp_path, sources=DEB822), suite="trixie-security", of=security) == [
        "http://mirror.example.org/debian-security",
        SECURITY_SNAPSHOT,
    ]


def test_the_one_line_format_is_read_and_other_vendors_are_not_taken(tmp_path: Path) -> None:
    assert roots(host(tmp_path, sources_list=ONE_LINE)) == [
        "http://line.example.org/debian",
        "http://plain.example.org/debian",
        SNAPSHOT,
    ]


def test_a_source_that_uses_the_very_suite_comes_first(tmp_path: Path) -> None:
    sources = host(tmp_path, sources=DEB822, list="deb http://z.example.org/pub/debian trixie main\n")

    assert roots(sources)[0] == "http://z.example.org/pub/debian"


def test_a_list_of_mirrors_on_disk_is_read(tmp_path: Path) -> None:
    listed = tmp_path / "mirrors.list"
    listed.write_text("# nearest first\nhttps://near.example.org/debian\tpriority:1\n\nftp://x/debian\n")
    sources = host(
        tmp_path,
        sources=f"Types: deb\nURIs: mirror+file://{listed} mirror+file:/nowhere/at/all\n"
        "Suites: trixie\nComponents: main\n",
    )

    assert roots(sources) == ["https://near.example.org/debian", SNAPSHOT]


def test_a_host_of_another_distribution_is_of_no_use(tmp_path: Path) -> None:
    sources = host(tmp_path, list="deb http://mirror.example.org/ubuntu noble main universe\n")

    assert roots(sources) == [SNAPSHOT]


def test_an_ubuntu_host_serves_its_own_architectures_only(tmp_path: Path) -> None:
    sources = host(
        tmp_path,
        list="deb http://ports.example.org/ubuntu-ports noble main\n"
        "deb http://mirror.example.org/ubuntu jammy main\n"
        "deb http://security.example.org/ubuntu noble-security main\n",
    )
    noble = suites.shipped()["apt:ubuntu/noble"]
    found = {
        (architecture, index.suite): roots(sources, suite=index.suite, of=index.archive)[0]
        for architecture in ("amd64", "arm64")
        for index in noble.indexes_for(architecture)
    }

    assert found == {
        ("amd64", "noble"): "http://mirror.example.org/ubuntu",
        ("amd64", "noble-updates"): "http://mirror.example.org/ubuntu",
        ("amd64", "noble-security"): "http://security.example.org/ubuntu",
        ("arm64", "noble"): "http://ports.example.org/ubuntu-ports",
        ("arm64", "noble-updates"): "http://ports.example.org/ubuntu-ports",
        ("arm64", "noble-security"): "http://ports.example.org/ubuntu-ports",
    }


def test_a_configured_mirror_is_the_main_archive_and_nothing_else(tmp_path: Path) -> None:
    sources = host(tmp_path, sources=DEB822)

    assert roots(sources, mirror="http://chosen.example.org/debian/") == ["http://chosen.example.org/debian"]


def test_beside_a_configured_mirror_security_is_looked_for_in_order(tmp_path: Path) -> None:
    sources = host(tmp_path, sources=DEB822)

    assert roots(
        sources, suite="trixie-security", mirror="http://chosen.example.org/debian", of=archive(number=2)
    ) == [
        "http://chosen.example.org/debian-security",
        "http://chosen.example.org/debian",
        "http://mirror.example.org/debian-security",
        SECURITY_SNAPSHOT,
    ]


def test_credentials_are_used_and_never_named() -> None:
    [place] = mirrors.places(
        archive(), "trixie", mirror="https://me:secret@mirror.example.org/debian", host=(), now=NOW
    )

    assert place.root == "https://me:secret@mirror.example.org/debian"
    assert place.lasting == place.name == "https://mirror.example.org/debian"


@pytest.mark.parametrize("mirror", ["mirror.example.org/debian", "ftp://x/debian", "http://[/debian", ""])
def test_a_mirror_that_is_no_address_is_the_users_mistake(mirror: str) -> None:
    with pytest.raises(UsageError, match=r"\[image\] mirror"):
        roots((), mirror=mirror)


@given(st.text(max_size=80), st.sampled_from(["deb {}", "deb [{}] http://x/debian trixie main", "{}"]))
def test_no_one_line_file_breaks_the_reader(text: str, line: str) -> None:
    for source in mirrors._one_line(line.format(text)):
        assert source.uri


@given(st.text(max_size=80), st.sampled_from(["URIs: {}", "Types: deb\nURIs: {}\nSuites: a", "{}"]))
def test_no_deb822_file_breaks_the_reader(text: str, entry: str) -> None:
    for source in mirrors._deb822(entry.format(text)):
        assert source.uri
