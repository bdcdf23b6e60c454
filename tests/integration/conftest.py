"""Real engines and registries, started by the tests and stopped by them; and projects that are frozen once.

Each fixture of an engine needs a program of the distribution (docker.io, docker-registry, skopeo, umoci,
podman) and skips, or fails where ENVFREEZE_TEST_REQUIRE says so, on a machine that has none.

The projects are locked and built by the real command line, from the real index and archive, once per
session. They share one cache; a test that wants another makes its own.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import shutil
import socket
import ssl
import stat
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from envfreeze.locking import files
from envfreeze.oci import layout
from envfreeze.oci.image import ImageIndex
from envfreeze.oci.platform import Platform
from envfreeze.store.cache import Cache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from envfreeze.digest import Digest
    from envfreeze.locking.model import Lock
    from envfreeze.oci.image import Image

START_SECONDS = 60
STOP_SECONDS = 20

EXAMPLES = Path(__file__).parents[2] / "examples"


class Run(Protocol):
    def __call__(self, *command: str) -> str: ...


LOGIN = ("tests", "hush-hush")
_HTPASSWD = "tests:$2b$04$Raqgaw12Z25clK4jcdXO/uqMcKaHBW.Xx6mCynFhdiQuTFZi.tBAG\n"
"""`LOGIN` with bcrypt, the one form that docker-registry takes."""


@dataclass(frozen=True)
class Registry:
    """A registry on loopback.

    Attributes:
        host: host and port.
        login: user and password that it wants to be shown; None: none.

    """

    host: str
    login: tuple[str, str] | None = None

    def config(self, folder: Path, *hosts: str) -> dict[str, str]:
        """Write what `docker login` would write, for this host or others; the variables that name it."""
        folder.mkdir(parents=True, exist_ok=True)
        auth = base64.b64encode(":".join(self.login or ()).encode()).decode()
        auths = {host: {"auth": auth} for host in hosts or (self.host,)} if self.login else {}
        (folder / "config.json").write_text(json.dumps({"auths": auths}))
        return {"DOCKER_CONFIG": str(folder)}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here is an integration test."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.integration)


@pytest.fixture
def run() -> Run:
    """Run a program; what it says is the test's failure where it fails."""

    def call(*command: str) -> str:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
        return done.stdout

    return call


@pytest.fixture
def skopeo(need) -> str:
    """The path of skopeo."""
    return program("skopeo", need)


@pytest.fixture
def umoci(need) -> str:
    """The path of umoci."""
    return program("umoci", need)


@pytest.fixture
def podman(need) -> str:
    """The path of a Podman that works here."""
    found = program("podman", need)
    works = subprocess.run([found, "info"], capture_output=True, check=False).returncode == 0
    need("podman", works, "podman does not work on this machine")
    return found


def program(name: str, need) -> str:
    found = shutil.which(name)
    need(name, found is not None, f"no {name} on this machine")
    return str(found)


@pytest.fixture(scope="session")
def docker_host(tmp_path_factory: pytest.TempPathFactory, need) -> Iterator[str]:
    """The address of a Docker daemon of the tests' own."""
    need("dockerd", shutil.which("dockerd") is not None, "no dockerd on this machine")
    need("docker", shutil.which("docker") is not None, "no docker client on this machine")
    need("dockerd", os.geteuid() == 0, "dockerd wants to be root")
    folder = tmp_path_factory.mktemp("dockerd")
    address = f"unix://{folder}/docker.sock"
    command = [
        "dockerd",
        "--iptables=false",
        "--ip6tables=false",
        "--bridge=none",
        f"--data-root={folder}/data",
        f"--exec-root={folder}/exec",
        f"--pidfile={folder}/pid",
        f"--host={address}",
    ]

    def answers() -> bool:
        return (
            subprocess.run(["docker", "-H", address, "info"], capture_output=True, check=False).returncode
            == 0
        )

    with server("dockerd", command, folder / "log", answers):
        yield address


