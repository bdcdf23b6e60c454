"""Resolution through the real uv against a real index on loopback."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import textwrap
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from envfreeze.digest import Digest
from envfreeze.errors import MachineError, NetworkError, ResolutionError, UntrustedError, UsageError
from envfreeze.locking import guard, indexes, pip, uv
from envfreeze.locking.indexes import Indexes
from envfreeze.locking.pip import PipTarget
from envfreeze.oci.platform import Platform
from envfreeze.replacing import replace

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Index, MakeProject, MakeSdist, MakeWheel

    from envfreeze.locking.model import Wheel
    from envfreeze.progress import Task

AMD64 = PipTarget(Platform("linux", "amd64"), "3.13.5", "2.41")
ARM64 = PipTarget(Platform("linux", "arm64"), "3.13.5", "2.41")


class Notes:
    """A progress that remembers what it was told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.warnings: list[str] = []

    def task(self, description: str, total: int | None = None) -> Task:
        raise AssertionError((description, total))

    def note(self, text: str) -> None:
        self.notes.append(text)

    def warn(self, text: str) -> None:
        self.warnings.append(text)


def names(wheels: tuple[Wheel, ...]) -> list[str]:
    return [wheel.filename.removesuffix(".whl") for wheel in wheels]


def test_every_package_of_the_closure_gets_a_wheel_with_hash_size_and_url(
    index: Index, make_wheel: MakeWheel, make_project: MakeProject
) -> None:
    app, library = make_wheel("My.App", "2.0", requires=["lib-b>=1"]), make_wheel("lib-b", "1.5")
    index.add(app, library)
    first, second = pip.resolve(make_project("My.App", index_url=index.url), AMD64)
    assert (first.name, first.version, first.requested, first.direct) == ("lib-b", "1.5", False, False)
    assert first.filename == library.name
    assert first.digest == Digest.of_file(library)
    assert first.size == library.stat().st_size
    assert first.url == index.file_url(library)
    assert (second.name, second.requested) == ("my-app", True)


def test_nothing_asked_for_needs_no_resolver(make_project: MakeProject) -> None:
    notes = Notes()
    assert pip.resolve(make_project(), AMD64, progress=notes) == ()
    assert notes.notes == []


def test_it_says_what_it_resolves(index: Index, make_wheel: MakeWheel, make_project: MakeProject) -> None:
    index.add(make_wheel("a"), make_wheel("b"))
    notes = Notes()
    pip.resolve(make_project("a", "b", index_url=index.url), AMD64, progress=notes)
    assert notes.notes == ["resolving 2 requirements for linux/amd64, Python 3.13.5"]
    assert notes.warnings == []


def test_each_platform_gets_the_wheel_of_its_own(
    index: Index, make_wheel: MakeWheel, make_project: MakeProject
) -> None:
    for machine in ("x86_64", "aarch64"):
        index.add(make_wheel("native", tag=f"cp313-cp313-manylinux_2_28_{machine}"))
    index.add(
        make_wheel("native", tag="cp313-cp313-win_amd64"),
        make_wheel("native", tag="cp311-cp311-linux_x86_64"),
    )
    project = make_project("native", index_url=index.url)
    assert names(pip.resolve(project, AMD64)) == ["native-1.0-cp313-cp313-manylinux_2_28_x86_64"]
    assert names(pip.resolve(project, ARM64)) == ["native-1.0-cp313-cp313-manylinux_2_28_aarch64"]


def test_markers_are_those_of_the_target(
    index: Index, make_wheel: MakeWheel, make_project: MakeProject
) -> None:
    index.add(make_wheel("on-arm"), make_wheel("on-windows"), make_wheel("on-new-python"))
    project = make_project(
        "on-arm; platform_machine == 'aarch64'",
        "on-windows; sys_platform == 'win32'",
        "on-new-python; python_full_version >= '3.13.5'",
        index_url=index.url,
    )
    assert [wheel.name for wheel in pip.resolve(project, ARM64)] == ["on-arm", "on-new-python"]
    assert [wheel.name for wheel in pip.resolve(project, AMD64)] == ["on-new-python"]


