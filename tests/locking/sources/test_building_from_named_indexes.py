"""Packages without a wheel that come from an index of their own, beside what conda provides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envfreeze.errors import UsageError
from envfreeze.locking import pip
from envfreeze.locking.pip import PipTarget
from envfreeze.locking.provided import Provided
from envfreeze.oci.platform import Platform
from envfreeze.project.model import Assignment, PipIndex

if TYPE_CHECKING:
    from conftest import Index, MakeProject, MakeWheel, SdistOf, SourceOf

    from envfreeze.store.cache import Cache

AMD64 = PipTarget(Platform("linux", "amd64"), "3.13.5", "2.41")


@pytest.fixture
def settings(
    index: Index, other_index: Index, make_wheel: MakeWheel, source_of: SourceOf, sdist_of: SdistOf
) -> dict[str, object]:
    """Settings under which `top` is built from an sdist of the other index; it needs dep and numpy."""
    top = source_of("top", requires=["dep", "numpy"], build=["tool"], body="import tool")
    other_index.add(sdist_of(top, "top"), make_wheel("dep", "0.1"), make_wheel("numpy", "0.1"))
    index.add(make_wheel("tool"), make_wheel("dep"), make_wheel("numpy", "2.0"), make_wheel("top", "0.5"))
    return {
        "index_url": index.url,
        "indexes": (PipIndex("own", other_index.url, explicit=True),),
        "assignments": (Assignment("top", "own"),),
        "allow_sdist": ("top",),
    }


def test_an_sdist_of_an_assigned_index_is_built(
    settings: dict[str, object],
    index: Index,
    other_index: Index,
    make_project: MakeProject,
    cache: Cache,
) -> None:
    project = make_project("top", **settings)
    wheels = pip.resolve(project, AMD64, cache=cache)
    assert {wheel.name: (wheel.version, wheel.index) for wheel in wheels} == {
        "dep": ("1.0", index.url),
        "numpy": ("2.0", index.url),
        "top": ("1.0", other_index.url),
    }
    top = wheels[-1]
    assert top.source is not None
    assert top.dependencies == ("dep", "numpy")
    assert pip.resolve(project, AMD64, cache=cache, pins=wheels) == wheels


def test_what_conda_provides_comes_from_no_index(
    settings: dict[str, object], make_project: MakeProject, cache: Cache
) -> None:
    settings["assignments"] = (Assignment("top", "own"), Assignment("num*", "own"))
    there = Provided("numpy", "1.5", "numpy 1.5", "asked for")
    project = make_project("top", "numpy", **settings)
    wheels = pip.resolve(project, AMD64, cache=cache, provided=(there,))
    assert [(wheel.name, wheel.version) for wheel in wheels] == [("dep", "1.0"), ("top", "1.0")]
    assert wheels[-1].dependencies == ("dep", "numpy")


def test_pip_tools_builds_nothing_and_knows_nothing_of_conda(
    index: Index, make_wheel: MakeWheel, make_project: MakeProject
) -> None:
    index.add(make_wheel("dep"))
    here = PipTarget(Platform("linux", "amd64"), "3.11.7", "2.17")
    project = make_project("dep", index_url=index.url, resolver="pip-tools", allow_sdist=("top",))
    with pytest.raises(UsageError, match="sdists that are built"):
        pip.resolve(project, here)
    project = make_project("dep", index_url=index.url, resolver="pip-tools")
    with pytest.raises(UsageError, match="what conda provides"):
        pip.resolve(project, here, provided=(Provided("numpy", "1.5", "numpy 1.5", "asked for"),))
