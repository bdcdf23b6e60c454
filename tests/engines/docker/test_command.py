"""The command line that a build becomes."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from envfreeze.engines.docker import client, command
from envfreeze.engines.docker.builder import Builder
from envfreeze.engines.driven.model import Request
from envfreeze.engines.driven.secrets import Secret, Ssh
from envfreeze.oci.platform import Platform

BUILDER = Builder("team", "kubernetes", "0.25.0", frozenset())
AMD, ARM = map(Platform.parse, Platform.SUPPORTED)


def words(into: str = "/into", space: str | None = None, **said) -> list[str]:
    request = Request(Path("/folder"), "Dockerfile", said.pop("platforms", (AMD,)), **said)
    return command.image(request, BUILDER, Path("/context"), Path(into), space=space)


def value(of: list[str], option: str) -> list[str]:
    return [of[at + 1] for at, word in enumerate(of) if word == option]


def test_what_makes_it_repeatable_is_always_asked_for():
    found = words()

    assert found[:3] == ["docker", "buildx", "build"]
    assert {"--provenance=false", "--sbom=false"} <= set(found)
    assert value(found, "--build-arg") == ["SOURCE_DATE_EPOCH=315619200"]
    assert value(found, "--output")[0].split(",") == [
        *("type=oci", "rewrite-timestamp=true", "oci-mediatypes=true", "compression=gzip"),
        *("compression-level=6", "force-compression=true", "tar=false", "dest=/into"),
    ]
    assert value(found, "--builder") == ["team"]
    assert value(found, "--file") == ["/context/Dockerfile"]
    assert found[-1] == "/context"


def test_a_place_with_a_comma_is_one_field():
    (row,) = csv.reader(value(words(into='/a,b "c"'), "--output"))
    assert row[-1] == 'dest=/a,b "c"'


def test_all_that_is_said_is_handed_on():
    secret = Secret("token", None, "TOKEN", "s3cret")
    found = words(
        platforms=(AMD, ARM),
        stage="made",
        secrets=(secret,),
        ssh=(Ssh("default", ()), Ssh("git", ("/key",))),
        cache_from=("type=registry,ref=r.example/c",),
        cache_to=("type=local,dest=/c",),
        network="none",
    )

    assert value(found, "--platform") == ["linux/amd64,linux/arm64"]
    assert value(found, "--target") == ["made"]
    assert value(found, "--secret") == ["id=token,env=TOKEN"]
    assert value(found, "--ssh") == ["default", "git=/key"]
    assert value(found, "--cache-from") == ["type=registry,ref=r.example/c"]
    assert value(found, "--cache-to") == ["type=local,dest=/c"]
    assert value(found, "--network") == ["none"]
    assert "--allow" not in found
    assert "s3cret" not in " ".join(found)


def test_the_host_s_network_is_allowed_where_it_is_asked_for():
    assert value(words(network="host"), "--allow") == ["network.host"]
    assert value(words(), "--network") == []


def test_a_fresh_build_takes_no_step_and_shares_no_cache_mount():
    found = words(fresh=True, space="0123")

    assert "--no-cache" in found
    assert "BUILDKIT_CACHE_MOUNT_NS=0123" in value(found, "--build-arg")
    assert "--no-cache" not in words()


def test_a_stage_s_files_are_written_to_a_folder():
    request = Request(Path("/folder"), "Dockerfile", (AMD,), stage="made")
    found = command.files(request, BUILDER, Path("/context"), Path("/into"))

    assert value(found, "--output") == ["type=local,dest=/into"]
    assert value(found, "--target") == ["made"]


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("Docker version 28.5.2+dfsg4, build 9cc6dea", "28.5.2"),
        ("github.com/docker/buildx 0.29.1+ds1 0.29.1+ds1-4", "0.29.1"),
        ("github.com/docker/buildx v0.13.0 0de5f1c", "0.13.0"),
        ("v0.25.0-rc1", "0.25.0"),
        ("27.0", "27.0"),
        ("none", None),
    ],
)
def test_a_version_is_found_in_what_a_program_says(text, version):
    assert client.version(text) == version


def test_what_would_put_the_day_or_the_commit_into_an_image_is_not_handed_on(monkeypatch):
    for name in ("SOURCE_DATE_EPOCH", "BUILDX_GIT_LABELS", "BUILDKIT_PROGRESS"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("DOCKER_HOST", "unix:///here")

    found = client.environment()

    assert not {"SOURCE_DATE_EPOCH", "BUILDX_GIT_LABELS", "BUILDKIT_PROGRESS"} & found.keys()
    assert found["DOCKER_HOST"] == "unix:///here"
    assert found["BUILDX_NO_DEFAULT_ATTESTATIONS"] == "1"
