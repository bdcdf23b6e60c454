from __future__ import annotations

import json

import pytest
import zstandard

from envfreeze.errors import NetworkError, ResolutionError, UntrustedError
from envfreeze.locking.conda import resolve
from envfreeze.locking.conda.channels import redact
from envfreeze.oci.platform import Platform

AMD64 = Platform.parse("linux/amd64")
HTML = b"<!doctype html><html><body>Please log in</body></html>"
JSON = "/linux-64/repodata.json"
ZST = "/linux-64/repodata.json.zst"


def refused(project, wish, *specs, **settings):
    with pytest.raises((NetworkError, UntrustedError, ResolutionError)) as caught:
        resolve(project(*specs, **settings), AMD64, "2.41", wish())
    return caught.value


def test_a_package_that_no_channel_has(project, wish):
    error = refused(project, wish, "zlib", "no-such-package")
    assert isinstance(error, ResolutionError)
    assert "No candidates were found for no-such-package" in error.message
    assert "no-such-package is asked for in environment.yml, line 4" in error.details
    assert not any("zlib is asked" in line for line in error.details)


def test_specs_that_exclude_each_other_are_both_named(project, wish):
    error = refused(project, wish, "numpy=2", "python=3.11")
    assert error.exit_code == 3
    assert {"numpy=2 is asked for in environment.yml, line 3"} <= set(error.details)
    assert {"python=3.11 is asked for in environment.yml, line 4"} <= set(error.details)


def test_a_long_explanation_is_shortened(project, channel, conda_channel, wish):
    for number in range(60):
        channel.add(
            conda_channel.package("many", f"1.{number}", depends=[f"need-{number}"]),
            conda_channel.package(f"need-{number}", depends=[f"nothing-{number}"]),
        )
    channel.index()
    error = refused(project, wish, "many")
    assert len(error.details) <= 14
    assert any("more lines" in line for line in error.details) or len(error.details) < 12


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (500, "answered with status 500"),
        (401, "does not let us in (401)"),
        (403, "does not let us in (403)"),
        (404, "there is no channel at"),
    ],
)
def test_a_channel_that_refuses(project, channel, wish, status, said):
    for subdir in ("linux-64", "noarch"):
        for name in (
            "repodata.json",
            "repodata.json.zst",
            "repodata_shards.msgpack.zst",
            "repodata.json.bz2",
        ):
            channel.instead[f"/{subdir}/{name}"] = status
    error = refused(project, wish, "zlib")
    assert isinstance(error, NetworkError)
    assert said in error.message
    assert channel.url in error.message
    assert error.hint


def test_a_channel_that_is_not_there(project, wish):
    error = refused(project, wish, "zlib", channels="http://127.0.0.1:9/channel")
    assert isinstance(error, NetworkError)
    assert "http://127.0.0.1:9/channel" in error.message


@pytest.mark.parametrize(
    ("path", "content"),
    [
        (JSON, HTML),
        (JSON, b'{"info": {"subdir": "linux-64"}, "packages": {"zlib-1.3'),
        (JSON, json.dumps({"packages": {"zlib-1.conda": {"name": 7}}}).encode()),
        (ZST, HTML),
        (ZST, zstandard.ZstdCompressor().compress(HTML)),
    ],
    ids=["html", "half a JSON", "another JSON", "html for zst", "html in zst"],
)
def test_a_damaged_index_names_the_channel_and_is_not_kept(project, channel, wish, path, content):
    channel.instead[path] = content
    if path == JSON:
        channel.instead[ZST] = 404
    error = refused(project, wish, "zlib")
    assert isinstance(error, UntrustedError), error.message
    assert channel.url in error.message
    assert "damaged index" in error.message
    channel.instead.clear()
    assert resolve(project("zlib"), AMD64, "2.41", wish())


def test_of_two_channels_the_damaged_one_is_named(project, channel, conda_channel, tmp_path, wish):
    with conda_channel.serve(tmp_path / "second") as second:
        second.index()
        second.instead |= {JSON: HTML, ZST: 404}
        error = refused(project, wish, "zlib", channels=f"{channel.url}, {second.url}")
    assert second.url in error.message
    assert channel.url not in error.message


def test_a_package_without_a_sha256_is_refused_by_name(project, channel, wish):
    place = channel.folder / "linux-64" / "repodata.json"
    index = json.loads(place.read_bytes())
    for row in index["packages.conda"].values():
        del row["sha256"]
    channel.instead |= {JSON: json.dumps(index).encode(), ZST: 404}
    error = refused(project, wish, "zlib")
    assert error.exit_code == 3
    assert error.details == (f"zlib-1.3.1-h1_0.conda of {channel.url}",)


def test_no_credentials_in_what_is_shown():
    text = "error for url (https://ada:pw@conda.example.org/t/tk-1-2/channel/noarch/repodata.json)"
    assert redact(text) == "error for url (https://conda.example.org/channel/noarch/repodata.json)"
