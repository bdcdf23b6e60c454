"""Real projects: built on two daemons to the same bytes, verified, and the same files as the native engine's.

Everything is done by the command line, from the real index and archive. A project is locked once; each
daemon has an envfreeze cache of its own, so that nothing but the lock is shared.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from envfreeze.locking import files
from envfreeze.oci import layout
from envfreeze.oci.platform import Platform

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.network

NETWORK = ("--network", "none")
"""The tests' daemons have no bridge."""


@dataclass(frozen=True)
class Project:
    """A locked and committed project, and the command line in it."""

    root: Path
    envfreeze: object

    def built(self, daemon, *more: str, cache: Path | None = None) -> str:
        """Build it by Docker; the digest."""
        arguments = ("build", "--engine", "docker", "--quiet", *more)
        return self.envfreeze(*arguments, at=self.root, env=daemon.environment, cache=cache)


@pytest.fixture(scope="module")
def frozen(big: Path, envfreeze, commit) -> Callable[..., Project]:
    """Write, lock and commit a project."""

    def make(name: str, *, env: dict[str, str] | None = None, **texts: str) -> Project:
        root = big / f"engines-{name}"
        root.mkdir()
        for file, text in texts.items():
            path = root / file.replace("__slash__", "/").replace("__", ".")
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        envfreeze("lock", at=root, env=env)
        shutil.rmtree(root / "wheelhouse", ignore_errors=True)
        commit(root)
        return Project(root, envfreeze)

    return make


@pytest.fixture(scope="module")
def pip(frozen) -> Project:
    """Wheels with C code, commands, data and namespaces, above an assembled base; with files of its own."""
    return frozen(
        "pip",
        requirements__txt="certifi\nmarkupsafe\npyyaml\nzope.event\nzope.interface\n",
        train__py="print('train')\n",
        envfreeze__toml='[image]\nbase = "apt:debian/bookworm"\npackages = ["less"]\ninclude = ["train.py"]\n'
        'user = "1000"\n[docker]\naccount = "trainer"\n',
    )


@pytest.fixture(scope="module")
def base(frozen, envfreeze, registry) -> str:
    """An image of Debian with apt, in a registry."""
    where = f"{registry.host}/engines/base:1"
    made = frozen(
        "base",
        requirements__txt="",
        envfreeze__toml='[image]\nbase = "apt:debian/bookworm"\npackages = ["apt", "diffutils"]\n',
    )
    envfreeze("build", "--engine", "native", "--push", where, at=made.root)
    return where


@pytest.fixture(scope="module")
def debs(frozen, base) -> Project:
    """OS packages that are installed by apt, above an image of a registry."""
    return frozen(
        "debs",
        requirements__txt="six\n",
        envfreeze__toml=f'[image]\nbase = "{base}"\npackages = ["less", "tree", "libxml2"]\n',
    )


@pytest.fixture(scope="module")
def conda(frozen, conda_channel, big) -> Iterator[Project]:
    """conda packages beside wheels."""
    with conda_channel.serve(big / "engines-channel") as channel:
        channel.add(
            *(one for one in conda_channel.every_kind() if one.index["name"] in {"zlib", "data", "meta"})
        )
        channel.index()
        yield frozen(
            "conda",
            requirements__txt="six\n",
            environment__yml=f"channels: [{channel.url}]\ndependencies: [meta]\n",
            envfreeze__toml='[image]\nbase = "apt:debian/bookworm"\n'
            '[conda]\nenvironment = "environment.yml"\n',
        )


EXTENSION = """\
#include <Python.h>

static PyObject *answer(PyObject *self, PyObject *args) { return PyLong_FromLong(42); }
static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "fast", NULL, -1, methods};
PyMODINIT_FUNC PyInit_fast(void) { return PyModule_Create(&module); }
"""

ABOUT = """\
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "fast"
version = "1.0"

[tool.setuptools]
ext-modules = [{ name = "fast", sources = ["fast.c"] }]
"""


@pytest.fixture(scope="module")
def compiled(frozen, one) -> Project:
    """A package in C, compiled by Docker when the project is locked, and by who has another cache again."""
    return frozen(
        "compiled",
        env=one.environment,
        requirements__txt="./fast\n",
        fast__slash__fast__c=EXTENSION,
        fast__slash__pyproject__toml=ABOUT,
        envfreeze__toml='[image]\nbase = "apt:debian/bookworm"\n[docker]\nbuild = ["fast"]\n',
    )


@pytest.fixture(scope="module", params=["pip", "debs", "conda", "compiled"])
def project(request) -> Project:
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def twice(project, one, two, big) -> tuple[Project, str, str]:
    """The project, and the digests of its images on two daemons, from two caches."""
    first = project.built(one, *NETWORK)
    second = project.built(two, *NETWORK, cache=big / f"{project.root.name}-cache")
    return project, first, second


def test_two_daemons_build_the_same_image(twice):
    _, first, second = twice

    assert first == second


def test_what_docker_built_is_recorded_with_its_versions_and_verified_by_another_daemon(
    twice, two, envfreeze
):
    project, digest, _ = twice
    at, env = project.root, two.environment

    (record, *_) = json.loads(envfreeze("log", digest, "--json", at=at))["records"]
    assert record["engine"] == "docker"
    assert {"docker", "buildx", "driver"} <= record["tools"].keys()
    assert envfreeze("verify", digest, *NETWORK, at=at, env=env) == "identical"


