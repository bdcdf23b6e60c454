"""Wheels that need a compiler: compiled twice, compared, locked, and known again.

What runs the devel stage is here a process of this machine: how Docker does it is for tests/integration.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile

import pytest

from envfreeze.digest import Digest
from envfreeze.errors import MachineError, ResolutionError, UntrustedError
from envfreeze.locking.model import AptBase, Deb, Devel, Source, Wheel
from envfreeze.locking.pip import PipTarget
from envfreeze.locking.sources import wheelhouse
from envfreeze.locking.sources.builder import rebuilt
from envfreeze.locking.sources.compiled import Compiler, check_alike, fits
from envfreeze.locking.sources.workshop import Workshop
from envfreeze.oci.platform import Platform
from envfreeze.progress import SILENT
from envfreeze.project import folders
from envfreeze.project.load import load
from envfreeze.replacing import replace

TARGET = PipTarget(Platform.parse("linux/amd64"), "3.13.5", "2.41")
TAG = "cp313-cp313-linux_x86_64"
BUILD = "import sys; sys.path.insert(0, '.'); import backend; backend.build_wheel(sys.argv[1])"


def deb(version):
    digest = Digest.of(version.encode())
    return Deb("g++", version, "amd64", "pool/g++.deb", digest, 1, "debian", requested=True)


def stage(version="14.2", **more):
    return Devel("3.13.5", "2.41", AptBase("apt:debian/trixie", (), (), (deb(version),)), **more)


def tool(name, version="1.0"):
    return Wheel(
        name, version, f"{name}-{version}-py3-none-any.whl", Digest.of(name.encode()), 1, "file:///x"
    )


class Here:
    """Runs a build on this machine, twice, and counts."""

    def __init__(self):
        self.jobs = []

    def __call__(self, job, scratch):
        self.jobs.append(job)
        made = []
        for number in ("1", "2"):
            folder, out = scratch / number, scratch / f"out-{number}"
            out.mkdir()
            with tarfile.open(job.archive) as archive:
                archive.extractall(folder, filter="data")
            (project,) = folder.iterdir()
            (project / "number").write_text(number)
            subprocess.run([sys.executable, "-c", BUILD, out], cwd=project, check=True)
            made += out.iterdir()
        return tuple(made)


@pytest.fixture
def here():
    return Here()


@pytest.fixture
def compiler(cache, here):
    def make(devel=None, tools=("setuptools",), requires=(), names=("ext",)):
        return Compiler(
            names=frozenset(names),
            requires=requires,
            target=TARGET,
            conda=(),
            standalone=None,
            stage=lambda: devel or stage(),
            tools=lambda wanted: tuple(tool(name) for name in sorted({*tools, *wanted})),
            run=here,
            workshop=Workshop(cache, SILENT, True, str),
        )

    return make


@pytest.fixture
def ext(source_of, sdist_of):
    """An sdist, and the source that it is."""

    def make(body="pass", tag=TAG):
        path = sdist_of(source_of("ext", body=body, tag=tag), "ext")
        return Source("sdist", path.as_uri(), Digest.of_file(path), path.stat().st_size), path

    return make


def never(_):
    return False


def test_it_is_locked_with_what_it_was_compiled_with_and_in(compiler, ext, cache):
    source, path = ext()
    made, metadata = compiler().build(source, path, forgive=never)
    assert (made.name, made.version, made.filename) == ("ext", "1.0", f"ext-1.0-{TAG}.whl")
    assert cache.find(made.digest).stat().st_size == made.size
    assert made.source.is_of(source)
    assert made.source.devel == stage().digest
    assert made.source.python == "3.13"
    assert [one.name for one in made.source.requires] == ["setuptools"]
    assert metadata.startswith(b"Metadata-Version: 2.1\nName: ext\n")


def test_it_is_compiled_once_in_one_stage(compiler, ext, here):
    source, path = ext()
    once = compiler().build(source, path, forgive=never)
    again = compiler().build(source, path, forgive=never)
    assert once == again
    assert len(here.jobs) == 1
    compiler(stage("15.1")).build(source, path, forgive=never)
    compiler(tools=("setuptools", "ninja")).build(source, path, forgive=never)
    compiler(stage(env={"CFLAGS": "-O3"})).build(source, path, forgive=never)
    assert len(here.jobs) == 4


def test_variables_of_the_stage_reach_the_build(compiler, ext, here):
    source, path = ext()
    compiler(stage(env={"CFLAGS": "-O3"})).build(source, path, forgive=never)
    assert dict(here.jobs[0].env) == {"CFLAGS": "-O3"}


DIFFERS = "files[f'{module}/number.txt'] = open('number').read()"


def test_two_builds_that_differ_are_refused(compiler, ext):
    source, path = ext(DIFFERS)
    with pytest.raises(ResolutionError, match="two builds of it are not the same wheel") as caught:
        compiler().build(source, path, forgive=never)
    assert caught.value.details == ("differs: ext/number.txt",)
    assert 'allow-unreproducible = ["ext"]' in caught.value.hint


def test_they_are_taken_where_that_is_allowed_with_a_note(compiler, ext):
    source, path = ext(DIFFERS)
    made, _ = compiler().build(source, path, forgive=lambda name: name == "ext")
    assert made.source.notes == ("two builds of it differ in ext/number.txt",)


def test_a_wheel_is_compiled_again_where_it_is_gone(compiler, ext, cache):
    source, path = ext()
    made, _ = compiler().build(source, path, forgive=never)
    cache.discard(made.digest)
    assert Digest.of_file(compiler().rebuild(made, path)) == made.digest


def test_another_wheel_is_not_taken_for_it(compiler, ext):
    source, path = ext()
    made, _ = compiler().build(source, path, forgive=never)
    other = replace(made, digest=Digest.of(b"other"))
    with pytest.raises(UntrustedError, match="compiling its locked source here gives another wheel"):
        compiler().rebuild(other, path)


def test_it_is_compiled_again_in_its_own_stage_only(compiler, ext):
    source, path = ext()
    made, _ = compiler().build(source, path, forgive=never)
    with pytest.raises(UntrustedError, match="does not hold the stage"):
        compiler(stage("15.1")).rebuild(made, path)


def test_without_a_compiler_it_has_to_be_there(compiler, ext, cache, tmp_path):
    source, path = ext()
    made, _ = compiler().build(source, path, forgive=never)
    workshop = Workshop(cache, SILENT, True, str)
    assert rebuilt(made, tmp_path, workshop) == cache.find(made.digest)
    cache.discard(made.digest)
    with pytest.raises(MachineError, match="this machine does not have it"):
        rebuilt(made, tmp_path, workshop)


@pytest.mark.parametrize(
    ("change", "good"),
    [
        ({}, True),
        ({"devel": "15.1"}, False),
        ({"requires": ("torch>=2",)}, True),
        ({"requires": ("torch<2",)}, False),
    ],
)
def test_a_wheel_stays_as_long_as_its_stage_and_tools_do(compiler, change, good):
    source = Source(
        "sdist", "file:///x", Digest.of(b""), devel=stage().digest, requires=(tool("torch", "2.8.0"),)
    )
    wheel = replace(tool("ext"), source=source)
    made = compiler(stage(change.get("devel", "14.2")), requires=change.get("requires", ()))
    assert made.still_good(wheel) == good


@pytest.mark.parametrize(
    ("tag", "good"),
    [
        (TAG, True),
        ("cp313-abi3-linux_x86_64", True),
        ("py3-none-any", True),
        ("cp312-cp312-linux_x86_64", False),
        ("cp313-cp313-linux_aarch64", False),
        ("cp313-cp313-manylinux_2_50_x86_64", False),
    ],
)
def test_it_has_to_fit_the_target(tag, good):
    wheel = replace(tool("ext"), filename=f"ext-1.0-{tag}.whl")
    assert fits(wheel, TARGET, TARGET.tags) == good


def test_what_it_was_compiled_against_is_what_the_image_has():
    source = Source(
        "sdist", "file:///x", Digest.of(b""), devel=stage().digest, requires=(tool("torch", "2.8.0"),)
    )
    wheel = replace(tool("ext"), source=source)
    check_alike([wheel, tool("torch", "2.8.0"), tool("numpy")])
    with pytest.raises(
        ResolutionError, match=r"compiled with torch 2\.8\.0, and the image has torch 2\.7\.1"
    ) as caught:
        check_alike([wheel, tool("torch", "2.7.1")])
    assert 'build-requires = ["torch==2.7.1"]' in caught.value.hint


class TestTheWheelhouse:
    @pytest.fixture
    def project(self, tmp_path):
        (tmp_path / "project").mkdir()
        (tmp_path / "project/requirements.txt").write_text("")
        return load(tmp_path / "project")

    @pytest.fixture
    def made(self, compiler, ext):
        source, path = ext()
        return compiler().build(source, path, forgive=never)[0]

    def test_a_wheel_in_it_need_not_be_compiled(self, project, made, cache):
        path = project.root / "wheelhouse" / made.filename
        assert wheelhouse.put([made, tool("numpy")], project, cache) == (path,)
        assert wheelhouse.put([made], project, cache) == ()
        cache.discard(made.digest)
        assert wheelhouse.take(made, project, cache) == cache.find(made.digest)

    def test_another_file_of_that_name_is_none(self, project, made, cache):
        wheelhouse.put([made], project, cache)
        (project.root / "wheelhouse" / made.filename).write_bytes(b"other")
        cache.discard(made.digest)
        assert wheelhouse.take(made, project, cache) is None
        assert wheelhouse.take(tool("numpy"), project, cache) is None

    def test_it_is_no_part_of_the_project_that_is_compiled(self, project, made, cache):
        before = folders.listing(project.root)
        wheelhouse.put([made], project, cache)
        assert folders.listing(project.root) == before
