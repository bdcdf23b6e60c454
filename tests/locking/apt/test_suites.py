"""The suites that come with envfreeze."""

from __future__ import annotations

import pytest

from envfreeze.errors import UsageError
from envfreeze.locking.apt import keyring, suites

REFERENCES = ("apt:debian/trixie", "apt:debian/bookworm", "apt:ubuntu/noble")


def test_these_suites_are_known() -> None:
    assert set(suites.shipped()) == set(REFERENCES)


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
@pytest.mark.parametrize("reference", REFERENCES)
def test_a_suite_is_whole(reference: str, architecture: str) -> None:
    suite = suites.find(reference, suites.shipped())
    codename = reference.partition("/")[2]

    assert [index.suite for index in suite.indexes_for(architecture)] == [
        codename,
        f"{codename}-updates",
        f"{codename}-security",
    ]
    assert f"python{suite.python}" in suite.python_packages
    assert len(set(suite.seed)) == len(suite.seed)
    for index in suite.indexes:
        assert keyring.certificates(index.keyring, where=index.suite)
        assert index.suite in index.archive.suites
        assert "main" in index.components


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("apt:debian/trixy", "did you mean 'apt:debian/trixie'?"),
        ("x", "one of apt:debian/bookworm, apt:debian/trixie, apt:ubuntu/noble"),
    ],
)
def test_an_unknown_suite_is_named_with_the_nearest(written: str, hint: str) -> None:
    with pytest.raises(UsageError, match="no suite") as caught:
        suites.find(written, suites.shipped())
    assert caught.value.hint == hint
