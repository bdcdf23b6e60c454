"""The lock determines the digest: nothing of the machine, the moment or the order of things moves it.

Every build here starts from the one lock that `digits` made, in a copy of the project and with a cache of
its own that holds no layer, so that every byte is made again.
"""

from __future__ import annotations

import http.server
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from uv import find_uv_bin

from envfreeze.locking import files
from envfreeze.replacing import replace
from envfreeze.store.cache import Cache

pytestmark = pytest.mark.network

CHECKOUT = Path(__file__).parents[2]
LONGEST_DELAY = 0.3
"""Seconds that the mirror may wait before it answers."""


@pytest.fixture
def own_cache(big):
    """A cache of the test's own, gone when it ends."""
    folder = big / "own-cache"
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def artifacts(digits, own_cache):
    """A cache with every artifact, and nothing made of them."""
    digits.copy_artifacts(own_cache, digits.artifacts())
    return own_cache


def build(envfreeze, root: Path, cache: Path, *options: str, **surroundings) -> str:
    """Build in a folder; the digest. Nothing was ready-made."""
    output = root / "image"
    arguments = ("build", "--no-record", "--output", str(output), *options)
    ended = envfreeze.end(*arguments, at=root, cache=cache, **surroundings)
    assert ended.code == 0, ended.err
    assert ", 0 reused" in ended.err
    return ended.out.strip()


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_umask(digits, envfreeze, artifacts, tmp_path, umask):
    root = digits.copy(tmp_path / "project")
    # A checkout under this umask has other modes, too.
    for path in root.iterdir():
        path.chmod(0o666 & ~umask)
    assert build(envfreeze, root, artifacts, umask=umask) == digits.digest


@pytest.mark.parametrize(
    "variables",
    [
        {"TZ": "Asia/Kathmandu", "LC_ALL": "tr_TR.UTF-8", "LANGUAGE": "tr", "PYTHONHASHSEED": "4711"},
        {"TZ": "America/St_Johns", "LC_ALL": "C", "PYTHONUTF8": "0", "SOURCE_DATE_EPOCH": "1"},
    ],
    ids=["far east", "far west"],
)
def test_environment(digits, envfreeze, artifacts, tmp_path, variables):
    root = digits.copy(tmp_path / "project")
    assert build(envfreeze, root, artifacts, env=variables) == digits.digest


def test_home(digits, envfreeze, artifacts, tmp_path):
    root = digits.copy(tmp_path / "project")
    home = {"HOME": str(tmp_path / "nobody"), "XDG_CACHE_HOME": "", "XDG_CONFIG_HOME": "", "USER": "nobody"}
    assert build(envfreeze, root, artifacts, env=home) == digits.digest


def test_working_directory(digits, envfreeze, artifacts, tmp_path):
    root = digits.copy(tmp_path / "a project, übermäßig")
    assert build(envfreeze, root, artifacts) == digits.digest
    elsewhere = ("-C", str(root), "build", "--no-record", "--output", str(tmp_path / "image"))
    assert envfreeze(*elsewhere, at=Path("/"), cache=artifacts) == digits.digest


def test_times_of_the_project_s_files(digits, envfreeze, artifacts, tmp_path):
    root = digits.copy(tmp_path / "project")
    for path in root.iterdir():
        os.utime(path, (1, 1))
    assert build(envfreeze, root, artifacts) == digits.digest


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_number_of_workers(digits, envfreeze, artifacts, tmp_path, workers):
    root = digits.copy(tmp_path / "project")
    assert build(envfreeze, root, artifacts, "--workers", str(workers)) == digits.digest


# The state of the cache: `digits` began with an empty one; the tests above had every artifact and no layer.


def test_a_warm_cache(digits, envfreeze, tmp_path):
    root = digits.copy(tmp_path / "project")
    ended = envfreeze.end("build", "--no-record", at=root)
    assert ended.out.strip() == digits.digest
    assert "0 layers built" in ended.err


def test_a_cache_that_lost_some_layers(digits, envfreeze, artifacts, tmp_path):
    root = digits.copy(tmp_path / "project")
    assert build(envfreeze, root, artifacts) == digits.digest
    lost = random.Random(1).sample(list(digits.image.layers), 5)
    for layer in lost:
        Cache.open(artifacts).find(layer.digest).unlink()
    ended = envfreeze.end("build", "--no-record", "--offline", at=root, cache=artifacts)
    assert ended.out.strip() == digits.digest
    assert "layers built" in ended.err
    assert "0 layers built" not in ended.err


