"""A registry on loopback, and a connection to registries that does not wait long."""

from __future__ import annotations

import json

import pytest

from envfreeze.oci.platform import Platform
from envfreeze.oci.registry import Registries
from envfreeze.store.cache import Cache
from envfreeze.store.retry import Retry

AMD64 = Platform("linux", "amd64")


@pytest.fixture(autouse=True)
def _nobody_is_logged_in(monkeypatch, tmp_path):
    for name in ("DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "ENVFREEZE_REGISTRY_MIRRORS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.fixture
def registry(registry_server):
    with registry_server.serve() as served:
        yield served


@pytest.fixture
def connect():
    """Connect, with an environment and mirrors."""
    opened = []

    def call(mirrors=None, **environ):
        made = Registries(
            mirrors=mirrors, environ=environ, retry=Retry(attempts=3, first=0.01, longest=0.02, patience=2)
        )
        opened.append(made)
        return made

    yield call
    for one in opened:
        one.close()


@pytest.fixture
def cache(tmp_path):
    with Cache.open(tmp_path / "cache") as opened:
        yield opened


@pytest.fixture
def docker_config(tmp_path):
    """Write a config.json; gives the environment that names it."""

    def write(document):
        folder = tmp_path / "docker"
        folder.mkdir(exist_ok=True)
        (folder / "config.json").write_text(json.dumps(document))
        return {"DOCKER_CONFIG": str(folder)}

    return write
