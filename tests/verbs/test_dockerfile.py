"""`dockerfile`, `bake`, and the Dockerfile that `lock` keeps: from the configuration to folders on disk.

In this process, with an index on loopback that has a pip.
"""

from __future__ import annotations

import json
import re

import pytest

from envfreeze.engines.dockerfile import installer
from envfreeze.errors import MachineError, ResolutionError, UsageError
from envfreeze.locking import files
from envfreeze.locking.apt import suites
from envfreeze.project.load import load
from envfreeze.store.cache import Cache
from envfreeze.verbs.bake import bake
from envfreeze.verbs.dockerfile import dockerfile
from envfreeze.verbs.lock import lock


@pytest.fixture
def work(small_project, tools, site, monkeypatch, tmp_path):
    """The small project, whose index has a pip that the Dockerfile's table names."""
    made = small_project()
    for name, content in tools_wheels(tools).items():
        site.add_wheel(name, content)
    for name, version, path in (
        ("base-files", "13.8", "./etc/debian_version"),
        ("libc6", "2.41-12", "./usr/lib/libc.so.6"),
        ("libpython3.13-dev", "3.13.5-2", "./usr/include/python3.13/Python.h"),
        ("python3.13", "3.13.5-2", "./usr/bin/python3.13"),
        ("tzdata", "2026a-1", "./usr/share/zoneinfo/UTC"),
    ):
        site.add_deb(name, tools.deb_of(name, version, {path: b"x"}, architecture="all"))
    site.publish(architectures=("amd64", "arm64"))
    pip = site.add_wheel("pip", tools.wheel_of("pip", "99.0"), "99.0")
    table = tmp_path / "pip.toml"
    table.write_text(
        f'[[pip]]\npython = ">=3.9"\nversion = "99.0"\nfilename = "{pip.filename}"\n'
        f'sha256 = "{pip.digest.hex}"\nsize = {pip.size}\n'
    )
    monkeypatch.setattr(installer, "TABLE", table)
    place = made.suites
    catalogue = suites.read(json.loads(place.read_text()), lambda name: (place.parent / name).read_bytes())
    monkeypatch.setattr(suites, "shipped", lambda: catalogue)
    return made


def tools_wheels(tools):
    return {name: tools.wheel_of(name) for name in ("alpha", "beta", "gamma")}


@pytest.fixture
def cache(work):
    with Cache.open(work.cache) as opened:
        yield opened


def locked(work, cache):
    return lock(load(work.root), cache=cache)


class TestDockerfile:
    def test_it_goes_where_git_does_not_see_it(self, work, cache):
        locked(work, cache)
        made = dockerfile(load(work.root), cache=cache)
        assert made.path == work.root / ".envfreeze/docker"
        assert made.dockerfile.is_file()
        assert "envfreeze" not in work.git("status", "--porcelain", ".envfreeze")

    def test_it_is_of_the_lock_that_is_there(self, work, cache):
        with pytest.raises(UsageError, match=r"there is no envfreeze\.lock"):
            dockerfile(load(work.root), cache=cache)

    def test_the_pip_comes_from_the_project_s_own_index(self, work, cache, site):
        locked(work, cache)
        made = dockerfile(load(work.root), cache=cache)
        assert (made.path / "tools/pip-99.0-py3-none-any.whl").is_file()
        assert site.asked["/wheels/pip-99.0-py3-none-any.whl"]

    def test_an_index_without_that_pip_is_named(self, work, cache, site):
        locked(work, cache)
        del site.files["/wheels/pip-99.0-py3-none-any.whl"]
        with pytest.raises(ResolutionError) as caught:
            dockerfile(load(work.root), cache=cache)
        assert "pip 99.0" in caught.value.message
        assert not (work.root / ".envfreeze/docker").exists()

    def test_offline_what_is_in_the_cache_is_enough(self, work, cache, tmp_path):
        locked(work, cache)
        made = dockerfile(load(work.root), cache=cache)
        again = dockerfile(load(work.root), cache=cache, output=tmp_path / "again", offline=True)
        assert again.digest == made.digest


class TestLock:
    def test_it_keeps_the_folder_that_the_configuration_names(self, work, cache):
        work.write(
            "envfreeze.toml", (work.root / "envfreeze.toml").read_text() + '[docker]\noutput = "docker"\n'
        )
        written = locked(work, cache).written
        assert work.root / "docker/Dockerfile" in written
        before = (work.root / "docker/Dockerfile").stat().st_ino
        assert locked(work, cache).written == ()
        assert (work.root / "docker/Dockerfile").stat().st_ino == before
        work.replace("requirements.txt", "gamma\n", "")
        assert work.root / "docker/Dockerfile" in locked(work, cache).written
        assert not list((work.root / "docker/linux-amd64/wheels").glob("gamma*"))

    def test_without_that_it_writes_no_dockerfile(self, work, cache):
        locked(work, cache)
        assert not list(work.root.rglob("Dockerfile"))

    def test_what_shapes_the_dockerfile_alone_is_no_drift(self, work, cache):
        locked(work, cache)
        before = files.read(work.root).inputs
        work.write(
            "envfreeze.toml", (work.root / "envfreeze.toml").read_text() + '[docker]\nnetwork = "default"\n'
        )
        assert locked(work, cache).written == ()
        assert load(work.root).docker.network == "default"
        assert files.read(work.root).inputs == before


