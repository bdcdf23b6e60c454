"""What every test stands on: a home of its own, projects to build from, and a way to say what it needs.

A test that needs a server or an engine asks for it by name:

    def test_docker_accepts_the_image(need: Need) -> None:
        need("docker", shutil.which("dockerd") is not None, "no dockerd on this machine")

On a machine without it the test is skipped with that reason. Where `ENVFREEZE_TEST_REQUIRE` (names with
commas between them, as `.ci/run` sets it) holds the name, the test fails instead: a CI that lost its
Docker must not stay green.
"""

from __future__ import annotations

import importlib.util
import io
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest
from uv import find_uv_bin

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import ModuleType

# A shell that starts the tests in the background leaves SIGINT ignored, and children would inherit that.
if (
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    and threading.current_thread() is threading.main_thread()
):
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Read before any test isolates its environment.
REQUIRED = frozenset(name.strip() for name in os.environ.get("ENVFREEZE_TEST_REQUIRE", "").split(",")) - {""}


class Need(Protocol):
    """Skips the test, or fails it where the capability is required."""

    def __call__(self, capability: str, available: bool, reason: str) -> None: ...


@pytest.fixture(scope="session")
def need() -> Need:
    """`need(capability, available, reason)`: go on only where the capability is there."""

    def check(capability: str, available: bool, reason: str) -> None:
        if available:
            return
        if capability in REQUIRED:
            pytest.fail(f"{capability} is required by ENVFREEZE_TEST_REQUIRE: {reason}", pytrace=False)
        pytest.skip(f"{capability}: {reason}")

    return check