class Mirror(http.server.ThreadingHTTPServer):
    """Serves artifacts by the last part of their names, each after a wait of its own."""

    daemon_threads = True

    def __init__(self, files: dict[str, Path], seed: int) -> None:
        super().__init__(("127.0.0.1", 0), Waiting)
        self.files = files
        self.seed = seed
        self.order: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Waiting(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Mirror

    def do_GET(self) -> None:
        name = unquote(urlsplit(self.path).path).rpartition("/")[2]
        time.sleep(random.Random(f"{self.server.seed} {name}").uniform(0, LONGEST_DELAY))
        content = self.server.files[name].read_bytes()
        self.server.order.append(name)
        self.send_response(http.HTTPStatus.OK)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


@contextmanager
def mirror(digits, seed: int):
    store = Cache.open(digits.cache)
    with Mirror({name: store.find(digest) for digest, name in digits.artifacts().items()}, seed) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def point_to(mirror: Mirror, root: Path) -> None:
    """Write the lock anew with every file at the mirror and no other change."""
    lock = files.read(root)
    targets = [
        replace(
            target,
            wheels=tuple(
                replace(wheel, url=f"{mirror.url}/wheels/{wheel.filename}") for wheel in target.wheels
            ),
            base=replace(
                target.base,
                archives=tuple(
                    replace(archive, locations=(f"{mirror.url}/{archive.name}",))
                    for archive in target.base.archives
                ),
            ),
        )
        for target in lock.targets
    ]
    files.write(replace(lock, targets=tuple(targets)), root)


@pytest.mark.parametrize("half", [False, True], ids=["all of them", "half of them"])
def test_order_and_place_of_downloads(digits, envfreeze, big, tmp_path, half):
    direct = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    orders = []
    for seed in (1, 2):
        root = digits.copy(tmp_path / f"project-{seed}")
        cache = big / f"cache-{seed}"
        known = random.Random(seed).sample(sorted(digits.artifacts()), len(digits.artifacts()) // 2)
        if half:
            digits.copy_artifacts(cache, known)
        with mirror(digits, seed) as server:
            point_to(server, root)
            assert build(envfreeze, root, cache, env=direct) == digits.digest
        assert len(server.order) == len(digits.artifacts()) - (len(known) if half else 0)
        orders.append(server.order)
        shutil.rmtree(cache)
    assert orders[0] != orders[1]


# Other Pythons on the host


def other_pythons() -> list[Path]:
    """Further interpreters of this machine that envfreeze runs on, one for each minor version."""
    minors = [minor for minor in range(11, 16) if minor != sys.version_info.minor]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = []
    for minor in minors:
        name = f"python3.{minor}"
        candidates = [shutil.which(name), *pyenv.glob(f"versions/3.{minor}.*/bin/{name}")]
        found += [Path(path) for path in candidates if path is not None and runs(path, minor)][:1]
    return found


def runs(python: str | Path, minor: int) -> bool:
    """Whether it is what its name says; a pyenv shim may be there for a version that is not."""
    code = f"import sys, venv; sys.exit(sys.version_info[:2] != (3, {minor}))"
    return subprocess.run([python, "-c", code], capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="session")
def other_envfreezes(need, big):
    """This checkout, installed for other Pythons of the machine."""
    pythons = other_pythons()
    need("other-python", bool(pythons), "no second Python from 3.11 on this machine")
    index = {"UV_DEFAULT_INDEX": os.environ["PIP_INDEX_URL"]} if os.environ.get("PIP_INDEX_URL") else {}
    programs = []
    for python in pythons:
        folder = big / f"venv-{python.name}"
        uv = [find_uv_bin(), "--quiet"]
        subprocess.run([*uv, "venv", "--python", str(python), str(folder)], check=True)
        install = [*uv, "pip", "install", "--python", str(folder / "bin/python"), str(CHECKOUT)]
        subprocess.run(install, env=index | os.environ, check=True)
        programs.append(folder / "bin" / "envfreeze")
    return programs


def test_python_of_the_host(digits, envfreeze, other_envfreezes, big, tmp_path):
    for program in other_envfreezes:
        name = program.parent.parent.name
        root = digits.copy(tmp_path / name)
        cache = big / f"cache-{name}"
        digits.copy_artifacts(cache, digits.artifacts())
        assert build(envfreeze, root, cache, program=(str(program),)) == digits.digest, name
        shutil.rmtree(cache)


def test_a_second_lock_of_the_same_inputs_changes_no_byte(digits, envfreeze, tmp_path):
    root = digits.copy(tmp_path / "project")
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in root.iterdir()}
    assert envfreeze("lock", at=root, env={"TZ": "Asia/Tokyo"}, umask=0o077) == "unchanged"
    assert before == {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in root.iterdir()}


def test_resolving_does_not_look_at_the_host(digits, envfreeze, other_envfreezes, tmp_path):
    """A lock made from nothing by another Python in another home is the same lock."""
    root = tmp_path / "project"
    root.mkdir()
    for name in ("envfreeze.toml", "requirements.in", "train.py"):
        shutil.copy(digits.root / name, root)
    home = {"HOME": str(tmp_path / "nobody"), "XDG_CACHE_HOME": "", "TZ": "Pacific/Chatham", "LC_ALL": "C"}
    envfreeze("lock", at=root, cache=tmp_path / "cache", program=(str(other_envfreezes[-1]),), env=home)
    assert without_moments(files.read(root)) == without_moments(digits.lock)


def without_moments(lock):
    """A lock without the indexes' dates: an archive may publish while the tests run."""
    bases = [replace(target.base, indexes=(), archives=()) for target in lock.targets]
    targets = [replace(target, base=base) for target, base in zip(lock.targets, bases, strict=True)]
    return replace(lock, targets=tuple(targets))
