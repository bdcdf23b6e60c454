"""A package of the real index that has no wheel, and one that depends on it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from envfreeze.errors import ResolutionError
from envfreeze.locking import pip
from envfreeze.locking.pip import PipTarget
from envfreeze.locking.sources.builder import rebuilt
from envfreeze.locking.sources.workshop import Workshop
from envfreeze.oci.platform import Platform
from envfreeze.progress import SILENT

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import MakeProject

    from envfreeze.store.cache import Cache

pytestmark = pytest.mark.network

AMD64 = PipTarget(Platform("linux", "amd64"), "3.13.5", "2.41")
PLACES = {name: value for name, value in os.environ.items() if name.startswith(("UV_", "PIP_"))}


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch, make_project: MakeProject) -> MakeProject:
    """Projects that take packages from where this machine takes them."""
    for name, value in PLACES.items():
        monkeypatch.setenv(name, value)
    return make_project


def test_an_sdist_of_setuptools_is_built_twice_alike_and_again(
    places: MakeProject, cache: Cache, tmp_path: Path
) -> None:
    project = places("antlr4-python3-runtime==4.9.3", allow_sdist=("antlr4-python3-runtime",))
    (wheel,) = pip.resolve(project, AMD64, cache=cache)
    assert wheel.filename == "antlr4_python3_runtime-4.9.3-py3-none-any.whl"
    assert wheel.source is not None
    assert "setuptools" in [tool.name for tool in wheel.source.requires]
    assert wheel.source.notes == ()
    cache.discard(wheel.digest)
    workshop = Workshop(cache, SILENT, offline=True, authenticate=str)
    assert rebuilt(wheel, tmp_path, workshop) == cache.find(wheel.digest)


def test_what_depends_on_it_is_not_taken_older(places: MakeProject, cache: Cache) -> None:
    with pytest.raises(ResolutionError) as caught:
        pip.resolve(places("hydra-core==1.3.2"), AMD64, cache=cache)
    assert "antlr4-python3-runtime" in caught.value.message + "".join(caught.value.details)
    assert 'allow-sdist = ["antlr4-python3-runtime"]' in caught.value.hint
    project = places("hydra-core==1.3.2", allow_sdist=("antlr4-python3-runtime",))
    names = [wheel.name for wheel in pip.resolve(project, AMD64, cache=cache)]
    assert names == ["antlr4-python3-runtime", "hydra-core", "omegaconf", "packaging", "pyyaml"]
