"""pyproject.toml as the source of requirements."""

from __future__ import annotations

import pytest

HEAD = '[project]\nname = "My.Project"\nversion = "1"\n'


@pytest.fixture
def resolved(folder):
    """`resolved(pyproject, pip)`: the dependencies, with this `[pip]`."""

    def make(pyproject: str, pip: str = "") -> tuple[str, ...]:
        folder.write("pyproject.toml", pyproject)
        folder.write("envfreeze.toml", f"[pip]\n{pip}\n")
        return folder.load().pip.dependencies

    return make


@pytest.fixture
def refusal(folder):
    def make(pyproject: str, pip: str = ""):
        folder.write("pyproject.toml", pyproject)
        folder.write("envfreeze.toml", f"[pip]\n{pip}\n")
        return folder.refused()

    return make


EXTRAS = (
    HEAD
    + """
dependencies = ["numpy"]
[project.optional-dependencies]
plots = ["matplotlib"]
Train_GPU = ["torch>=2", "my-project[plots]"]
old = ["tomli; python_version < '3.11'", "my_project[plots]; sys_platform == 'linux'"]
either = ["scipy; python_version < '3.12' or sys_platform == 'linux'"]
both = ["My.Project[either] ; platform_machine == 'x86_64'"]
circle = ["a", "my-project[circle2]"]
circle2 = ["b", "my-project[circle]"]
all = ["my-project[plots,train-gpu]", "my-project"]
"""
)


@pytest.mark.parametrize(
    ("extras", "expected"),
    [
        ("", ("numpy",)),
        ("plots", ("numpy", "matplotlib")),
        ("train-gpu", ("numpy", "torch>=2", "matplotlib")),
        ("all", ("numpy", "matplotlib", "torch>=2")),
        ("old", ("numpy", "tomli; python_version < '3.11'", 'matplotlib; sys_platform == "linux"')),
        (
            "both",
            (
                "numpy",
                (
                    'scipy; (python_version < "3.12" or sys_platform == "linux")'
                    ' and platform_machine == "x86_64"'
                ),
            ),
        ),
        ("circle", ("numpy", "a", "b")),
        ("circle2", ("numpy", "b", "a")),
    ],
)
def test_extras(resolved, extras, expected):
    assert resolved(EXTRAS, f'extras = ["{extras}"]' if extras else "") == expected


def test_an_unknown_extra_names_the_nearest(refusal):
    error = refusal(EXTRAS, 'extras = ["plot"]')
    assert error.message == "pyproject.toml: there is no extra 'plot'"
    assert error.hint == "did you mean 'plots'?"


def test_an_unknown_extra_that_another_names(refusal):
    error = refusal(HEAD + 'dependencies = ["my-project[x]"]\n')
    assert error.message == "pyproject.toml: there is no extra 'x', which project.dependencies[0] names"
    assert error.hint == "there is no [project.optional-dependencies]"


GROUPS = """
[dependency-groups]
Test = ["pytest", {include-group = "base"}]
base = ["coverage"]
dev = [{include-group = "test"}, "ruff", "coverage"]
mine = ["my-project[plots]"]
round = [{include-group = "trip"}]
trip = [{include-group = "round"}]
bad = [1]
gone = [{include-group = "nowhere"}]
text = "pytest"
"""


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ('"test"', ("numpy", "pytest", "coverage")),
        ('"dev"', ("numpy", "pytest", "coverage", "ruff")),
        ('"base", "TEST"', ("numpy", "coverage", "pytest")),
        ('"mine"', ("numpy", "matplotlib")),
    ],
)
def test_groups(resolved, groups, expected):
    assert resolved(EXTRAS + GROUPS, f"groups = [{groups}]") == expected


@pytest.mark.parametrize("group", ["round", "bad", "gone", "text"])
def test_a_malformed_group_is_named(refusal, group):
    error = refusal(EXTRAS + GROUPS, f'groups = ["{group}"]')
    assert error.message == f"pyproject.toml: the dependency group '{group}' is malformed"
    assert error.details


def test_an_unknown_group_names_the_nearest(refusal):
    error = refusal(EXTRAS + GROUPS, 'groups = ["tests"]')
    assert error.message == "pyproject.toml: there is no dependency group 'tests'"
    assert error.hint == "did you mean 'Test'?"