def test_a_wheel_for_a_newer_glibc_is_passed_over(
    index: Index, make_wheel: MakeWheel, make_project: MakeProject
) -> None:
    index.add(
        make_wheel("native", "1.0", tag="cp313-cp313-manylinux_2_28_x86_64"),
        make_wheel("native", "2.0", tag="cp313-cp313-manylinux_2_39_x86_64"),
    )
    project = make_project("native", index_url=index.url)
    bookworm = replace(AMD64, glibc="2.36")
    assert bookworm.manylinux == "manylinux_2_36"
    assert names(pip.resolve(project, bookworm)) == ["native-1.0-cp313-cp313-manylinux_2_28_x86_64"]
    assert names(pip.resolve(project, AMD64)) == ["native-2.0-cp313-cp313-manylinux_2_39_x86_64"]


def test_the_patch_version_counts(index: Index, make_wheel: MakeWheel, make_project: MakeProject) -> None:
    index.add(make_wheel("picky", "1.0"), make_wheel("picky", "2.0", requires_python=">=3.11.5"))
    project = make_project("picky", index_url=index.url)
    assert names(pip.resolve(project, replace(AMD64, python="3.11.4"))) == ["picky-1.0-py3-none-any"]
    assert names(pip.resolve(project, replace(AMD64, python="3.11.5"))) == ["picky-2.0-py3-none-any"]


def test_every_package_without_a_wheel_is_named_at_once(
    index: Index, make_wheel: MakeWheel, make_sdist: MakeSdist, make_project: MakeProject
) -> None:
    index.add(make_sdist("source-only", "0.3"), make_sdist("elsewhere"), make_wheel("fine"))
    index.add(make_wheel("elsewhere", tag="cp313-cp313-macosx_11_0_arm64"))
    with pytest.raises(ResolutionError) as caught:
        pip.resolve(make_project("source-only", "elsewhere", "fine", index_url=index.url), AMD64)
    assert (
        "2 packages without a wheel for linux/amd64, Python 3.13.5 (manylinux_2_40)" in caught.value.message
    )
    assert caught.value.details == (
        "elsewhere 1.0: no wheel for the target, only an sdist",
        "source-only 0.3: no wheel for the target, only an sdist",
    )
    assert "pin versions that have wheels" in caught.value.hint


def test_a_folder_of_sources_is_refused_by_name(make_project: MakeProject) -> None:
    about = '[project]\nname = "inner"\nversion = "1"\n[build-system]\nrequires = []\nbuild-backend = "x"\n'
    project = make_project(files={"inner/pyproject.toml": about})
    requirement = f"inner @ {(project.root / 'inner').as_uri()}"
    project = replace(project, pip=replace(project.pip, dependencies=(requirement,)))
    with pytest.raises(ResolutionError) as caught:
        pip.resolve(project, AMD64, offline=True)
    assert "inner" in caught.value.details[0]
    assert "folder of sources" in caught.value.details[0]


def test_a_direct_url_is_locked_as_such(
    index: Index, make_wheel: MakeWheel, make_project: MakeProject
) -> None:
    wheel = make_wheel("direct", "3.0", requires=["dependency"])
    index.add(wheel, make_wheel("dependency"))
    _, found = pip.resolve(make_project(f"direct @ {index.file_url(wheel)}", index_url=index.url), AMD64)
    assert (found.name, found.version, found.direct, found.requested) == ("direct", "3.0", True, True)
    assert found.url == index.file_url(wheel)
    assert found.digest == Digest.of_file(wheel)


def test_a_direct_url_of_something_else_than_a_wheel_is_refused(
    index: Index, make_sdist: MakeSdist, make_project: MakeProject
) -> None:
    sdist = make_sdist("src")
    index.add(sdist)
    with pytest.raises(ResolutionError) as caught:
        pip.resolve(make_project(f"src @ {index.file_url(sdist)}", index_url=index.url), AMD64)
    assert caught.value.details == (
        "src 1.0: the project names src-1.0.tar.gz, which is not a wheel for the target",
    )


