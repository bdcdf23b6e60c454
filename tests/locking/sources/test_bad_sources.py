"""Sources that cannot be built, must not be, or are not what they seem: each named, with the way out."""

from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING

import pytest

from envfreeze.errors import MachineError, NetworkError, ResolutionError, UntrustedError
from envfreeze.locking import pip
from envfreeze.locking.pip import PipTarget
from envfreeze.locking.sources import jail
from envfreeze.locking.sources.git import archive_commit
from envfreeze.locking.sources.sandbox import NOT_ISOLATED, OPT_OUT
from envfreeze.oci.platform import Platform

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Index, MakeProject, MakeSdist, MakeWheel, Repository, SdistOf, SourceOf

    from envfreeze.errors import EnvfreezeError
    from envfreeze.locking.model import Wheel
    from envfreeze.store.cache import Cache

AMD64 = PipTarget(Platform("linux", "amd64"), "3.13.5", "2.41")


@pytest.fixture
def built(
    index: Index, make_project: MakeProject, source_of: SourceOf, sdist_of: SdistOf, cache: Cache
) -> Callable[..., tuple[Wheel, ...]]:
    """`built(body, …)`: lock an sdist `top` whose build runs this body."""

    def lock(body: str = "pass", *, tag: str = "py3-none-any", **settings: object) -> tuple[Wheel, ...]:
        index.add(sdist_of(source_of("top", body=body, tag=tag), "top"))
        project = make_project("top", index_url=index.url, allow_sdist=("*",), **settings)
        return pip.resolve(project, AMD64, cache=cache)

    return lock


def refusal(
    kind: type[EnvfreezeError], lock: Callable[..., object], *arguments: object, **keys: object
) -> str:
    with pytest.raises(kind) as caught:
        lock(*arguments, **keys)
    error = caught.value
    return "\n".join((error.message, *error.details, error.hint))


def test_a_build_that_fails_shows_its_last_words_without_secrets(built: Callable[..., object]) -> None:
    body = 'print("from https://me:s3cret@example.org/x token=abc123")\nraise RuntimeError("no such luck")'
    said = refusal(ResolutionError, built, body)
    assert said.startswith("top-1.0.tar.gz cannot be built\n")
    assert "RuntimeError: no such luck" in said
    assert "https://example.org/x" in said
    assert "s3cret" not in said
    assert "abc123" not in said
    assert "no compiler" in said


def test_a_build_has_no_network(built: Callable[..., object], index: Index) -> None:
    host, port = index.address.split(":")
    said = refusal(ResolutionError, built, f"import socket; socket.create_connection(({host!r}, {port}), 5)")
    assert "top-1.0.tar.gz cannot be built: its build wants the network, which no build gets" in said


@pytest.mark.parametrize("place", ["/tmp/envfreeze-outside", "/etc/envfreeze-outside", "~"])  # noqa: S108
def test_a_build_cannot_write_outside(built: Callable[..., object], place: str, isolated: Path) -> None:
    place = str(isolated / "outside") if place == "~" else place
    said = refusal(ResolutionError, built, f"open({place!r}, 'w')")
    assert "its build writes outside its own folder" in said