class TestBake:
    MATRIX = """
[bake]
platform = ["linux/amd64", "linux/arm64"]

[[bake.cuda]]
name = "small"
requirements = ["small.txt"]

[[bake.cuda]]
name = "whole"
"""

    @pytest.fixture
    def matrix(self, work):
        work.write("small.txt", "beta\n")
        work.write("envfreeze.toml", (work.root / "envfreeze.toml").read_text() + self.MATRIX)
        return work

    def test_each_combination_has_a_lock_and_a_dockerfile(self, matrix, cache):
        outcome = bake(load(matrix.root), cache=cache)
        assert [one.name for one in outcome.baked] == [
            "small-amd64",
            "small-arm64",
            "whole-amd64",
            "whole-arm64",
        ]
        for one in outcome.baked:
            folder = matrix.root / "bake" / one.name
            made = files.read(folder, matrix.root)
            assert made == one.lock
            assert one.folder.dockerfile == folder / "docker/Dockerfile"
            assert str(made.targets[0].platform).endswith(one.name.partition("-")[2])
        names = {one.name: [wheel.name for wheel in one.lock.targets[0].wheels] for one in outcome.baked}
        assert names["small-amd64"] == ["beta"]
        assert names["whole-arm64"] == ["alpha", "gamma"]

    def test_the_file_names_a_target_for_each_and_groups_of_them(self, matrix, cache):
        outcome = bake(load(matrix.root), cache=cache)
        text = outcome.file.read_text()
        assert re.findall(r'^target "(.*?)"', text, re.MULTILINE) == [
            "_frozen",
            *(one.name for one in outcome.baked),
        ]
        groups = dict(re.findall(r'^group "(.*?)" {\n  targets = \[(.*?)\]', text, re.MULTILINE))
        assert groups["small"] == '"small-amd64", "small-arm64"'
        assert groups["arm64"] == '"small-arm64", "whole-arm64"'
        assert groups["default"].count(",") == 3
        assert 'context = "whole-arm64/docker"' in text

    def test_a_second_time_no_byte_changes(self, matrix, cache):
        bake(load(matrix.root), cache=cache)
        before = {path: path.read_bytes() for path in (matrix.root / "bake").rglob("*") if path.is_file()}
        outcome = bake(load(matrix.root), cache=cache, offline=True)
        assert [one.written for one in outcome.baked] == [()] * 4
        after = {path: path.read_bytes() for path in (matrix.root / "bake").rglob("*") if path.is_file()}
        assert after == before

    def test_a_combination_that_cannot_be_locked_is_named(self, matrix, cache):
        matrix.write("small.txt", "nowhere\n")
        with pytest.raises(ResolutionError) as caught:
            bake(load(matrix.root), cache=cache)
        assert caught.value.message.startswith("small-amd64: ")
        assert not (matrix.root / "bake/docker-bake.hcl").exists()

    def test_a_combination_that_is_no_more_is_told(self, matrix, cache):
        bake(load(matrix.root), cache=cache)
        matrix.replace("envfreeze.toml", 'platform = ["linux/amd64", "linux/arm64"]\n', "")
        outcome = bake(load(matrix.root), cache=cache)
        assert [one.name for one in outcome.baked] == ["small", "whole"]
        assert [path.name for path in outcome.left] == [
            "small-amd64",
            "small-arm64",
            "whole-amd64",
            "whole-arm64",
        ]

    def test_nothing_to_combine_is_wrong_use(self, work, cache):
        with pytest.raises(UsageError, match="nothing to combine"):
            bake(load(work.root), cache=cache)

    def test_two_variants_of_one_name_are_wrong(self, work):
        text = (work.root / "envfreeze.toml").read_text()
        work.write("envfreeze.toml", text + '[bake]\ncuda = [{ name = "a" }, { name = "a" }]\n')
        with pytest.raises(UsageError, match=r"bake\.cuda\[1\]\.name stands there twice"):
            load(work.root)


class TestCompiling:
    def test_without_docker_it_says_what_is_missing_and_leaves_nothing(
        self, work, cache, source_of, monkeypatch, tmp_path, site, tools
    ):
        site.add_wheel("setuptools", tools.wheel_of("setuptools", "80.0"), "80.0")
        (work.root / "ext").mkdir()
        for name, text in source_of("ext", build=["setuptools"], static=True).items():
            (work.root / "ext" / name).write_text(text)
        work.write("requirements.txt", "ext @ ./ext\n")
        work.write(
            "envfreeze.toml",
            (work.root / "envfreeze.toml").read_text() + '[docker]\nbuild = ["ext"]\nbuild-packages = []\n',
        )
        monkeypatch.setenv("PATH", str(tmp_path))
        before = work.listing()
        with pytest.raises(MachineError) as caught:
            locked(work, cache)
        assert caught.value.message.startswith("ext: ")
        assert "docker" in caught.value.message
        assert "wheelhouse" in caught.value.hint
        assert {name for name in work.listing() if not name.startswith(".envfreeze")} == set(before)