def test_two_spellings_of_one_group(refusal):
    error = refusal(HEAD + "[dependency-groups]\na-b = []\nA_b = []\n", 'groups = ["a.b"]')
    assert "malformed" in error.message


def test_groups_need_no_project(resolved):
    assert resolved('[dependency-groups]\ntrain = ["torch"]\n', 'groups = ["train"]') == ("torch",)


def test_extras_and_groups_come_on_top_of_requirements_files(folder, resolved):
    folder.write("base.in", "scipy\n")
    pip = 'requirements = ["base.in"]\nextras = ["plots"]\ngroups = ["base"]'
    assert resolved(EXTRAS + GROUPS, pip) == ("matplotlib", "coverage")
    assert folder.load().pip.requirements == ("base.in",)


def test_dynamic_dependencies_are_explained(folder, refusal):
    text = HEAD + 'dynamic = ["dependencies"]\n'
    folder.write("requirements.txt", "numpy\n")
    error = refusal(text)
    assert "project.dependencies is dynamic" in error.message
    assert "[pip] requirements" in error.hint
    folder.write("envfreeze.toml", '[pip]\nrequirements = ["requirements.txt"]\n')
    assert folder.load().pip.requirements == ("requirements.txt",)


def test_dynamic_extras_are_explained(refusal):
    error = refusal(HEAD + 'dependencies = []\ndynamic = ["optional-dependencies"]\n', 'extras = ["x"]')
    assert "project.optional-dependencies is dynamic" in error.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("project = 1\n", "project must be a table"),
        ("[project]\nname = 1\n", "project.name must be a string"),
        (HEAD + "dependencies = 'numpy'\n", "project.dependencies must be a list of strings"),
        (HEAD + "dependencies = [1]\n", "project.dependencies[0] must be a string"),
        (HEAD + "dependencies = ['numpy', 'a b']\n", "project.dependencies[1] is not a requirement: 'a b'"),
        (HEAD + "dynamic = 'x'\n", "project.dynamic must be a list of strings"),
        (HEAD + "dependencies = []\nrequires-python = 3.11\n", "project.requires-python must be a string"),
        (
            HEAD + "dependencies = []\nrequires-python = '3.x'\n",
            "project.requires-python is not a version specifier",
        ),
        (HEAD + "dependencies = []\n[dependency-groups]\n[[tool.x]]\n", None),
        ("dependency-groups = 1\n", "dependency-groups must be a table"),
    ],
)
def test_a_wrong_type_names_its_place(folder, text, message):
    folder.write("pyproject.toml", text)
    if message is None:
        folder.load()
    else:
        assert folder.refused().message.startswith(f"pyproject.toml: {message}")


@pytest.mark.parametrize("requirement", ["x @ file:///srv/x", "x @ file:///srv/x.tar.gz"])
def test_local_projects_outside_are_refused(refusal, requirement):
    error = refusal(HEAD + f'dependencies = ["{requirement}"]\n')
    assert error.message.startswith("the project's dependencies: /srv/x")


def test_a_direct_url_is_kept(resolved):
    url = "x @ https://example.org/x-1-py3-none-any.whl"
    assert resolved(HEAD + f'dependencies = ["{url}"]\n') == (url,)


def test_spaces_around_a_requirement_are_dropped(resolved):
    assert resolved(HEAD + 'dependencies = [" numpy >=2\\t", "numpy >=2"]\n') == ("numpy >=2",)


def test_a_requirement_is_one_line(refusal):
    error = refusal(HEAD + 'dependencies = ["x @ https://example.org/x\\n-rfile"]\n')
    assert "project.dependencies[0] is not a requirement" in error.message


def test_sources_of_uv_may_name_an_index_that_there_is(refusal, resolved):
    text = (
        HEAD
        + 'dependencies = ["numpy"]\n[project.optional-dependencies]\ngpu = ["Torch"]\n'
        + '[tool.uv.sources]\ntorch = { index = "example" }\n'
    )
    index = '[[tool.uv.index]]\nname = "example"\nurl = "https://example.org/simple"\n'
    assert resolved(text + index, 'extras = ["gpu"]') == ("numpy", "Torch")
    error = refusal(text)
    assert "tool.uv.sources.torch names an index that there is not: example" in error.message
    assert "[[tool.uv.index]]" in error.hint
