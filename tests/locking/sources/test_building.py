"""From requirements without a wheel to locked wheels, through the real uv and real builds."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import pytest

from envfreeze.digest import Digest
from envfreeze.errors import ResolutionError
from envfreeze.locking import pip
from envfreeze.locking.pip import PipTarget
from envfreeze.locking.sources.git import archive_commit
from envfreeze.oci.platform import Platform
from envfreeze.replacing import replace

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


def test_a_branch_that_moved_stays_where_it_was_locked(
    index: Index,
    make_wheel: MakeWheel,
    make_project: MakeProject,
    source_of: SourceOf,
    git_repository: Repository,
    cache: Cache,
) -> None:
    index.add(make_wheel("other"))
    first = git_repository.commit(source_of("top"))
    requirement = f"top @ git+{git_repository.root.as_uri()}@main"
    pins = pip.resolve(make_project(requirement, index_url=index.url), AMD64, cache=cache)
    second = git_repository.commit(source_of("top", "2.0"))
    project = make_project(requirement, "other", index_url=index.url)
    _, kept = pip.resolve(project, AMD64, cache=cache, pins=pins)
    assert (kept, kept.source and kept.source.commit) == (pins[0], first)
    _, moved = pip.resolve(project, AMD64, cache=cache, pins=pins, upgrade_packages=["top"])
    assert (moved.version, moved.source and moved.source.commit) == ("2.0", second)


@pytest.mark.parametrize("packed", ["url", "path", "zip"])
def test_an_sdist_that_the_project_names_needs_no_leave(
    packed: str,
    index: Index,
    make_project: MakeProject,
    source_of: SourceOf,
    sdist_of: SdistOf,
    cache: Cache,
) -> None:
    path = sdist_of(source_of("top"), "top")
    index.add(path)
    files = {}
    if packed == "url":
        files["requirements.txt"] = f"top @ {index.file_url(path)}\n"
    project = make_project(files=files, requirements=("requirements.txt",), index_url=index.url)
    if packed == "path":
        (project.root / "requirements.txt").write_text("./src/top-1.0.tar.gz\n")
        (project.root / "src").mkdir()
        path = path.rename(project.root / "src" / path.name)
    elif packed == "zip":
        (project.root / "requirements.txt").write_text("top @ ./top-1.0.zip\n")
        with zipfile.ZipFile(path := project.root / "top-1.0.zip", "w") as archive:
            for name, text in source_of("top").items():
                archive.writestr(f"top-1.0/{name}", text)
    (top,) = pip.resolve(project, AMD64, cache=cache)
    assert top.source is not None
    assert (top.source.kind, top.direct, top.requested) == ("archive", True, True)
    assert top.source.digest == Digest.of_file(path)
    assert top.source.url == (index.file_url(path) if packed == "url" else path.as_uri())


def test_the_version_of_a_tag_is_told_to_tools_that_ask_git(
    make_project: MakeProject, source_of: SourceOf, git_repository: Repository, cache: Cache
) -> None:
    body = "files['top/v.py'] = os.environ['SETUPTOOLS_SCM_PRETEND_VERSION']"
    commit = git_repository.commit(source_of("top", body=body))
    found = []
    for tag in ("v1.2.3", "top-2.0", "latest"):
        git_repository.git("tag", tag)
        project = make_project(f"top @ git+{git_repository.root.as_uri()}@{tag}")
        (top,) = pip.resolve(project, AMD64, cache=cache)
        with zipfile.ZipFile(cache.find(top.digest)) as wheel:
            found.append(wheel.read("top/v.py").decode())
    assert found == ["1.2.3", "2.0", f"0.0.0+g{commit[:12]}"]


def test_extras_and_markers_of_a_folder_count(
    index: Index, make_wheel: MakeWheel, make_project: MakeProject, source_of: SourceOf, cache: Cache
) -> None:
    index.add(make_wheel("more"), make_wheel("less"))
    extra = "files[f'{info}/x'] = ''\nREQUIRES.append(\"more; extra == 'all'\\nProvides-Extra: all\")"
    files = {f"inner/{name}": text for name, text in source_of("inner", body=extra).items()}
    text = "./inner[all] ; python_version >= '3.13'\n"
    project = make_project(
        files={**files, "requirements.txt": text}, requirements=("requirements.txt",), index_url=index.url
    )
    project = replace(project, inputs={"requirements.txt": project.inputs["requirements.txt"]})
    assert [wheel.name for wheel in pip.resolve(project, AMD64, cache=cache)] == ["inner", "more"]
    older = replace(AMD64, python="3.12.1")
    assert pip.resolve(project, older, cache=cache) == ()


def test_what_the_backend_asks_for_is_locked_too(
    index: Index,
    make_wheel: MakeWheel,
    make_project: MakeProject,
    source_of: SourceOf,
    sdist_of: SdistOf,
    cache: Cache,
) -> None:
    index.add(make_wheel("one"), make_wheel("two", "1.0"), make_wheel("two", "2.0"))
    packed = source_of("top", build=["one"], further=["two<2"], body="import one, two")
    index.add(sdist_of(packed, "top"))
    project = make_project("top", index_url=index.url, allow_sdist=("top",))
    (top,) = pip.resolve(project, AMD64, cache=cache)
    assert top.source is not None
    assert [(tool.name, tool.version) for tool in top.source.requires] == [("one", "1.0"), ("two", "1.0")]


def test_passwords_of_a_repository_are_used_and_not_told(
    make_project: MakeProject, source_of: SourceOf, git_repository: Repository, cache: Cache
) -> None:
    commit = git_repository.commit(source_of("top", static=True))
    tree = archive_commit(git_repository.root.as_uri(), commit, cache)
    # git is told by its own configuration that the address with the password is this folder.
    asked = "https://me:s3cret@example.org/top.git"
    config = git_repository.root.parent / "gitconfig"
    config.write_text(f'[url "{git_repository.root.as_uri()}"]\n\tinsteadOf = {asked}\n')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_CONFIG_GLOBAL", str(config))
        (top,) = pip.resolve(make_project(f"top @ git+{asked}@main"), AMD64, cache=cache)
    assert top.source is not None
    assert (top.source.url, top.source.digest) == ("https://example.org/top.git", tree)
    assert "s3cret" not in repr(top)