@pytest.fixture(autouse=True)
def isolated(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test a home, a cache and a git configuration that are nobody else's; the home's path.

    What the machine says about package indexes and proxies stays: tests marked `network` need it.
    """
    home = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if name.startswith(("ENVFREEZE_", "GIT_", "SIGSTORE_", "GITHUB_ACTIONS")):
            monkeypatch.delenv(name)
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "PY_COLORS", "COLUMNS", "SOURCE_DATE_EPOCH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / ".cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(home / ".local/share"))
    monkeypatch.setenv("ENVFREEZE_CACHE", str(home / ".cache" / "envfreeze"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_TERMINAL_PROMPT", "0")
    return home


@pytest.fixture(scope="session")
def conda_channel() -> ModuleType:
    """Give the module `tests/conda_channel.py`, which makes conda packages and serves a channel of them."""
    return _module("conda_channel")


@pytest.fixture(scope="session")
def registry_server() -> ModuleType:
    """Give the module `tests/registry_server.py`, which makes images and serves a registry of them."""
    return _module("registry_server")


@pytest.fixture(scope="session")
def wires() -> ModuleType:
    """Give the module `tests/wire.py`, which counts and cuts what goes to a registry."""
    return _module("wire")


@pytest.fixture(scope="session")
def troubles() -> ModuleType:
    """Give the module `tests/troubles.py`, a proxy before a registry that lets requests go wrong."""
    return _module("troubles")


@pytest.fixture(scope="session")
def sigstore_instance(need: Need) -> ModuleType:
    """Give the module `tests/sigstore_instance.py`, which serves an instance of Sigstore."""
    need("openssl", shutil.which("openssl") is not None, "no openssl on this machine, for timestamps")
    return _module("sigstore_instance")


@pytest.fixture(scope="session")
def standalone_archive() -> ModuleType:
    """Give the module `tests/standalone_archive.py`, which makes archives of python-build-standalone."""
    return _module("standalone_archive")


@pytest.fixture(scope="session")
def dockerfile_lint() -> ModuleType:
    """Give the module `tests/dockerfile_lint.py`, which counts what a Dockerfile does not pin."""
    return _module("dockerfile_lint")


def _module(name: str) -> ModuleType:
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


class Certify(Protocol):
    """Makes a certificate for 127.0.0.1 and localhost that an authority of its own has signed."""

    def __call__(self, folder: Path) -> Certified: ...


@dataclass(frozen=True)
class Certified:
    """A certificate, its key, and the authority's certificate; all PEM files."""

    certificate: Path
    key: Path
    authority: Path


@pytest.fixture(scope="session")
def certify(need: Need) -> Certify:
    """Make certificates with the machine's own openssl."""
    need("openssl", shutil.which("openssl") is not None, "no openssl on this machine")

    def openssl(folder: Path, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, check=True)

    def make(folder: Path) -> Certified:
        folder.mkdir(parents=True)
        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        authority = ("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=keyCertSign")
        openssl(
            folder,
            *("req", "-x509", *key, "-subj", "/CN=an authority of the tests", *authority),
            *("-keyout", "ca.key", "-out", "ca.crt", "-days", "3650"),
        )
        openssl(folder, "req", *key, "-subj", "/CN=localhost", "-keyout", "own.key", "-out", "own.csr")
        (folder / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
        openssl(
            folder,
            *("x509", "-req", "-in", "own.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-set_serial", "7"),
            *("-extfile", "names", "-out", "own.crt", "-days", "3650"),
        )
        return Certified(folder / "own.crt", folder / "own.key", folder / "ca.crt")

    return make


class Nvml(Protocol):
    """Gives the environment in which NVML reports what a test chooses; tests/gpu/nvml.c says how."""

    def __call__(
        self,
        driver: str = "",
        cuda: int = 0,
        gpus: Sequence[str] = (),
        *,
        fail: str = "",
        old: bool = False,
    ) -> dict[str, str]: ...


@pytest.fixture(scope="session")
def nvml(need: Need, tmp_path_factory: pytest.TempPathFactory) -> Nvml:
    """Compile a `libnvidia-ml.so.1` and have it found first."""
    need("cc", shutil.which("cc") is not None, "no C compiler on this machine")
    folders = {}
    for kind, options in {"new": (), "old": ("-DOLD",)}.items():
        folders[kind] = tmp_path_factory.mktemp(f"nvml-{kind}")
        target = folders[kind] / "libnvidia-ml.so.1"
        source = Path(__file__).with_name("gpu") / "nvml.c"
        warnings = ("-Wall", "-Wextra", "-Werror")
        subprocess.run(
            ["cc", *warnings, *options, "-shared", "-fPIC", "-o", str(target), str(source)], check=True
        )

    def make(
        driver: str = "", cuda: int = 0, gpus: Sequence[str] = (), *, fail: str = "", old: bool = False
    ) -> dict[str, str]:
        return {
            "LD_LIBRARY_PATH": str(folders["old" if old else "new"]),
            "NVML_DRIVER": driver,
            "NVML_CUDA": str(cuda),
            "NVML_GPUS": "\n".join(gpus),
            "NVML_FAIL": fail,
        }

    return make


@pytest.fixture(scope="session")
def _index(need: Need) -> None:
    """Go on only where the package index answers."""
    index = {name: os.environ[name] for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL") if name in os.environ}
    if not index and os.environ.get("PIP_INDEX_URL"):
        index = {"UV_DEFAULT_INDEX": os.environ["PIP_INDEX_URL"]}
    asked = subprocess.run(
        [find_uv_bin(), "pip", "compile", "--no-cache", "--quiet", "-"],
        input="packaging",
        env=os.environ | index,
        capture_output=True,
        text=True,
        check=False,
    )
    need("network", asked.returncode == 0, f"the package index does not answer: {asked.stderr.strip()}")


@pytest.fixture(autouse=True)
def _network(request: pytest.FixtureRequest) -> None:
    """Tests marked `network` need the network by that name."""
    if request.node.get_closest_marker("network"):
        request.getfixturevalue("_index")


BACKEND = """
import os, time, zipfile

NAME, VERSION, REQUIRES, TAG = {name!r}, {version!r}, {requires!r}, {tag!r}


def get_requires_for_build_wheel(config_settings=None):
    return {further!r}


def build_wheel(folder, config_settings=None, metadata_directory=None):
    module = NAME.replace("-", "_")
    info = f"{{module}}-{{VERSION}}.dist-info"
    files = {{f"{{module}}/__init__.py": f"__version__ = {{VERSION!r}}\\n"}}
{body}
    files[f"{{info}}/METADATA"] = "".join(
        [f"Metadata-Version: 2.1\\nName: {{NAME}}\\nVersion: {{VERSION}}\\n"]
        + [f"Requires-Dist: {{requirement}}\\n" for requirement in REQUIRES]
    )
    files[f"{{info}}/WHEEL"] = f"Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: {{TAG}}\\n"
    files[f"{{info}}/RECORD"] = ""
    name = f"{{module}}-{{VERSION}}-{{TAG}}.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        for path in files:
            wheel.writestr(zipfile.ZipInfo(path, time.localtime()[:6]), files[path])
    return name
"""


class SourceOf(Protocol):
    """Gives the files of a project that builds itself; `body` is put into its `build_wheel`."""

    def __call__(
        self,
        name: str,
        version: str = "1.0",
        *,
        requires: Sequence[str] = (),
        build: Sequence[str] = (),
        further: Sequence[str] = (),
        body: str = "pass",
        tag: str = "py3-none-any",
        static: bool = False,
    ) -> dict[str, str]: ...


@pytest.fixture(scope="session")
def source_of() -> SourceOf:
    def make(
        name: str,
        version: str = "1.0",
        *,
        requires: Sequence[str] = (),
        build: Sequence[str] = (),
        further: Sequence[str] = (),
        body: str = "pass",
        tag: str = "py3-none-any",
        static: bool = False,
    ) -> dict[str, str]:
        indented = "\n".join(f"    {line}" for line in body.splitlines())
        about = f'[build-system]\nrequires = {list(build)}\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        if static:
            about += f'[project]\nname = "{name}"\nversion = "{version}"\ndependencies = {list(requires)}\n'
        return {
            "pyproject.toml": about,
            "backend.py": BACKEND.format(
                name=name,
                version=version,
                requires=list(requires),
                further=list(further),
                body=indented,
                tag=tag,
            ),
        }

    return make


@pytest.fixture
def sdist_of(tmp_path: Path) -> SdistOf:
    """Pack files as an sdist whose PKG-INFO leaves the dependencies to the build (metadata 1.2)."""

    def make(
        files: Mapping[str, str], name: str, version: str = "1.0", *, further: Sequence[tarfile.TarInfo] = ()
    ) -> Path:
        (tmp_path / "made").mkdir(exist_ok=True)
        path = tmp_path / "made" / f"{name.replace('-', '_')}-{version}.tar.gz"
        root = path.name.removesuffix(".tar.gz")
        about = f"Metadata-Version: 1.2\nName: {name}\nVersion: {version}\n"
        with tarfile.open(path, "w:gz") as archive:
            for member, text in {"PKG-INFO": about, **files}.items():
                info = tarfile.TarInfo(f"{root}/{member}")
                info.size = len(text.encode())
                archive.addfile(info, io.BytesIO(text.encode()))
            for info in further:
                archive.addfile(info, io.BytesIO(bytes(info.size)))
        return path

    return make


class SdistOf(Protocol):
    """Packs files as an sdist."""

    def __call__(
        self,
        files: Mapping[str, str],
        name: str,
        version: str = "1.0",
        *,
        further: Sequence[tarfile.TarInfo] = (),
    ) -> Path: ...


class Repository:
    """A git repository with one branch."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch", "main")

    def git(self, *arguments: str) -> str:
        who = {
            f"GIT_{role}_{what}": "tests@example.org"
            for role in ("AUTHOR", "COMMITTER")
            for what in ("NAME", "EMAIL")
        }
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.root,
            env=os.environ | who,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def commit(self, files: Mapping[str, str]) -> str:
        for name, text in files.items():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "work")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def git_repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")