@pytest.fixture
def dockerd(docker_host: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A Docker daemon of the tests' own, which the docker client of this test speaks to; its address."""
    monkeypatch.setenv("DOCKER_HOST", docker_host)
    monkeypatch.delenv("DOCKER_CONTEXT", raising=False)
    return docker_host


@pytest.fixture(scope="session")
def registry_at(need) -> Callable[..., AbstractContextManager[Registry]]:
    """Run a registry that keeps its data in a folder, for as long as a block lasts: `docker_registry`."""
    need("docker-registry", shutil.which("docker-registry") is not None, "no docker-registry on this machine")
    return docker_registry


@pytest.fixture(scope="session")
def serving() -> Callable[[str, list[str], Path, Callable[[], bool]], AbstractContextManager[None]]:
    """Run a server for as long as a block lasts: `server`."""
    return server


@pytest.fixture(scope="session")
def registry_of() -> type[Registry]:
    """Describe a registry that a test has started."""
    return Registry


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory, registry_at) -> Iterator[Registry]:
    """A registry of the tests' own."""
    with registry_at(tmp_path_factory.mktemp("registry")) as served:
        yield served


@contextmanager
def docker_registry(
    folder: Path, *, private: bool = False, tls: tuple[Path, Path] | None = None
) -> Iterator[Registry]:
    """Run Debian's docker-registry; `private`: it wants `LOGIN`; `tls`: its certificate and key."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        host = f"127.0.0.1:{free.getsockname()[1]}"
    folder.mkdir(exist_ok=True)
    configuration = folder / "config.yml"
    text = (
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {folder}/data}}}}\nhttp: {{addr: '{host}'}}\n"
    )
    if private:
        (folder / "htpasswd").write_text(_HTPASSWD)
        text += f"auth: {{htpasswd: {{realm: tests, path: {folder}/htpasswd}}}}\n"
    if tls is not None:
        text = text.replace("}}\nhttp: {", f"}}}}\nhttp: {{tls: {{certificate: {tls[0]}, key: {tls[1]}}}, ")
    configuration.write_text(text)

    def answers() -> bool:
        try:
            connection: http.client.HTTPConnection
            if tls is None:
                connection = http.client.HTTPConnection(host, timeout=1)
            else:
                unchecked = ssl._create_unverified_context()  # noqa: S323 - whether it answers is all
                connection = http.client.HTTPSConnection(host, timeout=1, context=unchecked)
            connection.request("GET", "/v2/")
            status = connection.getresponse().status
            connection.close()
        except OSError:
            return False
        return status in {http.HTTPStatus.OK, http.HTTPStatus.UNAUTHORIZED}

    with server("docker-registry", ["docker-registry", "serve", str(configuration)], folder / "log", answers):
        yield Registry(host, LOGIN if private else None)


@pytest.fixture(scope="session")
def serve() -> Callable[..., AbstractContextManager[None]]:
    """`server`, for the tests in folders below."""
    return server


@contextmanager
def server(
    name: str,
    command: list[str],
    log: Path,
    answers: Callable[[], bool],
    env: Mapping[str, str] | None = None,
) -> Iterator[None]:
    """Run a server for as long as the block lasts."""
    with log.open("wb") as said:
        process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
    try:
        end = time.monotonic() + START_SECONDS
        while not answers():
            if process.poll() is not None or time.monotonic() > end:
                pytest.fail(f"{name} does not start:\n{log.read_text()[-3000:]}", pytrace=False)
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class CommandLine:
    """The `envfreeze` program, in surroundings that are nobody else's.

    What the machine says about package indexes and proxies stays.
    """

    program: tuple[str, ...]
    cache: Path
    home: Path

    def __call__(
        self,
        *arguments: str,
        at: Path,
        code: int = 0,
        cache: Path | None = None,
        program: tuple[str, ...] | None = None,
        env: Mapping[str, str] | None = None,
        umask: int = 0o022,
    ) -> str:
        """Run a command in a folder; what it prints. It must end with `code`."""
        ended = self.end(*arguments, at=at, cache=cache, program=program, env=env, umask=umask)
        assert ended.code == code, f"envfreeze {' '.join(arguments)} in {at}: {ended}"
        return ended.out.strip()

    def end(
        self,
        *arguments: str,
        at: Path,
        cache: Path | None = None,
        program: tuple[str, ...] | None = None,
        env: Mapping[str, str] | None = None,
        umask: int = 0o022,
    ) -> Ended:
        """Run a command in a folder, however it ends."""
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("ENVFREEZE_", "GIT_"))
        }
        ours = {
            "HOME": str(self.home),
            "XDG_CACHE_HOME": str(self.home / ".cache"),
            "XDG_CONFIG_HOME": str(self.home / ".config"),
            "ENVFREEZE_CACHE": str(cache or self.cache),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
        }
        process = subprocess.run(
            [*(program or self.program), *arguments],
            cwd=at,
            env=kept | ours | dict(env or {}),
            umask=umask,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        return Ended(process.returncode, process.stdout, process.stderr)


@pytest.fixture(scope="session")
def big() -> Iterator[Path]:
    """A folder for what is too large to keep: gone when the session ends, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="envfreeze-tests-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def envfreeze(big: Path) -> CommandLine:
    """The `envfreeze` that is installed beside this Python, with the session's cache and a home."""
    program = Path(sys.executable).with_name("envfreeze")
    assert program.exists(), "envfreeze is not installed in this environment: make integration"
    (big / "home").mkdir()
    return CommandLine((str(program),), big / "cache", big / "home")


