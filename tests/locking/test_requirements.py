"""Reading names out of requirements files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envfreeze.errors import UsageError
from envfreeze.locking.requirements import index, requested
from envfreeze.replacing import replace

if TYPE_CHECKING:
    from conftest import MakeProject


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("NumPy", "numpy"),
        ("ruamel.yaml>=0.18 # why", "ruamel-yaml"),
        ("torch[extra] == 2.1 ; python_version > '3'", "torch"),
        ("a @ https://example.org/a-1-py3-none-any.whl#sha256=00", "a"),
        ("a @ ./a-1-py3-none-any.whl", "a"),
        ("a==1 --hash=sha256:00 --hash=sha256:11", "a"),
        ("a==1 \\\n    --hash=sha256:00", "a"),
        ("./wheels/My_Pkg-1.0-py3-none-any.whl", "my-pkg"),
        ("https://example.org/d/my%5Fpkg-1.0-py3-none-any.whl?x=1", "my-pkg"),
        ("file:///d/my_pkg-1.0-py3-none-any.whl ; python_version > '3'", "my-pkg"),
        ("--pre", None),
        ("-i https://example.org/simple", None),
        ("http://[oops", None),
        ("# numpy", None),
        ("", None),
    ],
)
def test_a_line_names_a_package_or_none(line: str, name: str | None, make_project: MakeProject) -> None:
    project = make_project(files={"r.txt": line}, requirements=("r.txt",))
    assert requested(project) == ({name} if name else frozenset())


def test_files_that_include_each_other_end(make_project: MakeProject) -> None:
    files = {"a.txt": "one\n-r sub/b.txt\n", "sub/b.txt": "two\n-r ../a.txt\n--requirement c.txt\n-c d.txt"}
    project = make_project("three", files=files, requirements=("a.txt",))
    assert requested(project) == {"one", "two", "three"}


@pytest.mark.parametrize("line", ["-i https://example.org", "--index-url=https://example.org"])
def test_a_file_may_name_its_index(line: str, make_project: MakeProject) -> None:
    files = {"a.txt": "-r b.txt", "b.txt": line}
    assert index(make_project(files=files, requirements=("a.txt",))) == "https://example.org"
    assert index(make_project(files=files, requirements=())) is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(codec="utf-8"), max_size=80))
def test_any_text_can_be_read(make_project: MakeProject, text: str) -> None:
    project = make_project("a", requirements=("r.txt",), files={})
    try:
        names = requested(replace(project, inputs={"r.txt": text.encode()}))
    except UsageError as error:
        names = {"a"} if "r.txt" in error.message else set()
    assert "a" in names
