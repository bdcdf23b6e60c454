"""Packages resolved beside their base: what comes of it must not depend on the guess."""

from __future__ import annotations

import pytest

from envfreeze.errors import NetworkError, ResolutionError
from envfreeze.locking.pip import PipTarget
from envfreeze.oci.platform import Platform
from envfreeze.project.load import load
from envfreeze.store.cache import Cache
from envfreeze.verbs import beside

AMD64 = Platform("linux", "amd64")
TRUE = PipTarget(AMD64, "3.13.5", "2.41")
FALSE = PipTarget(AMD64, "3.12.3", "2.39")


class Packages:
    """Stands for the pip side: says what it was asked for, and does what is to be done while it waits."""

    def __init__(self, failure=None, *, early=False):
        self.asked = []
        self.failure = failure
        self.early = early

    def __call__(self, target, base, meanwhile):
        self.asked.append((target, base))
        if self.failure and self.early:
            raise self.failure
        if meanwhile is not None:
            meanwhile()
            meanwhile()  # uv runs more than once
        if self.failure:
            raise self.failure
        return (target,)


class Base:
    def __init__(self, failure=None):
        self.failure = failure
        self.asked = 0

    def __call__(self):
        self.asked += 1
        if self.failure:
            raise self.failure
        return TRUE


def resolve(guessed, base, packages):
    return beside.resolve(guessed, base, lambda found: found, packages)


@pytest.mark.parametrize("guessed", [None, TRUE, FALSE])
def test_the_answer_is_that_for_the_true_base(guessed):
    base = Base()
    assert resolve(guessed, base, Packages()) == (TRUE, (TRUE,))
    assert base.asked == 1


def test_a_true_guess_asks_once_and_a_wrong_one_again():
    right, wrong = Packages(), Packages()
    resolve(TRUE, Base(), right)
    resolve(FALSE, Base(), wrong)
    assert right.asked == [(TRUE, None)]
    assert wrong.asked == [(FALSE, None), (TRUE, TRUE)]


@pytest.mark.parametrize("guessed", [None, TRUE, FALSE])
@pytest.mark.parametrize("early", [False, True])
def test_the_error_of_the_base_is_told_first(guessed, early):
    packages = Packages(ResolutionError("of the packages"), early=early)
    base = Base(NetworkError("of the base"))
    with pytest.raises(NetworkError, match="of the base"):
        resolve(guessed, base, packages)
    assert base.asked == 1


@pytest.mark.parametrize("guessed", [None, TRUE, FALSE])
@pytest.mark.parametrize("early", [False, True])
def test_the_error_of_the_packages_is_that_for_the_true_base(guessed, early):
    packages = Packages(ResolutionError("of the packages"), early=early)
    with pytest.raises(ResolutionError, match="of the packages"):
        resolve(guessed, Base(), packages)
    assert packages.asked[-1][0] == TRUE


@pytest.mark.parametrize("guessed", [TRUE, FALSE])
def test_an_interrupt_while_the_base_is_resolved_ends_both(guessed):
    packages = Packages()
    with pytest.raises(KeyboardInterrupt):
        resolve(guessed, Base(KeyboardInterrupt()), packages)
    assert len(packages.asked) == 1


def test_what_was_found_is_the_next_guess(tmp_path):
    (tmp_path / "requirements.txt").touch()
    project = load(tmp_path)
    with Cache.open(tmp_path / "cache") as cache:
        assert beside.guess(project, AMD64, None, cache) is None
        beside.remember(project, TRUE, cache)
        assert beside.guess(project, AMD64, None, cache) == TRUE
        assert beside.guess(project, Platform("linux", "arm64"), None, cache) is None