@dataclass(frozen=True)
class Frozen:
    """A project that was locked and built.

    Attributes:
        root: its folder, a git repository whose commit holds the lock.
        digest: what `envfreeze build` printed.
        cache: the cache that it was built with, which holds every artifact and layer.

    """

    root: Path
    digest: str
    cache: Path
    image: Image | ImageIndex = field(repr=False)

    @property
    def layout(self) -> Path:
        """The OCI layout that the build wrote."""
        return self.root / ".envfreeze" / "image"

    @property
    def images(self) -> tuple[Image, ...]:
        """One per platform."""
        return self.image.images if isinstance(self.image, ImageIndex) else (self.image,)

    @property
    def lock(self) -> Lock:
        """What the lock files say."""
        return files.read(self.root)

    def copy(self, folder: Path) -> Path:
        """Copy the project's own files and its lock into a new folder, which is no repository."""
        shutil.copytree(self.root, folder, ignore=shutil.ignore_patterns(".git", ".envfreeze"))
        return folder

    def artifacts(self) -> dict[Digest, str]:
        """The files that the lock names, by digest, each with the last part of its name."""
        found = {}
        for target in self.lock.targets:
            found |= {wheel.digest: wheel.filename for wheel in target.wheels}
            found |= {deb.digest: deb.filename.rpartition("/")[2] for deb in target.base.packages}
        return found

    def copy_artifacts(self, folder: Path, digests: Iterable[Digest]) -> None:
        """Put some artifacts, and nothing that was made of them, into another cache."""
        ours, theirs = Cache.open(self.cache), Cache.open(folder)
        for digest in digests:
            blob = ours.find(digest)
            assert blob is not None
            with theirs.writer() as writer:
                writer.file.write(blob.read_bytes())
                writer.commit(digest)


@pytest.fixture(scope="session")
def commit(need) -> Callable[[Path], None]:
    """Commit all that is in a folder, which becomes a repository."""
    need("git", shutil.which("git") is not None, "no git on this machine")

    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    env = kept | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}

    def call(root: Path) -> None:
        git = ["git", "-C", str(root), "-c", "user.name=t", "-c", "user.email=t@example.org"]
        if not (root / ".git").exists():
            subprocess.run([*git, "init", "--quiet"], env=env, check=True)
        subprocess.run([*git, "add", "--all"], env=env, check=True)
        subprocess.run([*git, "commit", "--quiet", "--message", "frozen"], env=env, check=True)

    return call


