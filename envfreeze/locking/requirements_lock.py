"""`requirements.lock.txt`: the wheels of one target for tools that read nothing newer.

`pip install --require-hashes -r requirements.lock.txt` is the reader
(https://pip.pypa.io/en/stable/topics/secure-installs/). envfreeze itself only writes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.locking import local
from envfreeze.locking.generated import HEADER

if TYPE_CHECKING:
    from pathlib import Path

    from envfreeze.locking.model import Target, Wheel


def render(target: Target, *, folder: Path | None) -> bytes:
    """Write a target's wheels, each with its hash.

    Args:
        target: whose wheels.
        folder: the project's; wheels in it are named by their path.

    """
    lines = [f"# For {target.platform}, Python {target.python_minor}, {target.manylinux}.\n"]
    lines += [f"{_requirement(wheel, folder)} \\\n    --hash={wheel.digest}\n" for wheel in target.wheels]
    return (HEADER + "".join(lines)).encode()


def _requirement(wheel: Wheel, folder: Path | None) -> str:
    path = local.relative(wheel.url, folder)
    if path is not None:
        return f"./{path}"  # pip takes `name @ url` for absolute URLs only
    # Where the project has several indexes, a reader must not look for the package on another one.
    if wheel.direct or wheel.index is not None or wheel.url.startswith("file:"):
        return f"{wheel.name} @ {wheel.url}"
    return f"{wheel.name}=={wheel.version}"