def test_the_packages_are_the_same_files_as_the_native_engine_s(twice, native, envfreeze):
    project, digest, _ = twice
    docker = project.root / ".envfreeze" / "image"
    assert str(layout.read(docker).digest) == digest

    said = json.loads(
        envfreeze("diff", native(project), str(docker), "--level=packages", "--format=json", at=project.root)
    )

    assert said["reached"]
    assert [found for found in said["findings"] if found["package"] and found["level"] == "different"] == []


@pytest.fixture
def native(envfreeze, big) -> Callable[[Project], str]:
    """The folder of the image that the native engine makes of a project."""

    def call(project: Project) -> str:
        into = big / f"{project.root.name}-native"
        envfreeze("build", "--engine", "native", "--no-record", "--output", str(into), at=project.root)
        return str(into)

    return call


def test_plain_docker_build_of_the_folder_gives_the_environment(pip, one):
    pip.built(one, *NETWORK)
    folder = pip.root / ".envfreeze" / "docker"

    one("build", "--network", "none", "--tag", "plain:1", str(folder))

    imports = "import markupsafe._speedups, yaml, certifi, zope.interface; print('imported')"
    assert "imported" in one("run", "--rm", "--network", "none", "plain:1", "python", "-c", imports)


def test_what_docker_built_is_pushed_loaded_and_verified_by_its_name(
    pip, one, registry, envfreeze, skopeo, run
):
    where = f"{registry.host}/engines/pushed:1"
    digest = pip.built(one, *NETWORK, "--push", where, "--load", "--tag", "pushed:1")

    assert (
        run(skopeo, "inspect", "--tls-verify=false", "--format", "{{.Digest}}", f"docker://{where}").strip()
        == digest
    )
    assert digest in one("image", "inspect", "pushed:1")
    assert "3.11" in one("run", "--rm", "--network", "none", "pushed:1", "python", "--version")
    assert envfreeze("verify", where, *NETWORK, at=pip.root, env=one.environment) == "identical"


def test_the_commands_of_the_page_do_what_it_says(pip, one, registry, big):
    page = (Path(__file__).parents[3] / "docs/how-to/docker-engine.md").read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    programs = f"{Path(sys.executable).parent}:{one.programs}:{os.environ['PATH']}"
    env = one.environment | {
        "PATH": programs,
        "REGISTRY": registry.host,
        "ENVFREEZE_CACHE": str(big / "cache"),
        "HOME": str(big / "home"),
    }

    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(blocks)],
        cwd=pip.root,
        env=os.environ | env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout

    digests = [line for line in said.splitlines() if line.startswith("sha256:")]
    assert len(blocks) == 4
    assert digests[0] == digests[1] == digests[3]
    assert "identical" in said.splitlines()
    assert one("run", "--rm", "--network", "none", "train:plain", "python", "-c", "print(2)").strip() == "2"


def test_built_steps_are_kept_in_a_registry_and_taken_from_it(frozen, one, two, registry, envfreeze):
    project = frozen(
        "cached",
        requirements__txt="",
        envfreeze__toml='[image]\nbase = "apt:debian/bookworm"\n'
        '[docker]\nafter = ["RUN date +%s%N > /made"]\n',
    )
    spec = f"type=registry,ref={registry.host}/engines/cache:1"
    first = project.built(one, *NETWORK, "--cache-to", f"{spec},mode=max")

    ended = envfreeze.end(
        *("build", "--engine", "docker", *NETWORK, "--cache-from", spec), at=project.root, env=two.environment
    )

    assert ended.out.strip() == first  # a step that is another each time, and was not run again
    assert "CACHED" in ended.err
    verdict = envfreeze.end("verify", first, *NETWORK, at=project.root, env=two.environment)
    assert (verdict.code, verdict.out) == (1, "packages\n")  # no package's file is another
    assert "made: content" in verdict.err


@pytest.mark.usefixtures("containers")
def test_podman_builds_the_same_lock_and_verifies_it(pip, envfreeze, native, run):
    shutil.rmtree(pip.root / ".envfreeze", ignore_errors=True)
    digests = {
        envfreeze("build", "--engine", name, *NETWORK, "--quiet", at=pip.root)
        for name in ("podman", "buildah")
    }

    (digest,) = digests
    envfreeze(*("build", "--engine", "podman", *NETWORK, "--load", "--tag", "pod:1"), at=pip.root)
    assert run("podman", "image", "inspect", "--format", "{{.Id}}", "pod:1").strip()
    assert envfreeze("verify", digest, *NETWORK, at=pip.root) == "identical"
    image = str(pip.root / ".envfreeze" / "image")
    assert envfreeze("diff", native(pip), image, "--level=packages", "--quiet", at=pip.root)


def test_the_lock_of_a_platform_alone_is_built(pip, one):
    platform = str(Platform.host())
    assert [str(target.platform) for target in files.read(pip.root).targets] == [platform]
    assert pip.built(one, *NETWORK, "--platform", platform) == pip.built(one, *NETWORK)