def test_wheels_of_the_project_itself_are_found_and_hashed(
    index: Index, make_wheel: MakeWheel, make_project: MakeProject
) -> None:
    project = make_project(
        files={"requirements.txt": "linked\n./my wheels/named-1.0-py3-none-any.whl\n"},
        requirements=("requirements.txt",),
        index_url=index.url,
        find_links=("my wheels",),
    )
    linked = make_wheel("linked", folder=project.root / "my wheels")
    named = make_wheel("named", folder=project.root / "my wheels")
    notes = Notes()
    first, second = pip.resolve(project, AMD64, progress=notes)
    assert (first.url, first.size, first.direct) == (linked.as_uri(), linked.stat().st_size, False)
    assert (second.url, second.digest, second.direct) == (named.as_uri(), Digest.of_file(named), True)
    assert second.requested
    assert notes.warnings == []


def test_wheels_outside_the_project_are_warned_of(
    index: Index, make_wheel: MakeWheel, make_project: MakeProject, tmp_path: Path
) -> None:
    make_wheel("far", folder=tmp_path / "elsewhere")
    project = make_project("far", index_url=index.url, find_links=(str(tmp_path / "elsewhere"),))
    notes = Notes()
    pip.resolve(project, AMD64, progress=notes)
    assert "far: locked from a folder outside the project" in notes.warnings[0]


def test_a_file_without_a_hash_on_the_index_gets_that_of_its_content(
    index: Index, make_wheel: MakeWheel, make_project: MakeProject
) -> None:
    wheel = make_wheel("unhashed")
    index.add(wheel, hashed=False)
    (found,) = pip.resolve(make_project("unhashed", index_url=index.url), AMD64)
    assert found.digest == Digest.of_file(wheel)


class TestPins:
    """What was locked stays locked."""

    @pytest.fixture
    def grown(self, index: Index, make_wheel: MakeWheel, make_project: MakeProject) -> tuple[object, ...]:
        index.add(make_wheel("top", "1.0", requires=["base"]), make_wheel("base", "1.0"))
        project = make_project("top", index_url=index.url)
        pins = pip.resolve(project, AMD64)
        index.add(make_wheel("top", "2.0", requires=["base"]), make_wheel("base", "2.0"))
        return project, pins

    def test_they_are_kept(self, grown: tuple) -> None:
        project, pins = grown
        assert pip.resolve(project, AMD64, pins=pins) == pins
        assert names(pip.resolve(project, AMD64)) == ["base-2.0-py3-none-any", "top-2.0-py3-none-any"]

    def test_upgrade_forgets_them(self, grown: tuple) -> None:
        project, pins = grown
        wheels = pip.resolve(project, AMD64, pins=pins, upgrade=True)
        assert names(wheels) == ["base-2.0-py3-none-any", "top-2.0-py3-none-any"]

    def test_upgrading_a_package_forgets_its_own(self, grown: tuple) -> None:
        project, pins = grown
        wheels = pip.resolve(project, AMD64, pins=pins, upgrade_packages=["Base"])
        assert names(wheels) == ["base-2.0-py3-none-any", "top-1.0-py3-none-any"]

    def test_requirements_count_for_more(self, grown: tuple) -> None:
        project, pins = grown
        project = replace(project, pip=replace(project.pip, dependencies=("top", "base>=2")))
        assert names(pip.resolve(project, AMD64, pins=pins)) == [
            "base-2.0-py3-none-any",
            "top-1.0-py3-none-any",
        ]

    def test_a_better_wheel_of_a_locked_version_changes_nothing(
        self, grown: tuple, index: Index, make_wheel: MakeWheel
    ) -> None:
        project, pins = grown
        index.add(make_wheel("base", "1.0", tag="cp313-cp313-manylinux_2_28_x86_64"))
        index.add(make_wheel("base", "1.0", build="7"))
        assert pip.resolve(project, AMD64, pins=pins) == pins

    def test_other_content_under_a_locked_name_is_not_trusted(
        self, grown: tuple, index: Index, make_wheel: MakeWheel
    ) -> None:
        project, pins = grown
        index.add(make_wheel("base", "1.0", requires_python=">=3"))
        with pytest.raises(UntrustedError) as caught:
            pip.resolve(project, AMD64, pins=pins)
        assert "base-1.0-py3-none-any.whl: locked as sha256:" in caught.value.details[0]
        assert "--upgrade-package base" in caught.value.hint


