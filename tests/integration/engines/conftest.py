"""Modern Docker engines for the tests, on a machine whose distribution may have an old one only.

A newer Debian suite is unpacked once into a folder that later sessions use again; daemons run from it, each
in a mount name space of its own, so that nothing is mounted on this machine and nothing is left when they
end. Only root can do that.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from envfreeze.locking.apt import mirrors

if TYPE_CHECKING:
    from collections.abc import Iterator

SUITES = ("forky", "trixie")
"""Suites of Debian with a Docker of today, the first that can be had is used."""

PACKAGES = (
    "docker.io",
    "docker-buildx",
    "docker-cli",
    "ca-certificates",
    "iptables",
    "podman",
    "buildah",
    "runc",
    "busybox-static",  # for images of the tests that run something
)

ROOTS = Path("/var/cache/envfreeze-tests")

CHROOT = """
set -e
mount --make-rprivate /
mount --bind "$ROOT" "$ROOT"
mount -t proc proc "$ROOT/proc"
mount --rbind /sys "$ROOT/sys"
mount --rbind /dev "$ROOT/dev"
mkdir -p "$ROOT$FOLDER"
mount --bind "$FOLDER" "$ROOT$FOLDER"
cp /etc/resolv.conf "$ROOT/etc/resolv.conf" 2>/dev/null || true
exec chroot "$ROOT" dockerd "$@"
"""


INSIDE = """\
#!/bin/sh
ROOT="{root}" exec unshare --mount sh -c '
mount --make-rprivate /
mount --bind "$ROOT" "$ROOT"
mount -t proc proc "$ROOT/proc"
mount --rbind /sys "$ROOT/sys"
mount --rbind /dev "$ROOT/dev"
mount --rbind "{shared}" "$ROOT{shared}"
exec chroot "$ROOT" "$@"' sh {program} "$@"
"""


@dataclass(frozen=True)
class Docker:
    """A daemon, and the programs of its version.

    Attributes:
        address: of the daemon, `unix:///…`.
        programs: folder with `docker`.
        configuration: the docker program's own folder, with buildx in it.

    """

    address: str
    programs: Path
    configuration: Path

    @property
    def environment(self) -> dict[str, str]:
        """What the docker program has to be told."""
        return {
            "DOCKER_HOST": self.address,
            "DOCKER_CONFIG": str(self.configuration),
            "PATH": f"{self.programs}:{os.environ['PATH']}",
        }

    def __call__(self, *arguments: str, code: int = 0) -> str:
        """Run `docker`; what it says."""
        done = subprocess.run(
            ["docker", *arguments],
            env=os.environ | self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, f"docker {' '.join(arguments)}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Have this test's process speak to it."""
        for name in ("DOCKER_CONTEXT", "BUILDX_BUILDER"):
            monkeypatch.delenv(name, raising=False)
        for name, value in self.environment.items():
            monkeypatch.setenv(name, value)


class Start(Protocol):
    """Starts a daemon that lasts as long as the session."""

    def __call__(self, name: str, *, containerd: bool = True) -> Docker: ...


@pytest.fixture(scope="session")
def modern(need) -> Path:
    """A root file system with a Docker of today."""
    need("modern-docker", os.geteuid() == 0, "only root can unpack a suite and chroot into it")
    need("modern-docker", shutil.which("mmdebstrap") is not None, "no mmdebstrap on this machine")
    need("modern-docker", shutil.which("unshare") is not None, "no unshare on this machine")
    ROOTS.mkdir(parents=True, exist_ok=True)
    said = ""
    with (ROOTS / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for suite in SUITES:
            root = ROOTS / suite
            if not root.exists():
                said = unpack(suite, root)
            if root.exists():
                return root
    need("modern-docker", False, f"no suite with a Docker of today can be had: {said[-2000:]}")
    raise AssertionError


def unpack(suite: str, root: Path) -> str:
    """Unpack a suite where its folder is not there yet; what mmdebstrap says of a failure."""
    sources = mirrors.host_sources(Path("/etc/apt"))
    roots = [one.uri for one in sources if one.uri.rstrip("/").endswith("/debian")]
    staged = root.with_name(f"{suite}.{os.getpid()}")
    command = [
        "mmdebstrap",
        "--variant=apt",
        f"--include={','.join(PACKAGES)}",
        '--aptopt=Acquire::Check-Valid-Until "false"',
        suite,
        str(staged),
        *roots[:1],
    ]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        shutil.rmtree(staged, ignore_errors=True)
        return done.stderr
    # crun, where it comes along, does not run in every container that the tests run in.
    (staged / "etc/containers").mkdir(exist_ok=True)
    (staged / "etc/containers/containers.conf").write_text('[engine]\nruntime = "runc"\n')
    staged.rename(root)
    return ""


@pytest.fixture(scope="session")
def busybox(modern: Path) -> Path:
    """A program that needs no library: a shell and its commands."""
    return modern / "usr/bin/busybox"


@pytest.fixture(scope="session")
def start(modern: Path, big: Path, serve) -> Iterator[Start]:
    programs = big / "modern-docker"
    for name, path in {
        "docker": "bin/docker",
        "plugins/docker-buildx": "libexec/docker/cli-plugins/docker-buildx",
    }.items():
        script(programs / name, modern, f"usr/{path}")
    with ExitStack() as stack:

        def call(name: str, *, containerd: bool = True) -> Docker:
            # Short: the path of a socket has 107 characters.
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=f"envfreeze-{name}-")))
            address = f"unix://{folder}/docker.sock"
            (folder / "daemon.json").write_text(
                f'{{"features": {{"containerd-snapshotter": {str(containerd).lower()}}}}}'
            )
            command = [
                *("unshare", "--mount", "sh", "-c", CHROOT, "sh"),
                f"--config-file={folder}/daemon.json",
                f"--data-root={folder}/data",
                f"--exec-root={folder}/exec",
                f"--pidfile={folder}/pid",
                f"--host={address}",
                *("--iptables=false", "--ip6tables=false", "--bridge=none"),
            ]
            configuration = folder / "client"
            shutil.copytree(programs / "plugins", configuration / "cli-plugins")
            (configuration / "config.json").write_text("{}")
            docker = Docker(address, programs, configuration)
            env = os.environ | {"ROOT": str(modern), "FOLDER": str(folder)}
            stack.enter_context(serve(name, command, folder / "log", lambda: answers(docker), env))
            return docker

        yield call


