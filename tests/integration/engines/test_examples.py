"""The generated Dockerfiles of five projects: built by plain `docker build`, pinned throughout.

The image is the same on two daemons, and has the same packages as the one that the native engine assembles.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import envfreeze
from envfreeze.engines.docker.build import Buildx
from envfreeze.engines.driven import readback
from envfreeze.engines.driven.model import Request
from envfreeze.locking.apt import mirrors
from envfreeze.oci import layout
from envfreeze.oci.inflate import inflate
from envfreeze.progress import SILENT
from envfreeze.project.load import load
from envfreeze.store.cache import Cache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from envfreeze.engines.dockerfile import BuildFolder
    from envfreeze.locking.model import Lock
    from envfreeze.oci.image import Image

pytestmark = pytest.mark.network

EXAMPLES = Path(__file__).parents[3] / "examples"
NAMES = ("digits", "compiled-extension", "system-packages", "on-an-image", "conda")
MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"
SAID = {
    "digits": r"accuracy 0\.9\d+\nmodel sha256:[0-9a-f]{64}\n",
    "compiled-extension": r"slope 3\.0006\d+\nintercept 0\.9999\d+\n",
    "system-packages": r"git: 2\..*\ninit: tini\nuser: trainer\n",
    "on-an-image": r"centres sha256:[0-9a-f]{64}\n",
    "conda": rf"Python {re.escape(MINOR)}\.\d+ in /opt/conda\nzlib 1\..*\nrich .* in /opt/conda/lib/.*\n",
}
"""What each prints when it runs."""


@dataclass(frozen=True)
class Example:
    """An example that was locked, and its build folder."""

    name: str
    root: Path
    cache: Cache
    lock: Lock
    folder: BuildFolder

    @property
    def text(self) -> str:
        return self.folder.dockerfile.read_text()


@pytest.fixture(scope="module")
def cache(big: Path) -> Iterator[Cache]:
    with Cache.open(big / "cache-of-examples") as opened:
        yield opened


@pytest.fixture(scope="module")
def prepared(big: Path, one, registry, conda_channel, need) -> Iterator[Callable[[str], Path]]:
    """Copy an example, with peers on loopback in place of those that it names in the world."""
    with ExitStack() as stack:

        def prepare(name: str) -> Path:
            root = big / "examples" / name
            shutil.copytree(EXAMPLES / name, root)
            if name == "on-an-image":
                mirror(one, registry.host, root)
            if name == "conda":
                served = stack.enter_context(conda_channel.serve(big / "conda-channel"))
                repackage(conda_channel, served, root, need)
            return root

        yield prepare


@pytest.fixture(scope="module")
def example(prepared, cache: Cache, one, big: Path, _index) -> Callable[[str], Example]:
    """Lock an example once, and write its build folder."""
    made: dict[str, Example] = {}

    def call(name: str) -> Example:
        if name not in made:
            root = prepared(name)
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("HOME", str(big))
                one.use(patch)
                lock = envfreeze.lock(load(root), cache=cache).lock
                folder = envfreeze.dockerfile(
                    load(root), cache=cache, output=root.with_name(f"{name}-docker")
                )
            made[name] = Example(name, root, cache, lock, folder)
        return made[name]

    return call


def mirror(docker, host: str, root: Path) -> None:
    """Make `debian:trixie-slim`, push it to the registry, and have the project look for it there."""
    tar = root.with_name("trixie.tar")
    there = [one.uri for one in mirrors.host_sources(Path("/etc/apt"))]
    sources = [uri for uri in there if uri.rstrip("/").endswith("/debian")]
    subprocess.run(
        ["mmdebstrap", "--quiet", "--variant=minbase", "trixie", tar, *sources[:1]],
        check=True,
        capture_output=True,
    )
    name = f"{host}/hub/library/debian:trixie-slim"
    docker("import", "--change", 'CMD ["bash"]', str(tar), name)
    docker("push", name)
    text = (root / "envfreeze.toml").read_text()
    (root / "envfreeze.toml").write_text(f'{text}\n[registry]\nmirrors = {{ "docker.io" = "{host}/hub" }}\n')


LEFT_OUT = {"__pycache__", "ensurepip", "idlelib", "lib2to3", "site-packages", "test", "turtledemo"}


def repackage(conda_channel, served, root: Path, need) -> None:
    """Put the Python that runs the tests into the channel, and have the project take it from there."""
    prefix = Path(sys.base_prefix)
    room = len(str(prefix)) > len("/opt/conda") and (prefix / f"bin/python{MINOR}").exists()
    need("relocatable python", room, f"the Python in {prefix} cannot be moved to /opt/conda")
    library = prefix / f"lib/python{MINOR}"
    sources = [prefix / f"bin/python{MINOR}", *sorted(prefix.glob("lib/libpython*"))]
    sources += sorted(
        path
        for path in library.rglob("*")
        if not LEFT_OUT & set(path.relative_to(library).parts) and not path.is_dir()
    )
    paths = {name: conda_channel.Item(symlink=f"python{MINOR}") for name in ("bin/python", "bin/python3")}
    for path in sources:
        name = str(path.relative_to(prefix))
        if path.is_symlink():
            paths[name] = conda_channel.Item(symlink=str(path.readlink()))
            continue
        content = path.read_bytes()
        mode = None
        # A linker may have stored the version as the tail of the prefix: of binaries only the program's
        # search path is replaced.
        if str(prefix).encode() in content and (b"\0" not in content or name.startswith("bin/")):
            mode = "binary" if b"\0" in content else "text"
        executable = 0o755 if path.stat().st_mode & 0o100 else 0o644
        paths[name] = conda_channel.Item(content, executable, prefix=mode, placeholder=str(prefix))
    version = ".".join(map(str, sys.version_info[:3]))
    served.add(conda_channel.package("python", version, "real_0", paths=paths, depends=["zlib"]))
    served.add(next(one for one in conda_channel.every_kind() if one.index["name"] == "zlib"))
    served.index()
    text = (root / "environment.yml").read_text()
    text = text.replace("conda-forge", served.url).replace("python=3.12", f"python={MINOR}")
    (root / "environment.yml").write_text(text)
    text = (root / "envfreeze.toml").read_text()
    release = dict(
        line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line
    )
    packages = ", ".join(f'"{name}"' for name in sorted(owners(prefix, library)))
    (root / "envfreeze.toml").write_text(
        text.replace(
            "[image]\n",
            f'[image]\nbase = "apt:debian/{release["VERSION_CODENAME"]}"\npackages = [{packages}]\n',
        )
    )


def owners(prefix: Path, library: Path) -> set[str]:
    """The OS packages of the libraries that a Python needs, beside those that every base has."""
    built = [prefix / f"bin/python{MINOR}", *(library / "lib-dynload").glob("*.so")]
    wanted = [path for path in built if not path.name.startswith(("_tkinter", "_test", "nis"))]
    said = subprocess.run(["ldd", *wanted], capture_output=True, text=True, check=True).stdout
    paths = set(re.findall(r"(?:=> |^\t)(/[^ ]+) \(0x", said, re.MULTILINE))
    found = set()
    for path in paths:
        real = os.path.realpath(path)
        for candidate in {path, real, real.removeprefix("/usr")}:
            owner = subprocess.run(["dpkg", "-S", candidate], capture_output=True, text=True, check=False)
            found |= set(re.findall(r"^([a-z0-9.+-]+)", owner.stdout))
    return found - {"libc6", "diversion"}


@pytest.mark.parametrize("name", NAMES)
def test_plain_docker_builds_it_and_it_runs(name, example, one):
    made = example(name)
    one("build", "--quiet", "--tag", f"example-{name}", str(made.folder.path))
    said = one("run", "--rm", "--network=none", f"example-{name}")
    assert re.fullmatch(SAID[name], said), said


@pytest.mark.parametrize("name", NAMES)
def test_all_that_it_takes_is_pinned(name, example, dockerfile_lint):
    made = example(name)
    counts = dockerfile_lint.lint(made.text)
    assert counts.loose == []
    assert counts.open_steps == []
    assert bool(counts.images) == (name == "on-an-image")
    assert bool(counts.packages) == (name == "on-an-image")
    assert len(counts.installs) == 1


@pytest.mark.parametrize("name", NAMES)
def test_its_folder_is_what_it_says(name, example):
    folder = example(name).folder.path
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"],
        cwd=folder,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@pytest.fixture
def built(tmp_path: Path, monkeypatch) -> Callable[..., Image]:
    """Build a folder with a daemon's BuildKit; the image that comes out."""

    def call(made: Example, daemon) -> Image:
        daemon.use(monkeypatch)
        into = tmp_path / f"into-{daemon.address.rpartition('-')[2].replace('/', '-')}"
        into.mkdir()
        request = Request(made.folder.path, "Dockerfile", made.folder.platforms)
        found = Buildx().build(request, into, logs=tmp_path / "logs", progress=SILENT)
        base = {
            layer.diff_id for target in made.lock.targets if target.image for layer in target.image.layers
        }
        readback.check(found.images, program="docker", base=frozenset(base))
        return found.images[0]

    return call