def test_nothing_newer_than_the_cutoff_is_taken(
    index: Index, make_wheel: MakeWheel, make_project: MakeProject
) -> None:
    index.add(make_wheel("dated", "1.0"), uploaded="2025-03-01T00:00:00Z")
    index.add(make_wheel("dated", "1.0", tag="cp313-none-any"), uploaded="2025-09-01T00:00:00Z")
    index.add(make_wheel("dated", "2.0"), uploaded="2025-09-01T00:00:00Z")
    project = make_project("dated", index_url=index.url, exclude_newer=datetime(2025, 6, 1, tzinfo=UTC))
    assert pip.cutoff(project) == "2025-06-01T00:00:00Z"
    assert names(pip.resolve(project, AMD64)) == ["dated-1.0-py3-none-any"]
    later = pip.resolve(project, AMD64, exclude_newer="2026-01-01T00:00:00Z")
    assert names(later) == ["dated-2.0-py3-none-any"]


def test_included_files_and_constraints_count(
    index: Index, make_wheel: MakeWheel, make_project: MakeProject
) -> None:
    for version in ("1.0", "2.0"):
        index.add(make_wheel("direct", version, requires=["indirect"]), make_wheel("indirect", version))
    project = make_project(
        files={
            "requirements.txt": "-r more/base.in\n",
            "more/base.in": "--requirement=deep.in\n",
            "more/deep.in": "direct # wanted\n",
            "limits.txt": "indirect<2\n",
        },
        requirements=("requirements.txt",),
        constraints=("limits.txt",),
        index_url=index.url,
    )
    wheels = pip.resolve(project, AMD64)
    assert names(wheels) == ["direct-2.0-py3-none-any", "indirect-1.0-py3-none-any"]
    assert [wheel.requested for wheel in wheels] == [True, False]


