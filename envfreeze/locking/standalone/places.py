"""Where a build of python-build-standalone is fetched from: its own address, and mirrors of it.

A mirror has the folders that the project's releases have, one for each date, as uv expects it of
`UV_PYTHON_INSTALL_MIRROR` (uv's documentation, "Environment variables"). One that the configuration names
stands in the lock; one of the environment is this machine's and is asked first.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envfreeze.locking.model import StandalonePython

MIRROR = "UV_PYTHON_INSTALL_MIRROR"
"""The environment variable that names a mirror."""

MIRRORS = f"name a mirror that has it: [image] python-mirror, or {MIRROR}"
"""What to do where a build cannot be had."""

INDEX = "UV_PYTHON_DOWNLOADS_JSON_URL"
"""The environment variable that names a list of builds."""


def at(mirror: str, build: str, filename: str) -> str:
    """The address of a build's file on a mirror."""
    return f"{mirror.rstrip('/')}/{build}/{quote(filename, safe='')}"


def urls(python: StandalonePython, environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Where a locked build is fetched from on this machine, in the order to try.

    Args:
        python: the build.
        environ: names a mirror; None: this process's environment.

    """
    mirror = (os.environ if environ is None else environ).get(MIRROR, "").strip()
    ours = (at(mirror, python.build, python.filename),) if mirror else ()
    return tuple(dict.fromkeys((*ours, *python.urls)))