@pytest.mark.parametrize("name", NAMES)
def test_it_is_the_native_engine_s_packages_on_every_daemon(name, example, built, one, two, tmp_path):
    made = example(name)
    first, second = (built(made, daemon) for daemon in (one, two))
    assert first.digest == second.digest

    native = envfreeze.build(
        load(made.root), cache=made.cache, output=tmp_path / "native", record=False
    ).images[0]
    layout.write(first, tmp_path / "docker")
    report = envfreeze.diff(
        str(tmp_path / "native"), str(tmp_path / "docker"), root=made.root, cache=made.cache
    )
    assert [one for one in report.verdict.findings if one.package is not None] == []

    ours, theirs = tree(native), tree(first)
    of_packages = {path for path in ours if path.startswith(("opt/venv/", "opt/conda/"))}
    assert of_packages
    assert {path: theirs.get(path) for path in of_packages} == {path: ours[path] for path in of_packages}
    if not made.lock.targets[0].image:
        # Where all is locked and nothing is run, all of the file system is the same, down to the times.
        more = {"app"} if "app" not in ours else set()
        more |= {"home/trainer"} if name == "system-packages" else set()
        changed = {"etc/passwd", "etc/group", "etc/shadow", "home"} if name == "system-packages" else set()
        assert {
            path for path in ours.keys() | theirs.keys() if ours.get(path) != theirs.get(path)
        } <= more | changed


def tree(image: Image) -> dict[str, tuple[object, ...]]:
    """The file system of an image: type, mode, owner, time and content of every path."""
    found: dict[str, tuple[object, ...]] = {}
    for layer in image.layers:
        with (
            layer.open() as blob,
            inflate(blob, layer.media_type) as stream,
            tarfile.open(fileobj=stream, mode="r|") as tar,
        ):
            for member in tar:
                path = member.name.removeprefix("./").strip("/")
                folder, _, last = path.rpartition("/")
                if last.startswith(".wh."):
                    gone = f"{folder}/{last.removeprefix('.wh.')}".strip("/")
                    found = {
                        one: what
                        for one, what in found.items()
                        if one != gone and not one.startswith(f"{gone}/")
                    }
                    continue
                if member.islnk():
                    found[path] = found[member.linkname.removeprefix("./").strip("/")]
                    continue
                reader = tar.extractfile(member) if member.isreg() else None
                content = hashlib.sha256(reader.read()).hexdigest() if reader else member.linkname
                mode = 0 if member.issym() else member.mode
                found[path] = (member.type, mode, member.uid, member.gid, int(member.mtime), content)
    return found