def test_a_build_sees_nothing_of_the_machine_and_its_user(
    built: Callable[..., tuple[Wheel, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_TOKEN", "s3cret")
    body = (
        "import os, shutil, socket, sys\n"
        "seen = {k: v for k, v in os.environ.items() if not k.startswith('_PYPROJECT')}\n"
        "del seen['HOME'], seen['PATH'], seen['TMPDIR']\n"
        "assert sorted(seen) == ['LANG', 'LC_ALL', 'PYTHONDONTWRITEBYTECODE', 'PYTHONHASHSEED',"
        " 'PYTHONNOUSERSITE', 'SOURCE_DATE_EPOCH', 'TZ'], seen\n"
        "assert seen['SOURCE_DATE_EPOCH'] == '315619200'\n"
        "assert os.getuid() == 1000 and socket.gethostname() == 'build'\n"
        "assert os.listdir(os.environ['HOME']) == [] and os.listdir('/run') == []\n"
        "assert not any(shutil.which(name) for name in ('gcc', 'cc', 'git', 'pip', 'uv'))\n"
        "assert not [p for p in sys.path if 'dist-packages' in p]\n"
    )
    (top,) = built(body)
    assert top.source is not None
    assert top.source.notes == ()


def test_where_the_kernel_isolates_nothing_it_has_to_be_accepted_aloud(
    built: Callable[..., tuple[Wheel, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing = tmp_path / "jail.py"
    said = f"{jail.MARK}new namespaces: Operation not permitted"
    refusing.write_text(f"import sys; sys.stderr.write({said!r}); sys.exit({jail.REFUSED})")
    monkeypatch.setattr(jail, "__file__", str(refusing))
    said = refusal(MachineError, built)
    assert (
        "does not let a build be isolated from the network: new namespaces: Operation not permitted" in said
    )
    assert f"{OPT_OUT}=none" in said
    monkeypatch.setenv(OPT_OUT, "none")
    (top,) = built()
    assert top.source is not None
    assert top.source.notes == (NOT_ISOLATED,)


def test_two_builds_that_differ_are_refused_by_file(built: Callable[..., tuple[Wheel, ...]]) -> None:
    body = "files['top/stamp.txt'] = str(time.time_ns())\nfiles['top/same.txt'] = 'x'"
    said = refusal(ResolutionError, built, body)
    assert "top-1.0.tar.gz: two builds of it are not the same wheel\ndiffers: top/stamp.txt\n" in said
    assert 'allow-unreproducible = ["top"]' in said
    (top,) = built(body, allow_unreproducible=("top",))
    assert top.source is not None
    assert top.source.notes == ("two builds of it differ in top/stamp.txt",)


@pytest.mark.parametrize(
    "body",
    ["files['top/where.txt'] = os.getcwd()", "files['top/mode.txt'] = oct(os.stat('backend.py').st_mode)"],
)
def test_what_depends_on_the_folder_or_the_umask_differs(built: Callable[..., object], body: str) -> None:
    assert "two builds of it are not the same wheel" in refusal(ResolutionError, built, body)


def test_code_compiled_here_is_refused(built: Callable[..., object]) -> None:
    said = refusal(ResolutionError, built, tag="cp313-cp313-linux_x86_64")
    assert "top 1.0: its build compiles code for this machine" in said
    assert "conda" in said


def test_a_wheel_that_does_not_fit_is_refused(built: Callable[..., object]) -> None:
    said = refusal(ResolutionError, built, tag="cp39-cp39-manylinux_2_28_x86_64")
    assert "does not fit linux/amd64, Python 3.13.5" in said


def test_a_backend_that_is_not_there_is_named(
    index: Index, make_sdist: MakeSdist, make_project: MakeProject, cache: Cache
) -> None:
    index.add(make_sdist("top"))
    project = make_project("top", index_url=index.url, allow_sdist=("top",))
    said = refusal(ResolutionError, pip.resolve, project, AMD64, cache=cache)
    assert "top-1.0.tar.gz cannot be built: Backend 'missing' is not available." in said


def test_a_build_requirement_needs_a_wheel_itself(
    index: Index,
    make_sdist: MakeSdist,
    make_project: MakeProject,
    source_of: SourceOf,
    sdist_of: SdistOf,
    cache: Cache,
) -> None:
    index.add(make_sdist("tool"), sdist_of(source_of("top", build=["tool"]), "top"))
    project = make_project("top", index_url=index.url, allow_sdist=("*",))
    said = refusal(ResolutionError, pip.resolve, project, AMD64, cache=cache)
    assert "build requirements (tool): 1 package without a wheel" in said


def test_an_sdist_with_another_hash_than_the_index_states_is_not_built(
    index: Index, make_project: MakeProject, source_of: SourceOf, sdist_of: SdistOf, cache: Cache
) -> None:
    packed = sdist_of(source_of("top"), "top")
    index.add(packed)
    answer = index.answer

    def lie(path: str, *, json_wanted: bool) -> tuple[str, bytes] | None:
        found = answer(path, json_wanted=json_wanted)
        return (found[0], found[1] + b"\0") if found and path.endswith(".tar.gz") else found

    index.answer = lie  # type: ignore[method-assign]
    project = make_project("top", index_url=index.url, allow_sdist=("top",))
    said = refusal(UntrustedError, pip.resolve, project, AMD64, cache=cache)
    assert "top==1.0: its file has another sha256 than the index states" in said


@pytest.mark.parametrize(("name", "link"), [("../outside.py", ""), ("top-1.0/a", "/etc/passwd")])
def test_an_sdist_that_leads_out_of_its_folder_is_refused(
    index: Index,
    make_project: MakeProject,
    source_of: SourceOf,
    sdist_of: SdistOf,
    cache: Cache,
    name: str,
    link: str,
) -> None:
    bad = tarfile.TarInfo(name)
    if link:
        bad.type, bad.linkname = tarfile.SYMTYPE, link
    index.add(sdist_of(source_of("top"), "top", further=[bad]))
    project = make_project("top", index_url=index.url, allow_sdist=("top",))
    said = refusal(UntrustedError, pip.resolve, project, AMD64, cache=cache)
    assert "top==1.0: its sdist is damaged, or would be unpacked outside its folder" in said


def test_no_older_version_is_taken_for_its_wheel(
    index: Index,
    make_wheel: MakeWheel,
    make_project: MakeProject,
    source_of: SourceOf,
    sdist_of: SdistOf,
    cache: Cache,
) -> None:
    index.add(make_wheel("top", "1.0"), make_wheel("user", requires=["top"]))
    index.add(sdist_of(source_of("top", "2.0"), "top", "2.0"))
    said = refusal(
        ResolutionError, pip.resolve, make_project("user", index_url=index.url), AMD64, cache=cache
    )
    assert "top==2.0 has no wheel" in said
    assert 'allow-sdist = ["top"]' in said
    project = make_project("user", index_url=index.url, allow_sdist=("top",))
    assert [wheel.version for wheel in pip.resolve(project, AMD64, cache=cache)] == ["2.0", "1.0"]


def test_nothing_of_an_sdist_runs_that_is_not_allowed(
    index: Index, make_project: MakeProject, sdist_of: SdistOf, tmp_path: Path, cache: Cache
) -> None:
    ran = tmp_path / "ran"
    code = f"open({str(ran)!r}, 'w')\n"
    about = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    index.add(sdist_of({"pyproject.toml": about, "backend.py": code, "setup.py": code}, "top"))
    index.add(sdist_of({"setup.py": code}, "old"))
    for name in ("top", "old"):
        refusal(ResolutionError, pip.resolve, make_project(name, index_url=index.url), AMD64, cache=cache)
    assert not ran.exists()


def test_a_commit_that_vanished_is_told(
    make_project: MakeProject, source_of: SourceOf, git_repository: Repository, cache: Cache
) -> None:
    git_repository.commit(source_of("top"))
    gone = "0123456789" * 4
    said = refusal(NetworkError, archive_commit, git_repository.root.as_uri(), gone, cache)
    assert f"does not have the commit {gone} any more" in said
    project = make_project("top @ git+file:///nowhere/at-all@v1")
    assert "/nowhere/at-all" in refusal(NetworkError, pip.resolve, project, AMD64, cache=cache)


def test_a_commit_with_a_submodule_is_refused(
    source_of: SourceOf, git_repository: Repository, cache: Cache
) -> None:
    commit = git_repository.commit(source_of("top"))
    git_repository.git("update-index", "--add", "--cacheinfo", f"160000,{commit},vendored")
    git_repository.git("commit", "--quiet", "--message", "vendored")
    commit = git_repository.git("rev-parse", "HEAD")
    said = refusal(ResolutionError, archive_commit, git_repository.root.as_uri(), commit, cache)
    assert "has a submodule at vendored" in said


def test_a_source_that_makes_another_package_is_refused(
    make_project: MakeProject, source_of: SourceOf, git_repository: Repository, cache: Cache
) -> None:
    git_repository.commit(source_of("other"))
    project = make_project(f"top @ git+{git_repository.root.as_uri()}@main")
    said = refusal(UntrustedError, pip.resolve, project, AMD64, cache=cache)
    assert "top: its source makes a wheel of other" in said


def test_an_unnamed_commit_that_only_a_build_can_name_is_asked_for_its_name(
    make_project: MakeProject, source_of: SourceOf, git_repository: Repository, cache: Cache
) -> None:
    git_repository.commit(source_of("top"))
    project = make_project(f"git+{git_repository.root.as_uri()}@main")
    said = refusal(ResolutionError, pip.resolve, project, AMD64, cache=cache)
    assert "write its name before it" in said


def test_a_folder_outside_the_project_is_refused(
    make_project: MakeProject, source_of: SourceOf, tmp_path: Path, cache: Cache
) -> None:
    (tmp_path / "far").mkdir()
    for name, text in source_of("far", static=True).items():
        (tmp_path / "far" / name).write_text(text)
    project = make_project(f"far @ {(tmp_path / 'far').as_uri()}")
    said = refusal(ResolutionError, pip.resolve, project, AMD64, cache=cache, offline=True)
    assert "lies outside the project" in said