def script(path: Path, root: Path, program: str) -> None:
    """Write a script that runs a program of another root with that root's own libraries."""
    path.parent.mkdir(parents=True, exist_ok=True)
    loader, libraries = root / "lib64/ld-linux-x86-64.so.2", root / "usr/lib/x86_64-linux-gnu"
    if not loader.exists():
        loader, libraries = root / "lib/ld-linux-aarch64.so.1", root / "usr/lib/aarch64-linux-gnu"
    path.write_text(f'#!/bin/sh\nexec {loader} --library-path {libraries} {root}/{program} "$@"\n')
    path.chmod(0o755)


def answers(docker: Docker) -> bool:
    return (
        subprocess.run(
            ["docker", "info"], env=os.environ | docker.environment, capture_output=True, check=False
        ).returncode
        == 0
    )


@pytest.fixture(scope="session")
def one(start: Start) -> Docker:
    """A daemon with the containerd store."""
    return start("one")


@pytest.fixture(scope="session")
def two(start: Start) -> Docker:
    """Another such daemon, which has built nothing that the first has."""
    return start("two")


@pytest.fixture(scope="session")
def classic(start: Start) -> Docker:
    """A daemon with the classic store."""
    return start("classic", containerd=False)


@pytest.fixture
def docker(one: Docker, monkeypatch: pytest.MonkeyPatch) -> Docker:
    """The daemon that this test's process speaks to."""
    one.use(monkeypatch)
    return one


@pytest.fixture
def containers(modern: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Podman and Buildah of today, first on this test's PATH; the folder of the user's own images."""
    shared = tempfile.gettempdir()
    assert tmp_path.is_relative_to(shared)
    programs, images = tmp_path / "programs", tmp_path / "user"
    programs.mkdir()
    for name in ("podman", "buildah"):
        (programs / name).write_text(INSIDE.format(root=modern, shared=shared, program=f"/usr/bin/{name}"))
        (programs / name).chmod(0o755)
    (tmp_path / "storage.conf").write_text(
        f'[storage]\ndriver = "overlay"\ngraphroot = "{images}"\nrunroot = "{tmp_path}/user-run"\n'
    )
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(tmp_path / "storage.conf"))
    return images


class Folder(Protocol):
    """Writes a build folder."""

    def __call__(self, dockerfile: str, **files: str | bytes | Path) -> Path: ...


@pytest.fixture
def folder(tmp_path: Path, busybox: Path) -> Folder:
    """Write build folders; `RUN` has the commands of busybox where the Dockerfile begins with `BASE`."""
    made: list[Path] = []

    def write(dockerfile: str, **files: str | bytes | Path) -> Path:
        root = tmp_path / f"folder-{len(made)}"
        made.append(root)
        root.mkdir()
        if dockerfile.startswith("BASE\n"):
            shutil.copy(busybox, root / "busybox")
            dockerfile = BASE + dockerfile.removeprefix("BASE\n")
        (root / "Dockerfile").write_text(dockerfile)
        for name, content in files.items():
            path = root / name.replace("__", ".")
            if isinstance(content, Path):
                shutil.copy2(content, path)
            else:
                path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return root

    return write


BASE = """\
FROM scratch
COPY --chmod=0755 busybox /bin/busybox
RUN ["/bin/busybox", "sh", "-c", "/bin/busybox mkdir -p /tmp && /bin/busybox --install -s /bin"]
"""
