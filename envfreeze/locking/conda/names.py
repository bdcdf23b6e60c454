"""The names of Python distributions in conda packages without metadata: the shipped map, `names.toml`."""

from __future__ import annotations

import functools
from importlib import resources
from typing import TYPE_CHECKING

import tomli
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Mapping


@functools.cache
def shipped() -> Mapping[str, str]:
    """Conda package to the normalised name of its distribution, where the two differ."""
    text = (resources.files(__package__ or "") / "names.toml").read_text("utf-8")
    return {conda: canonicalize_name(name) for conda, name in tomli.loads(text)["names"].items()}
