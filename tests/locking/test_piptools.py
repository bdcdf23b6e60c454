"""pip-tools, run for real by the Python that runs the tests, against an index on loopback."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from envfreeze.errors import NetworkError, ResolutionError, UntrustedError, UsageError
from envfreeze.locking import pip
from envfreeze.locking.pip import PipTarget
from envfreeze.oci.platform import Platform
from envfreeze.project.model import Assignment, PipIndex

if TYPE_CHECKING:
    from conftest import Index, MakeWheel

MACHINE = "arm64" if platform.machine() == "aarch64" else "amd64"
HERE = PipTarget(Platform("linux", MACHINE), platform.python_version(), platform.libc_ver()[1])


def versions(wheels) -> dict[str, str]:
    return {wheel.name: wheel.version for wheel in wheels}


@pytest.fixture
def filled(index: Index, make_wheel: MakeWheel) -> Index:
    index.add(make_wheel("app", "1.0", requires=["library>=1", "other"]), uploaded="2025-01-01T00:00:00Z")
    index.add(make_wheel("library", "1.0"), uploaded="2025-01-01T00:00:00Z")
    index.add(make_wheel("library", "2.0"), uploaded="2025-09-01T00:00:00Z")
    index.add(make_wheel("other", "1.0"), uploaded="2025-01-01T00:00:00Z")
    return index


def test_it_locks_what_uv_locks(filled, make_project):
    with_uv = pip.resolve(make_project("app", index_url=filled.url), HERE)
    project = make_project("app", index_url=filled.url, resolver="pip-tools")
    assert pip.resolve(project, HERE) == with_uv
    assert versions(with_uv) == {"app": "1.0", "library": "2.0", "other": "1.0"}


def test_pins_constraints_hashes_and_the_cutoff_hold(filled, make_project, make_wheel):
    files = {"requirements.txt": "-r more.in\n", "more.in": "app\n", "limits.txt": "other<2\n"}
    project = make_project(
        files=files,
        requirements=("requirements.txt",),
        constraints=("limits.txt",),
        index_url=filled.url,
        resolver="pip-tools",
        exclude_newer=datetime(2025, 6, 1, tzinfo=UTC),
    )
    first = pip.resolve(project, HERE)
    assert versions(first) == {"app": "1.0", "library": "1.0", "other": "1.0"}
    filled.add(make_wheel("library", "1.5"), make_wheel("other", "2.0"), uploaded="2025-03-01T00:00:00Z")
    assert pip.resolve(project, HERE, pins=first) == first
    assert versions(pip.resolve(project, HERE))["library"] == "1.5"


def test_a_hash_of_the_requirements_is_held(filled, make_project):
    project = make_project(
        files={"requirements.txt": f"other==1.0 --hash=sha256:{'0' * 64}\n"},
        requirements=("requirements.txt",),
        index_url=filled.url,
        resolver="pip-tools",
    )
    with pytest.raises(UntrustedError, match="no file with the hash that a requirement states"):
        pip.resolve(project, HERE)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (PipTarget(Platform("linux", MACHINE), "3.99.1", "2.17"), "the image has 3.99.1"),
        (PipTarget(Platform("linux", MACHINE), platform.python_version(), "9.1"), "the image's 9.1"),
        (
            PipTarget(
                Platform("linux", "amd64" if MACHINE == "arm64" else "arm64"),
                platform.python_version(),
                "2.17",
            ),
            "its platform is linux",
        ),
    ],
)
def test_another_machine_is_refused_with_the_difference(target, words, make_project):
    with pytest.raises(UsageError) as caught:
        pip.resolve(make_project("app", resolver="pip-tools"), target)
    assert words in " ".join(caught.value.details)
    assert 'resolver = "uv"' in caught.value.hint


def test_what_pip_has_not_is_refused(filled, make_project):
    settings = {"indexes": (PipIndex("x", filled.url),), "assignments": (Assignment("app", "x"),)}
    with pytest.raises(UsageError, match="pip-tools does not know indexes with names"):
        pip.resolve(make_project("app", resolver="pip-tools", **settings), HERE)
    with pytest.raises(NetworkError, match="asks the index every time"):
        pip.resolve(make_project("app", resolver="pip-tools"), HERE, offline=True)


def test_no_answer_is_told_in_its_own_words(filled, make_project):
    project = make_project("app", "library>=3", index_url=filled.url, resolver="pip-tools")
    with pytest.raises(ResolutionError) as caught:
        pip.resolve(project, HERE)
    assert "library>=3" in " ".join([caught.value.message, *caught.value.details])
    assert "_internal" not in " ".join([caught.value.message, *caught.value.details])


def test_an_index_that_answers_badly_is_named(filled, make_project):
    project = make_project("other", index_url=filled.url, resolver="pip-tools")
    filled.broken["other"] = 403
    with pytest.raises(NetworkError, match=f"{filled.url} did not answer for other: 403"):
        pip.resolve(project, HERE)
    filled.broken["other"] = ("text/html", b"<html><body>Sign in</body></html>")
    with pytest.raises(NetworkError, match="a page that lists no files"):
        pip.resolve(project, HERE)
    del filled.broken["other"]
    filled.dated = False
    project = make_project(
        "other", index_url=filled.url, resolver="pip-tools", exclude_newer=datetime(2026, 6, 1, tzinfo=UTC)
    )
    with pytest.raises(ResolutionError, match="does not say when files of other were uploaded"):
        pip.resolve(project, HERE)


def test_the_password_of_its_index_is_told_to_nobody(filled, make_project):
    filled.credentials = "me:s3cret"
    project = make_project("other", index_url=filled.url_with_credentials, resolver="pip-tools")
    (wheel,) = pip.resolve(project, HERE)
    assert "@" not in wheel.url
    filled.credentials = "me:another"
    with pytest.raises(NetworkError, match="401") as caught:
        pip.resolve(project, HERE)
    assert "s3cret" not in " ".join([caught.value.message, caught.value.hint, *caught.value.details])
