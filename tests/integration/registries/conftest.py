"""Registries of three makers: Debian's docker-registry, zuul-registry, and the one that crane has inside.

They differ where registries differ: docker-registry forgets an upload whose part broke; zuul-registry wants
tokens of a token server with scopes of its own, has one store for all repositories, mounts nothing and knows
no pages of tags; crane's lets everybody in. None has the referrers API, which tests/registry_server.py has.
"""

from __future__ import annotations

import http.client
import shutil
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from uv import find_uv_bin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ZUUL = "zuul-registry==1.3.0"
"""On the package index; https://opendev.org/zuul/zuul-registry."""

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
MAKERS = ("docker", "zuul", "crane")


def free_host() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"127.0.0.1:{free.getsockname()[1]}"


def answering(host: str) -> Callable[[], bool]:
    """Whether a registry answers, be it with a wish for a login."""

    def ask() -> bool:
        connection = http.client.HTTPConnection(host, timeout=1)
        try:
            connection.request("GET", "/v2/")
            return connection.getresponse().status in {200, 401}
        except OSError:
            return False
        finally:
            connection.close()

    return ask


@pytest.fixture(scope="session")
def cosign(big, need) -> str:
    """The path of cosign."""
    return _program("cosign", big, need)


@pytest.fixture(scope="session")
def crane(big, need) -> str:
    """The path of crane."""
    return _program("crane", big, need)


@pytest.fixture(scope="session")
def oras(big, need) -> str:
    """The path of oras."""
    return _program("oras", big, need)


def _program(name: str, big: Path, need) -> str:
    """This machine's program, else Debian's own, which is in newer suites only."""
    found = shutil.which(name) or _fetched(name, big / name)
    need(name, found is not None, f"no {name} on this machine, and none to be had from Debian's archive")
    return str(found)


def _fetched(name: str, folder: Path) -> str | None:
    """Unpack a program from the newest suite of the host's own mirror, without installing it."""
    mirror = next(
        (
            uri
            for path in Path("/etc/apt").glob("sources.list.d/*.sources")
            for line in path.read_text().splitlines()
            if line.startswith("URIs:")
            for uri in line.split()[1:]
            if uri.rstrip("/").endswith("/debian")
        ),
        None,
    )
    if mirror is None or not KEYRING.exists() or shutil.which("apt-get") is None:
        return None
    for part in ("lists/partial", "cache/archives/partial"):
        (folder / part).mkdir(parents=True)
    (folder / "sources.list").write_text(f"deb [signed-by={KEYRING}] {mirror} sid main\n")
    options = {
        "Dir::Etc::sourcelist": folder / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::lists": folder / "lists",
        "Dir::Cache": folder / "cache",
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
    }
    apt = ["apt-get", "-qq", *(f"-o{key}={value}" for key, value in options.items())]
    for command in (["update"], ["download", name]):
        if subprocess.run([*apt, *command], cwd=folder, capture_output=True, check=False).returncode:
            return None
    (package,) = folder.glob("*.deb")
    subprocess.run(["dpkg-deb", "-x", str(package), str(folder / "root")], check=True)
    program = folder / "root/usr/bin" / name
    # Built for a newer C library it may not run here.
    runs = subprocess.run([str(program), "--help"], capture_output=True, check=False).returncode == 0
    return str(program) if runs else None


@pytest.fixture(scope="session")
def zuul(big, _index) -> Path:
    """The path of zuul-registry, in an environment of its own."""
    folder = big / "zuul"
    uv = find_uv_bin()
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(folder)], check=True)
    install = [uv, "pip", "install", "--quiet", "--python", str(folder / "bin/python"), ZUUL]
    subprocess.run(install, check=True)
    return folder / "bin/zuul-registry"


@pytest.fixture(scope="session")
def zuul_at(zuul, serving, registry_of):
    """Run zuul-registry, which wants a login for writing, over a folder."""

    @contextmanager
    def run(folder: Path) -> Iterator[object]:
        host = free_host()
        folder.mkdir(exist_ok=True)
        login = ("tests", "hush-hush")
        (folder / "registry.yaml").write_text(
            f"registry:\n  address: 127.0.0.1\n  port: {host.rpartition(':')[2]}\n"
            f"  public-url: http://{host}\n  secret: secret\n  users:\n"
            f"  - {{name: {login[0]}, pass: {login[1]}, access: write}}\n"
            f"  storage: {{driver: filesystem, root: {folder}/data}}\n"
        )
        command = [str(zuul), "-c", str(folder / "registry.yaml"), "serve"]
        with serving("zuul-registry", command, folder / "log", answering(host)):
            yield registry_of(host, login)

    return run


@pytest.fixture(scope="session")
def crane_at(crane, serving, registry_of):
    """Run crane's registry over a folder."""

    @contextmanager
    def run(folder: Path) -> Iterator[object]:
        host = free_host()
        (folder / "data").mkdir(parents=True, exist_ok=True)
        command = [crane, "registry", "serve", "--address", host, "--disk", str(folder / "data")]
        with serving("crane", command, folder / "log", answering(host)):
            yield registry_of(host)

    return run


@pytest.fixture(scope="module", params=MAKERS)
def peer(request, tmp_path_factory):
    """Each of the registries in its turn; docker-registry and zuul-registry want a login."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "docker":
        running = request.getfixturevalue("registry_at")(folder, private=True)
    else:
        running = request.getfixturevalue(f"{request.param}_at")(folder)
    with running as served:
        yield served


def pytest_collection_modifyitems(items) -> None:
    """What needs another maker's registry has to fetch it."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and any(name in item.name for name in ("zuul", "crane", "oras")):
            item.add_marker(pytest.mark.network)
