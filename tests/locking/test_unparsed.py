"""Requirements that cannot be read: wrong use, named with file and line."""

from __future__ import annotations

import platform

import pytest

from envfreeze.errors import UsageError
from envfreeze.locking import pip, unparsed
from envfreeze.locking.pip import PipTarget
from envfreeze.oci.platform import Platform

MACHINE = "arm64" if platform.machine() == "aarch64" else "amd64"
HERE = PipTarget(Platform("linux", MACHINE), platform.python_version(), platform.libc_ver()[1])


@pytest.mark.parametrize("line", ["foo bar baz", "numpy=>1", "a[b", "x @", "numpy; python_version"])
def test_a_line_of_a_requirements_file(index, make_project, line):
    files = {"requirements.txt": f"# é\nalpha\n{line}\n"}
    project = make_project(files=files, requirements=("requirements.txt",), index_url=index.url)
    with pytest.raises(UsageError) as caught:
        pip.resolve(project, HERE)
    assert caught.value.message.startswith(f"requirements.txt, line 3: {line!r} is not a requirement")


def test_an_option_that_nobody_knows(index, make_project):
    files = {"requirements.txt": "alpha\n--unknown-option x\n"}
    project = make_project(files=files, requirements=("requirements.txt",), index_url=index.url)
    with pytest.raises(UsageError, match=r"^requirements\.txt, line 2: "):
        pip.resolve(project, HERE)


def test_a_line_of_a_constraints_file_and_of_an_included_one(index, make_project):
    files = {
        "requirements.txt": "-r more.in\n",
        "more.in": "\n\nfoo bar\n",
        "limits.txt": "a==1.\nb <> 2 3\n",
    }
    project = make_project(
        files=files,
        requirements=("requirements.txt",),
        constraints=("limits.txt",),
        index_url=index.url,
    )
    with pytest.raises(UsageError, match=r"(more\.in, line 3|limits\.txt, line 1): "):
        pip.resolve(project, HERE)


def test_a_dependency_of_the_project(index, make_project):
    with pytest.raises(UsageError, match=r"^the project's dependencies: 'foo bar' is not a requirement"):
        pip.resolve(make_project("foo bar", index_url=index.url), HERE)


def test_pip_tools_says_the_same(index, make_project):
    files = {"requirements.txt": "alpha\nfoo bar baz\n"}
    project = make_project(
        files=files, requirements=("requirements.txt",), index_url=index.url, resolver="pip-tools"
    )
    with pytest.raises(UsageError, match=r"^requirements\.txt, line 2: "):
        pip.resolve(project, HERE)


def test_what_is_no_such_error_is_left_alone(tmp_path):
    assert unparsed.of_uv("No solution found", tmp_path, {}) is None
    assert unparsed.of_pip("No matching distribution found for a") is None


@pytest.mark.parametrize("line", ["--find-links=nope", "-f ./nope", "-i nope", "--extra-index-url nope"])
def test_a_place_that_is_neither_url_nor_folder(index, make_project, line):
    files = {"requirements.txt": f"# é\n-r more/own.in\n{line}\n", "more/own.in": "alpha\n"}
    project = make_project(files=files, requirements=("requirements.txt",), index_url=index.url)
    with pytest.raises(
        UsageError, match=r"^requirements\.txt, line 3: \S*nope is not a URL, and there is no"
    ):
        pip.resolve(project, HERE)


def test_an_option_that_is_not_followed_is_said_with_what_does_it(index, make_wheel, make_project, heard):
    index.add(make_wheel("alpha"))
    files = {"requirements.txt": "--pre\n--prefer-binary\nalpha\n"}
    project = make_project(files=files, requirements=("requirements.txt",), index_url=index.url)
    assert pip.resolve(project, HERE, progress=heard)
    assert heard.warnings == [
        (
            'requirements.txt: the option --pre is not followed; set `prerelease = "allow"` under '
            "[tool.uv] of pyproject.toml"
        ),
        "requirements.txt: the option --prefer-binary is not followed; it has no effect here",
    ]
