"""From requirements without a wheel to locked wheels, through the real uv and real builds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from envfreeze.digest import Digest
from envfreeze.errors import ResolutionError
from envfreeze.locking import pip
from envfreeze.locking.pip import PipTarget
from envfreeze.oci.platform import Platform

if TYPE_CHECKING:
    from conftest import Index, MakeProject, MakeWheel, Repository, SdistOf, SourceOf

    from envfreeze.store.cache import Cache

AMD64 = PipTarget(Platform("linux", "amd64"), "3.13.5", "2.41")


def test_an_allowed_sdist_is_built_and_its_dependencies_are_resolved(
    index: Index,
    make_wheel: MakeWheel,
    make_project: MakeProject,
    source_of: SourceOf,
    sdist_of: SdistOf,
    cache: Cache,
) -> None:
    tool = make_wheel("tool")
    packed = sdist_of(source_of("top", requires=["dep"], build=["tool"], body="import tool"), "top")
    index.add(packed, tool, make_wheel("dep"))
    project = make_project("top", index_url=index.url, allow_sdist=("top",))
    dep, top = pip.resolve(project, AMD64, cache=cache)
    assert (dep.name, dep.source) == ("dep", None)
    assert (top.name, top.version, top.filename) == ("top", "1.0", "top-1.0-py3-none-any.whl")
    assert (top.requested, top.direct) == (True, False)
    assert top.source is not None
    assert (top.source.kind, top.source.url) == ("sdist", index.file_url(packed))
    assert top.source.digest == Digest.of_file(packed)
    assert [(wheel.name, wheel.digest) for wheel in top.source.requires] == [("tool", Digest.of_file(tool))]
    found = cache.find(top.digest)
    assert found is not None
    assert Digest.of_file(found) == top.digest
    assert pip.resolve(project, AMD64, cache=cache, pins=(dep, top)) == (dep, top)


def test_an_sdist_that_is_not_allowed_is_never_run(
    index: Index, make_project: MakeProject, source_of: SourceOf, sdist_of: SdistOf, cache: Cache
) -> None:
    index.add(sdist_of(source_of("top", "0.9"), "top", "0.9"))
    project = make_project("top", index_url=index.url)
    with pytest.raises(ResolutionError) as caught:
        pip.resolve(project, AMD64, cache=cache)
    assert "top==0.9" in caught.value.message
    assert 'allow-sdist = ["top"]' in caught.value.hint


def test_a_commit_is_built(
    make_project: MakeProject, source_of: SourceOf, git_repository: Repository, cache: Cache
) -> None:
    commit = git_repository.commit(source_of("top"))
    git_repository.git("tag", "v1")
    project = make_project(f"top @ git+{git_repository.root.as_uri()}@v1")
    (top,) = pip.resolve(project, AMD64, cache=cache)
    assert top.source is not None
    assert (top.source.kind, top.source.commit, top.source.revision) == ("git", commit, "v1")
    assert (top.direct, top.requested) == (True, True)
    assert pip.resolve(project, AMD64, cache=cache, pins=(top,)) == (top,)


@pytest.mark.parametrize("line", ["-e ./inner", "./inner", "inner @ ./inner"])
@pytest.mark.parametrize("static", [True, False])
def test_a_folder_is_built(
    line: str, static: bool, make_project: MakeProject, source_of: SourceOf, cache: Cache
) -> None:
    files = {f"inner/{name}": text for name, text in source_of("inner", static=static).items()}
    project = make_project(
        files={**files, "requirements.txt": f"{line}\n"}, requirements=("requirements.txt",)
    )
    project = replace(project, inputs={"requirements.txt": project.inputs["requirements.txt"]})
    (inner,) = pip.resolve(project, AMD64, cache=cache, offline=True)
    assert inner.source is not None
    assert (inner.url, inner.source.kind, inner.source.url) == ("file:inner", "directory", "inner")
    assert inner.requested
