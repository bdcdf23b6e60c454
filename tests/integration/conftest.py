"""Real engines and registries, started by the tests and stopped by them.

Each fixture needs a program of the distribution (docker.io, docker-registry, skopeo, umoci, podman) and
skips, or fails where ENVFREEZE_TEST_REQUIRE says so, on a machine that has none.
"""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

START_SECONDS = 60
STOP_SECONDS = 20


class Run(Protocol):
    def __call__(self, *command: str) -> str: ...


@dataclass(frozen=True)
class Registry:
    """A registry on loopback, without TLS."""

    host: str


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
def registry(tmp_path_factory: pytest.TempPathFactory, need) -> Iterator[Registry]:
    """A registry of the tests' own."""
    need("docker-registry", shutil.which("docker-registry") is not None, "no docker-registry on this machine")
    folder = tmp_path_factory.mktemp("registry")
    with socket.create_server(("127.0.0.1", 0)) as free:
        host = f"127.0.0.1:{free.getsockname()[1]}"
    configuration = folder / "config.yml"
    configuration.write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {folder}/data}}}}\nhttp: {{addr: '{host}'}}\n"
    )

    def answers() -> bool:
        try:
            connection = http.client.HTTPConnection(host, timeout=1)
            connection.request("GET", "/v2/")
            status = connection.getresponse().status
            connection.close()
        except OSError:
            return False
        return status == http.HTTPStatus.OK

    with server("docker-registry", ["docker-registry", "serve", str(configuration)], folder / "log", answers):
        yield Registry(host)


@contextmanager
def server(name: str, command: list[str], log: Path, answers: Callable[[], bool]) -> Iterator[None]:
    """Run a server for as long as the block lasts."""
    with log.open("wb") as said:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
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
