"""A channel on loopback, and projects that ask it for packages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from envfreeze.locking.conda import Wish
from envfreeze.project.load import load
from envfreeze.store.cache import Cache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import ModuleType

    from envfreeze.project.model import Project


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    with Cache.open(tmp_path / "cache") as opened:
        yield opened


@pytest.fixture
def wish(cache: Cache) -> Callable[..., Wish]:
    def make(**changes: Any) -> Wish:
        return Wish(cache, **changes)

    return make


@pytest.fixture
def channel(conda_channel: ModuleType, tmp_path: Path) -> Iterator[Any]:
    """A channel with two Pythons, two numpys and what they need, not indexed again after changes."""
    make = conda_channel.package
    with conda_channel.serve(tmp_path / "channel") as served:
        served.add(
            make("python", "3.12.4", "h0_0_cpython", depends=["__glibc >=2.17,<3.0.a0", "zlib"]),
            make("python", "3.11.9", "h0_0_cpython", depends=["__glibc >=2.17,<3.0.a0", "zlib"]),
            make("zlib", "1.3.1", "h1_0", constrains=["zlib-ng <2"], timestamp=1600000000000),
            make("numpy", "1.26.4", "py312_0", depends=["python >=3.11"], timestamp=1600000000000),
            make("numpy", "2.0.0", "py312_0", depends=["python >=3.12"], timestamp=1710000000000),
            make("six", "1.16.0", "pyh_0", noarch="python", depends=["python"]),
            make("gpu", "1.0", depends=["__cuda >=12"]),
            make("new-glibc", "1.0", depends=["__glibc >=2.99"]),
        )
        served.index()
        yield served


@pytest.fixture
def project(channel: Any, tmp_path: Path) -> Callable[..., Project]:
    """`project("numpy=1.26", conda="…", image="…")`: a project that asks for these specs."""

    def make(*specs: str, channels: str = "", conda: str = "", image: str = "", more: str = "") -> Project:
        root = tmp_path / "work"
        root.mkdir(exist_ok=True)
        lines = "".join(f"  - {spec}\n" for spec in specs)
        (root / "environment.yml").write_text(
            f"channels: [{channels or channel.url}]\ndependencies:\n{lines}{more}"
        )
        (root / "envfreeze.toml").write_text(f"[image]\n{image}\n[conda]\n{conda}\n")
        return load(root)

    return make