class TestIndexes:
    """Where packages come from."""

    @pytest.mark.parametrize("variable", ["UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"])
    def test_the_environment_may_name_a_mirror(
        self,
        variable: str,
        index: Index,
        make_wheel: MakeWheel,
        make_project: MakeProject,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        index.add(make_wheel("a"))
        project = make_project("a")
        monkeypatch.setenv(variable, index.url)
        assert names(pip.resolve(project, AMD64)) == ["a-1.0-py3-none-any"]

    def test_what_the_requirements_say_counts_for_more_than_the_environment(
        self,
        index: Index,
        make_wheel: MakeWheel,
        make_project: MakeProject,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        index.add(make_wheel("a"))
        project = make_project(
            files={"requirements.txt": f"--index-url {index.url}\na\n"}, requirements=("requirements.txt",)
        )
        monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple/")
        assert names(pip.resolve(project, AMD64)) == ["a-1.0-py3-none-any"]

    def test_no_setting_of_the_machine_moves_the_answer(
        self,
        index: Index,
        make_wheel: MakeWheel,
        make_project: MakeProject,
        monkeypatch: pytest.MonkeyPatch,
        isolated: Path,
    ) -> None:
        index.add(make_wheel("a", "1.0"), make_wheel("a", "2.0"), make_wheel("a", "3.0rc1"))
        project = make_project("a", index_url=index.url)
        monkeypatch.setenv("UV_RESOLUTION", "lowest")
        monkeypatch.setenv("UV_PRERELEASE", "allow")
        monkeypatch.setenv("UV_EXCLUDE_NEWER", "2001-01-01")
        monkeypatch.setenv("UV_INDEX", "http://127.0.0.1:9/simple/")
        monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "automatic")
        for place in (isolated / ".config" / "uv" / "uv.toml", project.root / "uv.toml"):
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text('resolution = "lowest"\n')
        (project.root / "pyproject.toml").write_text('[tool.uv]\nresolution = "lowest"\n')
        assert names(pip.resolve(project, AMD64)) == ["a-2.0-py3-none-any"]

    def test_a_further_index_is_asked_first(
        self, index: Index, make_wheel: MakeWheel, make_project: MakeProject
    ) -> None:
        index.add(make_wheel("a"))
        project = make_project("a", index_url="http://127.0.0.1:9/simple/", extra_index_urls=(index.url,))
        assert names(pip.resolve(project, AMD64)) == ["a-1.0-py3-none-any"]

    def test_credentials_open_the_index_and_are_seen_nowhere(
        self, index: Index, make_wheel: MakeWheel, make_project: MakeProject
    ) -> None:
        wheel = make_wheel("private")
        index.add(wheel)
        index.credentials = "me:s3cret"
        project = make_project("private", index_url=index.url_with_credentials)
        (found,) = pip.resolve(project, AMD64)
        assert found.url == index.file_url(wheel)
        assert indexes.authenticate(found.url, project) == found.url.replace("http://", "http://me:s3cret@")
        direct = make_project(f"private @ {found.url.replace('http://', 'http://me:s3cret@')}")
        assert pip.resolve(direct, AMD64)[0].url == index.file_url(wheel)

    def test_credentials_are_for_their_own_origin_only(self, make_project: MakeProject) -> None:
        project = make_project("a", index_url="https://me:s3cret@index.example.org/simple/")
        for url in ("https://files.example.org/a.whl", "http://index.example.org/a.whl", "file:///a.whl"):
            assert indexes.authenticate(url, project) == url

    @pytest.mark.parametrize(
        "requirement", ["private", "private==9", "missing @ {}/files/missing-1.0-py3-none-any.whl"]
    )
    def test_credentials_are_in_no_error(
        self, requirement: str, index: Index, make_wheel: MakeWheel, make_project: MakeProject
    ) -> None:
        index.add(make_wheel("private"))
        index.credentials = "me:s3cret"
        place = f"http://me:s3cret@{index.address}"
        project = make_project(
            requirement.format(place), index_url=index.url_with_credentials.replace("s3cret", "s3cret-wrong")
        )
        with pytest.raises((NetworkError, ResolutionError)) as caught:
            pip.resolve(project, AMD64)
        assert "s3cret" not in " ".join([caught.value.message, caught.value.hint, *caught.value.details])

    def test_wrong_credentials_are_the_index_refusing(self, index: Index, make_project: MakeProject) -> None:
        index.credentials = "me:s3cret"
        with pytest.raises(NetworkError) as caught:
            pip.resolve(make_project("a", index_url=index.url), AMD64)
        assert "~/.netrc" in caught.value.hint
        assert index.address in " ".join(caught.value.details)


class TestErrors:
    """uv's explanations, and nothing of uv's machinery."""

    def test_no_solution_is_explained(
        self, index: Index, make_wheel: MakeWheel, make_project: MakeProject
    ) -> None:
        index.add(make_wheel("a", "1.0"))
        with pytest.raises(ResolutionError) as caught:
            pip.resolve(make_project("a>=2", index_url=index.url), AMD64)
        assert "No solution found" in caught.value.message
        assert "and you require a>=2" in " ".join(caught.value.details)

    def test_a_requirement_that_cannot_be_read_is_named_with_its_file(
        self, index: Index, make_project: MakeProject
    ) -> None:
        project = make_project(
            files={"requirements.txt": "a ==\n"}, requirements=("requirements.txt",), index_url=index.url
        )
        with pytest.raises(UsageError, match=r"requirements\.txt, line 1: 'a ==' is not a requirement"):
            pip.resolve(project, AMD64)
        with pytest.raises(UsageError, match="the project's dependencies"):
            pip.resolve(make_project("a ==", index_url=index.url), AMD64)

    def test_an_index_out_of_reach_is_the_network(
        self, make_project: MakeProject, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("UV_HTTP_RETRIES", "0")
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{closed.getsockname()[1]}/simple/"
            project = make_project("a", index_url=url)
            monkeypatch.setenv("UV_HTTP_RETRIES", "0")
            with pytest.raises(NetworkError) as caught:
                pip.resolve(project, AMD64)
        assert url in caught.value.message

    def test_offline_takes_what_is_cached_and_names_what_is_not(
        self, index: Index, make_wheel: MakeWheel, make_project: MakeProject
    ) -> None:
        index.add(make_wheel("a"))
        project = make_project("a", index_url=index.url)
        with pytest.raises(NetworkError) as caught:
            pip.resolve(project, AMD64, offline=True)
        assert caught.value.hint == "run it without --offline"
        assert index.requests == []
        online = pip.resolve(project, AMD64)
        asked = len(index.requests)
        assert pip.resolve(project, AMD64, offline=True) == online
        assert len(index.requests) == asked

    def test_without_uv_the_machine_is_at_fault(
        self, make_project: MakeProject, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "uv", None)
        with pytest.raises(MachineError, match="uv, which resolves Python packages, is not installed"):
            pip.resolve(make_project("a"), AMD64)

    def test_a_temporary_folder_that_is_not_there_is_the_machine(
        self, make_project: MakeProject, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        project = make_project("a")
        monkeypatch.setattr("tempfile.tempdir", str(project.root / "not-there"))
        with pytest.raises(MachineError, match="not-there"):
            pip.resolve(project, AMD64)


def test_an_interrupt_ends_uv_too(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(30)
        script = textwrap.dedent(
            f"""
            from pathlib import Path
            from envfreeze.locking import guard, uv
            from envfreeze.locking.indexes import Indexes
            source = Path({str(tmp_path)!r}) / "a.in"
            source.write_text("a")
            uv.compile_pylock(
                ["--output-file=pylock.toml", "a.in"], folder=source.parent, offline=False, shown_as={{}},
                indexes=Indexes("http://127.0.0.1:{silent.getsockname()[1]}/simple/", (), ()),
                python=guard.make(source.parent / "guard"),
            )
            """
        )
        child = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE)
        connection, _ = silent.accept()  # uv is waiting for an answer that never comes
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=20)
        assert b"KeyboardInterrupt" in said
        with connection:
            connection.settimeout(20)
            while connection.recv(65536):
                pass  # uv's end of the connection is closed: uv is gone


def test_resolving_twice_gives_the_same(
    index: Index, make_wheel: MakeWheel, make_project: MakeProject
) -> None:
    index.add(make_wheel("b"), make_wheel("a", requires=["b", "c"]), make_wheel("c"))
    project = make_project("a", index_url=index.url)
    assert pip.resolve(project, AMD64) == pip.resolve(project, AMD64)


def test_who_needs_whom_is_known_for_the_target_and_the_extras_asked_for(
    index: Index, make_wheel: MakeWheel, make_project: MakeProject
) -> None:
    index.add(
        make_wheel(
            "app",
            requires=["lib", "on-windows; sys_platform == 'win32'", "extra-lib; extra == 'more'"],
            provides=["more"],
        ),
        make_wheel("lib", requires=["base"]),
        make_wheel("extra-lib", requires=["base"]),
        make_wheel("base"),
    )
    notes = Notes()
    project = make_project("app[more]", index_url=index.url)
    wheels = pip.resolve(project, AMD64, progress=notes)
    assert {wheel.name: wheel.dependencies for wheel in wheels} == {
        "app": ("extra-lib", "lib"),
        "base": (),
        "extra-lib": ("base",),
        "lib": ("base",),
    }
    assert notes.warnings == []
    again = pip.resolve(project, AMD64, pins=wheels, offline=True)
    assert again == wheels


def test_edges_are_known_without_uv_s_cache_too(
    index: Index, make_wheel: MakeWheel, make_project: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_NO_CACHE", "1")
    index.add(make_wheel("app", requires=["lib"]), make_wheel("lib"))
    app, _ = pip.resolve(make_project("app", index_url=index.url), AMD64)
    assert app.dependencies == ("lib",)


def test_edges_of_wheels_named_by_their_url_are_known(
    index: Index, make_wheel: MakeWheel, make_project: MakeProject
) -> None:
    index.add(make_wheel("lib"), app := make_wheel("app", requires=["lib"]))
    project = make_project(f"app @ {index.file_url(app)}", index_url=index.url)
    first, second = pip.resolve(project, AMD64)
    assert (first.name, first.dependencies, second.dependencies) == ("app", ("lib",), ())


def test_what_goes_wrong_meanwhile_ends_uv(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(30)
        (tmp_path / "a.in").write_text("a")
        waiting = []

        def meanwhile() -> None:
            waiting.append(silent.accept()[0])  # uv runs, and waits for an answer that never comes
            raise LookupError

        with pytest.raises(LookupError):
            uv.compile_pylock(
                ["--output-file=pylock.toml", "a.in"],
                folder=tmp_path,
                offline=False,
                shown_as={},
                indexes=Indexes(f"http://127.0.0.1:{silent.getsockname()[1]}/simple/", (), ()),
                python=guard.make(tmp_path / "guard"),
                meanwhile=meanwhile,
            )
        with waiting[0] as connection:
            connection.settimeout(20)
            while connection.recv(65536):
                pass
