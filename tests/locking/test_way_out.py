"""What a resolution without an answer tells to type next: the real uv and pip-tools against a real index."""

from __future__ import annotations

import platform
from datetime import UTC, datetime

import pytest

from envfreeze.errors import NetworkError, ResolutionError
from envfreeze.locking import pip, piptools
from envfreeze.locking.pip import PipTarget
from envfreeze.locking.way_out import python
from envfreeze.oci.platform import Platform
from envfreeze.project.model import CondaSettings, CondaSpec
from envfreeze.replacing import replace

AMD64 = PipTarget(Platform("linux", "amd64"), "3.13.5", "2.41")
MACHINE = "arm64" if platform.machine() == "aarch64" else "amd64"
HERE = PipTarget(Platform("linux", MACHINE), platform.python_version(), platform.libc_ver()[1])


@pytest.fixture
def told(index, make_project):
    """Resolve what has no answer; the hint."""

    def run(*wanted, target=AMD64, change=lambda project: project, **settings):
        with pytest.raises(ResolutionError) as caught:
            pip.resolve(change(make_project(*wanted, index_url=index.url, **settings)), target)
        return caught.value.hint

    return run


def test_a_name_that_no_index_knows(index, make_wheel, told):
    index.add(make_wheel("transformers"))
    said = told("transformers", "transfomers")
    assert said.startswith("check the spelling of transfomers")
    assert "[pip] extra-index-url" in said


def test_pip_tools_tells_the_same(index, make_wheel, told):
    index.add(make_wheel("transformers"))
    said = told("transformers", "transfomers", target=HERE, resolver="pip-tools")
    assert said.startswith("check the spelling of transfomers")


def test_a_package_for_older_pythons_names_the_nearest_that_can_be_had(index, make_wheel, told):
    for minor in (11, 12):
        index.add(make_wheel("native", tag=f"cp3{minor}-cp3{minor}-manylinux_2_28_x86_64"))
    assert told("native") == (
        'take a version of native that has wheels for this Python, or another Python: [image] python = "3.12"'
    )


def test_a_package_for_pythons_that_there_are_not(index, make_wheel, told):
    index.add(make_wheel("native", tag="cp36-cp36m-manylinux_2_28_x86_64"))
    assert told("native") == "take a version of native that has wheels for this Python"


def test_where_conda_provides_python_its_file_is_the_place(index, make_wheel, told):
    index.add(make_wheel("native", tag="cp312-cp312-manylinux_2_28_x86_64"))
    conda = CondaSettings(
        environment="environment.yml",
        channels=(),
        locations=(),
        specs={"linux-64": (CondaSpec("python=3.13", 3),)},
        channel_priority="strict",
        exclude_newer=None,
        allow_link_scripts=(),
        name_map={},
    )
    said = told("native", change=lambda project: replace(project, conda=conda))
    assert said.endswith("or ask for another `python` in environment.yml")
    elsewhere = replace(conda, specs={"linux-64": (CondaSpec("python-dateutil", 3),)})
    said = told("native", change=lambda project: replace(project, conda=elsewhere))
    assert said.endswith('[image] python = "3.12"')


def test_a_package_for_newer_pythons(index, make_wheel, told):
    index.add(make_wheel("young", requires_python=">=3.13"))
    said = told("young", target=replace(AMD64, python="3.12.3", glibc="2.39"))
    assert said.startswith(
        "take a version of young that knows this Python, or another Python: [image] python"
    )
    assert said.endswith('"3.13"')


def test_a_package_of_another_system(index, make_wheel, told):
    index.add(make_wheel("win", tag="cp313-cp313-win_amd64"))
    assert told("win") == "leave it out on Linux, with a marker: win; sys_platform != 'linux'"


def test_a_package_of_another_machine_or_glibc(index, make_wheel, told):
    index.add(make_wheel("arm", tag="cp313-cp313-manylinux_2_28_aarch64"))
    assert told("arm") == "take another version of arm, or a base or platform that its wheels are for"


def test_without_an_index_a_folder_is_to_be_named(told):
    said = told(files={"requirements.txt": "--no-index\na\n"}, requirements=("requirements.txt",))
    assert "[pip] find-links" in said


