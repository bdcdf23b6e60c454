"""What every test stands on: a home of its own, and a way to say what it needs.

A test that needs a server or an engine asks for it by name:

    def test_docker_accepts_the_image(need: Need) -> None:
        need("docker", shutil.which("dockerd") is not None, "no dockerd on this machine")

On a machine without it the test is skipped with that reason. Where `ENVFREEZE_TEST_REQUIRE` (names with
commas between them, as `.ci/run` sets it) holds the name, the test fails instead: a CI that lost its
Docker must not stay green.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest
from uv import find_uv_bin

if TYPE_CHECKING:
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
        if name.startswith(("ENVFREEZE_", "GIT_")):
            monkeypatch.delenv(name)
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "PY_COLORS", "COLUMNS", "SOURCE_DATE_EPOCH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / ".cache"))
    monkeypatch.setenv("ENVFREEZE_CACHE", str(home / ".cache" / "envfreeze"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_TERMINAL_PROMPT", "0")
    return home


@pytest.fixture(scope="session")
def conda_channel() -> ModuleType:
    """Give the module `tests/conda_channel.py`, which makes conda packages and serves a channel of them."""
    name = "conda_channel"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


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