@pytest.fixture(scope="session")
def freeze(envfreeze: CommandLine, commit) -> Callable[..., Frozen]:
    """Lock a project, commit it with its lock, and build it."""

    def call(root: Path, cache: Path | None = None) -> Frozen:
        envfreeze("lock", at=root, cache=cache)
        commit(root)
        digest = envfreeze("build", "--tag", "frozen", at=root, cache=cache)
        image = layout.read(root / ".envfreeze" / "image")
        return Frozen(root, digest, cache or envfreeze.cache, image)

    return call


@pytest.fixture(scope="session")
def digits(freeze, big: Path, _index) -> Frozen:
    """Make the example digits: locked, committed and built from an empty cache."""
    root = big / "digits"
    shutil.copytree(EXAMPLES / "digits", root)
    return freeze(root)


@pytest.fixture(scope="session")
def medley(freeze, big: Path, _index) -> Frozen:
    """Make an image of a little of all that wheels can hold, for both platforms.

    A namespace package in two wheels, a data file, a program that is no script, and C extensions.
    """
    root = big / "medley"
    root.mkdir()
    (root / "requirements.txt").write_text("certifi\nmarkupsafe\npyyaml\nruff\nzope.event\nzope.interface\n")
    (root / "envfreeze.toml").write_text('[image]\nplatform = ["linux/amd64", "linux/arm64"]\n')
    return freeze(root)


@dataclass(frozen=True)
class Tree:
    """An image's unpacked files, in which programs can run."""

    root: Path

    def __call__(self, *command: str, code: int = 0, **env: str) -> str:
        """Run a program inside, with the variables that the image sets; what it prints."""
        process = subprocess.run(
            ["chroot", str(self.root), *command],
            env={
                "PATH": "/opt/venv/bin:/usr/sbin:/usr/bin",
                "LANG": "C.UTF-8",
                "PYTHONDONTWRITEBYTECODE": "1",
                **env,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert process.returncode == code, f"{' '.join(command)}\n{process.stdout}{process.stderr}"
        return process.stdout


@pytest.fixture(scope="session")
def unpack(big: Path, need) -> Callable[[Image], Tree]:
    """Unpack an image with the system's tar, and give it the devices that an engine would."""
    need("root", os.geteuid() == 0, "only root can unpack owners, make devices and chroot")

    def call(image: Image) -> Tree:
        root = Path(tempfile.mkdtemp(prefix="tree-", dir=big))
        root.chmod(0o755)
        for layer in image.layers:
            with tempfile.TemporaryFile() as file:
                with layer.open() as blob:
                    shutil.copyfileobj(blob, file)
                file.seek(0)
                command = ["tar", "--extract", "--gzip", "--numeric-owner", "--directory", str(root)]
                subprocess.run(command, stdin=file, check=True)
        (root / "dev").mkdir(exist_ok=True)
        for name, minor in (("null", 3), ("zero", 5), ("urandom", 9)):
            device = root / "dev" / name
            os.mknod(device, stat.S_IFCHR, os.makedev(1, minor))
            device.chmod(0o666)
        return Tree(root)

    return call


@pytest.fixture(scope="session")
def digits_tree(digits: Frozen, unpack, need) -> Tree:
    """The files of examples/digits, where programs of its platform can run."""
    (image,) = digits.images
    need("linux/amd64", image.platform == Platform.host(), f"{image.platform} does not run here")
    return unpack(image)


@pytest.fixture(scope="session")
def medley_tree(medley: Frozen, unpack, need) -> Tree:
    """The files of the medley for this machine."""
    found = [image for image in medley.images if image.platform == Platform.host()]
    need("linux/amd64", bool(found), f"the images do not run on {Platform.host()}")
    return unpack(found[0])