def test_what_is_not_of_this_kind_keeps_its_hint(index, make_wheel, told):
    index.add(make_wheel("a", "1.0"), make_wheel("a", "2.0"))
    assert told("a==1.0", "a==2.0") == "change the requirements or constraints that it names"


def test_a_long_explanation_keeps_its_conclusion(index, make_wheel, make_project):
    for minor in range(40):
        index.add(make_wheel("many", f"1.{minor}", requires=[f"need-{minor}"]))
    with pytest.raises(ResolutionError) as caught:
        pip.resolve(make_project("many", index_url=index.url), AMD64)
    assert len(caught.value.details) <= 15
    assert any("more lines of this kind" in line for line in caught.value.details)
    assert "your requirements are unsatisfiable" in " ".join(caught.value.details)
    assert "need-" in caught.value.hint


def test_a_cutoff_may_be_what_hides_the_answer(index, make_wheel, told):
    index.add(make_wheel("a", "1.0"), uploaded="2025-01-01T00:00:00Z")
    index.add(make_wheel("a", "2.0"), uploaded="2025-09-01T00:00:00Z")
    said = told("a>=2", exclude_newer=datetime(2025, 6, 1, tzinfo=UTC))
    assert said.endswith(", or a later exclude-newer than 2025-06-01T00:00:00Z")


def test_a_python_of_a_range():
    assert python("<3.12") == ' ([image] python = "3.11")'
    assert python("!=3.13.*") == ' ([image] python = "3.14")'
    assert python("==3.6.*") == ""


class TestCircles:
    """Packages that need each other."""

    def test_they_are_locked_together(self, index, make_wheel, make_project):
        index.add(make_wheel("egg", requires=["hen"]), make_wheel("hen", requires=["egg"]))
        wheels = pip.resolve(make_project("hen", index_url=index.url), AMD64)
        assert {wheel.name: wheel.dependencies for wheel in wheels} == {"egg": ("hen",), "hen": ("egg",)}

    @pytest.fixture
    def chasing(self, index, make_wheel):
        """Each version of one wants the other version of the other."""
        for mine, theirs in (("1.0", "2.0"), ("2.0", "1.0")):
            index.add(make_wheel("hen", mine, requires=[f"egg=={theirs}"]))
            index.add(make_wheel("egg", mine, requires=[f"hen=={mine}"]))
        return index

    @pytest.fixture
    def given_up(self, monkeypatch):
        """pip goes round for half a minute before it says so."""
        said = (
            "Traceback (most recent call last):\n  File ...\nx.ResolutionTooDeepError: resolution-too-deep\n"
        )
        error = piptools._error(said)
        assert isinstance(error, piptools.GaveUpError)

        def resolve(*_: object, **__: object) -> None:
            raise error

        monkeypatch.setattr(piptools, "resolve", resolve)

    def test_constraints_that_chase_each_other_are_told(self, chasing, make_project):
        with pytest.raises(ResolutionError) as caught:
            pip.resolve(make_project("hen", index_url=chasing.url), AMD64)
        said = " ".join(caught.value.details)
        assert "hen" in said
        assert "egg" in said
        assert caught.value.hint

    @pytest.mark.usefixtures("given_up")
    def test_where_pip_tools_gives_up_uv_tells_which(self, chasing, make_project):
        project = make_project("hen", index_url=chasing.url, resolver="pip-tools")
        with pytest.raises(ResolutionError, match="No solution found") as caught:
            pip.resolve(project, HERE)
        assert "egg" in " ".join(caught.value.details)

    @pytest.mark.usefixtures("given_up")
    def test_where_there_is_an_answer_it_is_said_who_finds_it(self, index, make_wheel, make_project):
        index.add(make_wheel("hen"))
        project = make_project("hen", index_url=index.url, resolver="pip-tools")
        with pytest.raises(ResolutionError, match="went round in circles") as caught:
            pip.resolve(project, HERE)
        assert 'resolver = "uv"' in caught.value.hint


def test_a_file_that_is_named_by_its_url_is_not_called_an_index(make_project, monkeypatch):
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with pytest.raises(NetworkError) as caught:
        pip.resolve(make_project("a @ http://me:pw@127.0.0.1:9/a-1.0-py3-none-any.whl"), AMD64)
    assert caught.value.message == "a @ http://127.0.0.1:9/a-1.0-py3-none-any.whl could not be fetched"
    assert "index" not in caught.value.message
