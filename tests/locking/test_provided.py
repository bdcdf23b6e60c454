"""Resolution around what conda has: the real uv against a real index on loopback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envfreeze.errors import ResolutionError
from envfreeze.locking import pip
from envfreeze.locking.pip import PipTarget
from envfreeze.locking.provided import Provided
from envfreeze.oci.platform import Platform

if TYPE_CHECKING:
    from conftest import Heard, Index, MakeProject, MakeWheel

TARGET = PipTarget(Platform("linux", "amd64"), "3.13.5", "2.41")


def conda(name: str, version: str) -> Provided:
    return Provided(name, version, f"{name} {version}", "asked for by environment.yml")


def locked(wheels):
    return {wheel.name: wheel.version for wheel in wheels}


def test_what_conda_has_is_neither_locked_nor_asked_for_its_dependencies(
    index: Index, make_wheel: MakeWheel, make_project: MakeProject
) -> None:
    index.add(
        make_wheel("app", requires=["torch"]),
        make_wheel("torch", "2.6.0", requires=["nvidia-cuda"]),
        make_wheel("torch", "2.7.0", requires=["nvidia-cuda"]),
        make_wheel("nvidia-cuda", "12.0"),
    )
    project = make_project("app", "torch>2", index_url=index.url)
    assert set(locked(pip.resolve(project, TARGET))) == {"app", "torch", "nvidia-cuda"}
    wheels = pip.resolve(project, TARGET, provided=[conda("torch", "2.6.0")])
    assert locked(wheels) == {"app": "1.0"}


def test_what_conda_has_decides_which_versions_fit(
    index: Index, make_wheel: MakeWheel, make_project: MakeProject
) -> None:
    index.add(
        make_wheel("scipy", "1.16", requires=["numpy>=2"]),
        make_wheel("scipy", "1.14", requires=["numpy>=1.23"]),
        make_wheel("numpy", "2.1"),
    )
    project = make_project("scipy", index_url=index.url)
    assert locked(pip.resolve(project, TARGET, provided=[conda("numpy", "1.26.4")])) == {"scipy": "1.14"}


def test_a_conflict_names_both_sides_and_no_temporary_file(
    index: Index, make_wheel: MakeWheel, make_project: MakeProject
) -> None:
    index.add(make_wheel("scipy", "1.16", requires=["numpy>=2"]), make_wheel("numpy", "2.1"))
    project = make_project("scipy==1.16", index_url=index.url)
    with pytest.raises(ResolutionError) as caught:
        pip.resolve(project, TARGET, provided=[conda("numpy", "1.26.4"), conda("zipp", "3")])
    said = " ".join((caught.value.message, *caught.value.details))
    assert "scipy depend on numpy>=2" in said
    assert "numpy 1.26.4 comes from conda's numpy 1.26.4 (asked for by environment.yml)" in said
    assert "zipp" not in said
    assert "envfreeze-lock-" not in said
    assert "environment file" in caught.value.hint


def test_a_url_for_what_conda_has_is_a_conflict_of_both_sides(
    index: Index, make_wheel: MakeWheel, make_project: MakeProject
) -> None:
    wheel = make_wheel("numpy", "2.1")
    index.add(wheel)
    project = make_project(f"numpy @ {index.file_url(wheel)}", index_url=index.url)
    with pytest.raises(ResolutionError) as caught:
        pip.resolve(project, TARGET, provided=[conda("numpy", "1.26.4")])
    assert any("comes from conda's" in line for line in caught.value.details)
    assert "envfreeze-lock-" not in str(caught.value.details) + caught.value.message


def test_nothing_provided_leaves_the_resolution_as_it_was(
    index: Index, make_wheel: MakeWheel, make_project: MakeProject
) -> None:
    index.add(make_wheel("a"))
    project = make_project("a", index_url=index.url)
    assert pip.resolve(project, TARGET) == pip.resolve(project, TARGET, provided=[])


def test_pins_of_what_conda_now_has_are_forgotten(
    index: Index, make_wheel: MakeWheel, make_project: MakeProject
) -> None:
    index.add(make_wheel("a", requires=["b"]), make_wheel("b", "2.0"))
    project = make_project("a", index_url=index.url)
    pins = pip.resolve(project, TARGET)
    assert locked(pip.resolve(project, TARGET, pins=pins, provided=[conda("b", "1.0")])) == {"a": "1.0"}


def test_local_versions_are_conda_packages_too(
    index: Index, make_wheel: MakeWheel, make_project: MakeProject
) -> None:
    index.add(make_wheel("a", requires=["torch==2.6.0"]))
    project = make_project("a", index_url=index.url)
    assert locked(pip.resolve(project, TARGET, provided=[conda("torch", "2.6.0+cu124")])) == {"a": "1.0"}


METADATA = b"""\
Metadata-Version: 2.1
Name: service
Version: 3.0
Requires-Dist: heavy
Requires-Dist: speed>=1; extra == "fast"
Requires-Dist: never; extra == "fast" and sys_platform == "win32"
Requires-Dist: service[fast]; extra == "all"
Provides-Extra: fast
Provides-Extra: all
"""


def with_metadata(content: bytes | None) -> Provided:
    return Provided("service", "3.0", "service 3.0", "asked for by environment.yml", lambda: content)


@pytest.mark.parametrize("extra", ["fast", "all"])
@pytest.mark.parametrize("asked", ["service[{}]", "app-{}"])
def test_an_extra_of_what_conda_has_brings_what_it_needs_besides(
    extra: str,
    asked: str,
    index: Index,
    make_wheel: MakeWheel,
    make_project: MakeProject,
    heard: Heard,
) -> None:
    index.add(
        make_wheel("speed", "1.5"),
        make_wheel("heavy"),
        make_wheel("app-fast", requires=["service[fast]"]),
        make_wheel("app-all", requires=["service[all]"]),
    )
    project = make_project(asked.format(extra), index_url=index.url)
    wheels = pip.resolve(project, TARGET, provided=[with_metadata(METADATA)], progress=heard)
    assert set(locked(wheels)) == {"speed"} | ({f"app-{extra}"} if asked.startswith("app") else set())
    assert heard.warnings == []


def test_an_extra_that_conda_s_package_does_not_have_is_said(
    make_project: MakeProject, index: Index, heard: Heard
) -> None:
    project = make_project("service[quick]", index_url=index.url)
    assert pip.resolve(project, TARGET, provided=[with_metadata(METADATA)], progress=heard) == ()
    assert heard.warnings == ["service[quick]: conda's service 3.0 has no such extra"]


def test_an_extra_of_a_package_without_metadata_is_said(
    make_project: MakeProject, index: Index, heard: Heard
) -> None:
    project = make_project("service[fast]", index_url=index.url)
    assert pip.resolve(project, TARGET, provided=[with_metadata(None)], progress=heard) == ()
    (warning,) = heard.warnings
    assert warning.startswith("service[fast]: what it needs beside service is not known")


def test_what_is_there_is_read_for_its_extras_only_where_one_is_asked_for(
    make_project: MakeProject, index: Index
) -> None:
    def never() -> bytes:
        raise AssertionError

    one = Provided("service", "3.0", "service 3.0", "asked for by environment.yml", never)
    assert pip.resolve(make_project("service>=2", index_url=index.url), TARGET, provided=[one]) == ()
