"""Which build a project gets, and when it gets one instead of its distribution's Python."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envfreeze.digest import Digest
from envfreeze.errors import ResolutionError
from envfreeze.locking.standalone.builds import Build
from envfreeze.locking.standalone.choice import instead_of_suite, meets, pick
from envfreeze.oci.platform import Platform
from envfreeze.replacing import replace

AMD64 = Platform.parse("linux/amd64")


def build(version):
    return Build(version, "20260807", f"cpython-{version}.tar.gz", Digest("0" * 64), "https://x/y", True)


BUILDS = tuple(
    map(build, ["3.15.1", "3.14.9", "3.14.0", "3.13.17", "3.12.13", "3.12.12", "3.12.4", "3.11.17", "3.9.25"])
)


@pytest.fixture
def asking(make_project):
    def make(python=None, *, source=None, requires=None):
        project = make_project()
        exact = python if python is not None and python.count(".") == 2 else None
        minor = None if python is None else ".".join(python.split(".")[:2])
        image = replace(project.image, python=minor, python_exact=exact, python_source=source)
        return replace(project, image=image, requires_python=requires)

    return make


@pytest.mark.parametrize(
    ("python", "requires", "near", "chosen"),
    [
        ("3.12", None, None, "3.12.13"),
        ("3.12.4", None, None, "3.12.4"),
        ("3.12", "<3.12.13", None, "3.12.12"),
        (None, None, None, "3.13.17"),
        (None, None, "3.11", "3.11.17"),
        (None, ">=3.14", None, "3.14.9"),
        (None, ">=3.10,<3.13", None, "3.12.13"),
        (None, "!=3.13.*", None, "3.14.9"),
        (None, "<3.11", "3.13", "3.9.25"),
        (None, ">=3.9", "3.10", "3.11.17"),
    ],
)
def test_the_newest_of_the_minor_version_that_is_asked_for_or_nearest(asking, python, requires, near, chosen):
    assert pick(BUILDS, asking(python, requires=requires), AMD64, near).version == chosen


@pytest.mark.parametrize(
    ("python", "requires", "message", "hint"),
    [
        ("3.20", None, "no Python 3.20 for linux/amd64", "the nearest it has: 3.15, 3.14, 3.13, 3.12; "),
        (
            "3.12.5",
            None,
            "no Python 3.12.5 for linux/amd64",
            "the nearest it has: 3.12.13, 3.12.12, 3.12.4; ",
        ),
        ("3.10.2", None, "no Python 3.10.2 for", "the nearest it has: 3.13, 3.12, 3.11, 3.9; "),
        ("3.12", ">=3.13", r"no Python 3.12 that requires-python \(>=3.13\) accepts", "3.13, 3.12"),
        (
            None,
            ">=4",
            r"no Python that requires-python \(>=4\) accepts for",
            "pip install --upgrade pbs-installer",
        ),
    ],
)
def test_a_version_that_there_is_not_is_told_with_the_nearest(asking, python, requires, message, hint):
    with pytest.raises(ResolutionError, match=message) as refused:
        pick(BUILDS, asking(python, requires=requires), AMD64, None)
    assert hint in refused.value.hint


def test_a_list_without_builds_names_none(asking):
    with pytest.raises(ResolutionError) as refused:
        pick((), asking("3.12"), AMD64, None)
    assert refused.value.hint.startswith("newer ones")


@pytest.mark.parametrize(
    ("python", "source", "requires", "instead"),
    [
        (None, None, None, False),
        ("3.13", None, None, False),
        ("3.12", None, None, True),
        ("3.13.5", None, None, True),
        (None, None, ">=3.10", False),
        (None, None, ">=3.13.4", False),
        (None, None, ">=3.14", True),
        (None, None, "<3.13", True),
        (None, "standalone", None, True),
        ("3.12", "distribution", None, False),
        ("3.12", "base", None, False),
        (None, "distribution", ">=3.14", False),
    ],
)
def test_a_suites_python_is_left_where_it_cannot_be_the_one(asking, python, source, requires, instead):
    assert instead_of_suite(asking(python, source=source, requires=requires), "3.13") is instead


@given(
    python=st.none() | st.sampled_from(["3.12", "3.12.4", "3.13", "3.9", "3.9.25"]),
    requires=st.none() | st.sampled_from([">=3.10", "<3.12.13", "!=3.13.*", ">=3.14,<3.15", "==3.11.*"]),
    near=st.none() | st.sampled_from(["3.9", "3.12", "3.15"]),
    there=st.sets(st.sampled_from(BUILDS)),
)
def test_what_is_chosen_is_what_was_asked_for_and_never_another_where_there_is_one(
    python, requires, near, there
):
    project = _Project(python, requires)
    fitting = [one for one in there if meets(project, one.version)]
    if not fitting:
        with pytest.raises(ResolutionError):
            pick(tuple(there), project, AMD64, near)
        return
    chosen = pick(tuple(there), project, AMD64, near)
    assert chosen in fitting
    assert not any(one.minor == chosen.minor and one.order > chosen.order for one in fitting)


class _Project:
    """As much of a project as is asked of one here: hypothesis takes no fixture that makes one each time."""

    def __init__(self, python, requires):
        self.requires_python = requires
        self.image = self
        self.python_exact = python if python is not None and python.count(".") == 2 else None
        self.python = None if python is None else ".".join(python.split(".")[:2])
        self.python_source = None
