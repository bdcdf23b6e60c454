"""Which builds of python-build-standalone there are, by the list that is shipped or one in uv's format."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.version import Version

from envfreeze.errors import UntrustedError
from envfreeze.locking.standalone import builds
from envfreeze.oci.platform import Platform

AMD64, ARM64 = Platform.parse("linux/amd64"), Platform.parse("linux/arm64")
RELEASES = "https://github.com/astral-sh/python-build-standalone/releases/download"
HEX = "5" * 64
NAME = "cpython-3.12.13+20260807-x86_64-unknown-linux-gnu-install_only.tar.gz"


def row(filename, *, url=None, version="3.12.13", **changes):
    major, minor, patch = map(int, version.split("."))
    build = filename.partition("+")[2][:8]
    return {
        "name": "cpython",
        "arch": {"family": "x86_64", "variant": None},
        "os": "linux",
        "libc": "gnu",
        "major": major,
        "minor": minor,
        "patch": patch,
        "prerelease": "",
        "url": url or f"{RELEASES}/{build}/{filename.replace('+', '%2B')}",
        "sha256": HEX,
        "variant": None,
        **changes,
    }


def read(*rows, platform=AMD64):
    document = {f"cpython-{number}": each for number, each in enumerate(rows)}
    return builds.read(json.dumps(document).encode(), platform, "the list")


@pytest.mark.parametrize("platform", [AMD64, ARM64])
def test_the_shipped_list_has_one_build_of_each_python_for_any_machine(platform):
    found = builds.shipped(platform)
    versions = [build.version for build in found]
    assert versions == sorted(versions, key=Version, reverse=True)
    assert len(set(versions)) == len(versions)
    assert {build.minor for build in found} >= {"3.9", "3.10", "3.11", "3.12", "3.13", "3.14"}
    for build in found:
        assert f"-{platform.machine}-unknown-linux-gnu-install_only" in build.filename
        assert build.url.startswith(f"{RELEASES}/{build.build}/cpython-{build.version}%2B{build.build}-")
        assert "freethreaded" not in build.filename


def test_newer_builds_of_the_shipped_list_have_no_debug_symbols():
    newest = {build.minor: build for build in reversed(builds.shipped(AMD64))}
    assert all(build.stripped for minor, build in newest.items() if Version(minor) >= Version("3.9"))


def test_the_newer_and_the_stripped_build_of_a_version_is_taken():
    name = "cpython-3.12.13+{}-x86_64-unknown-linux-gnu-install_only{}.tar.gz"
    older, newer, stripped = (
        name.format(*parts)
        for parts in [("20260807", "_stripped"), ("20260929", ""), ("20260929", "_stripped")]
    )
    (build,) = read(row(older), row(stripped), row(newer))
    assert build.filename == stripped
    assert (build.version, build.build, build.digest.hex) == ("3.12.13", "20260929", HEX)


@pytest.mark.parametrize(
    "other",
    [
        row("cpython-3.12.13+20260807-aarch64-unknown-linux-gnu-install_only.tar.gz"),
        row("cpython-3.12.13+20260807-x86_64_v3-unknown-linux-gnu-install_only.tar.gz"),
        row("cpython-3.12.13+20260807-x86_64-unknown-linux-musl-install_only.tar.gz"),
        row("cpython-3.12.13+20260807-x86_64-unknown-linux-gnu-pgo+lto-full.tar.zst"),
        row("cpython-3.12.13+20260807-x86_64-unknown-linux-gnu-freethreaded-install_only.tar.gz"),
        row("cpython-3.12.13+20260807-x86_64-unknown-linux-gnu-install_only.tar.gz", sha256=None),
        row("cpython-3.12.13+20260807-x86_64-unknown-linux-gnu-install_only.tar.gz", name="pypy"),
        row("cpython-3.12.13+20260807-x86_64-unknown-linux-gnu-install_only.tar.gz", variant="debug"),
        row("cpython-3.12.13+20260807-x86_64-unknown-linux-gnu-install_only.tar.gz", prerelease="rc1"),
        row("cpython-3.15.0a5+20260807-x86_64-unknown-linux-gnu-install_only.tar.gz", version="3.15.0"),
    ],
)
def test_what_is_for_another_machine_or_of_another_kind_is_passed_over(other):
    assert read(other) == ()


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"\xff",
        b"[]",
        b"7",
        b'{"a": 1}',
        b'{"a": {"name": "cpython"}}',
        b'{"a": ' * 100_000,
        json.dumps({"a": row(NAME, url=f"ftp://example.org/{NAME}")}).encode(),
        json.dumps({"a": row(NAME, url=f"/srv/{NAME}")}).encode(),
        json.dumps(
            {
                "a": row("cpython-3.12.13+20260807-x86_64-unknown-linux-gnu-install_only.tar.gz")
                | {"patch": 12}
            }
        ).encode(),
        json.dumps(
            {
                "a": row("cpython-3.12.13+20260807-x86_64-unknown-linux-gnu-install_only.tar.gz")
                | {"sha256": "ab"}
            }
        ).encode(),
    ],
)
def test_what_is_no_list_is_refused(document):
    with pytest.raises(UntrustedError, match="the list is no list of Pythons"):
        builds.read(document, AMD64, "the list")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=40)
@given(
    st.dictionaries(
        st.text(max_size=4),
        st.fixed_dictionaries(
            dict.fromkeys(("url", "major", "minor", "patch", "sha256", "variant", "prerelease"), values)
            | {"name": st.just("cpython")}
        )
        | values,
        max_size=3,
    )
)
def test_any_json_is_a_list_or_refused(document):
    try:
        found = builds.read(json.dumps(document).encode(), AMD64, "the list")
    except UntrustedError:
        return
    assert all(len(build.digest.hex) == 64 for build in found)
