"""`requirements.lock.txt`: the wheels of one target for tools that read nothing newer.

`pip install --require-hashes -r requirements.lock.txt` is the reader
(https://pip.pypa.io/en/stable/topics/secure-installs/). envfreeze itself only writes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.locking import local
from envfreeze.locking.generated import HEADER
from envfreeze.replacing import replace

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
    lines += [_line(wheel, folder) for wheel in target.wheels]
    return (HEADER + "".join(lines)).encode()


def _line(wheel: Wheel, folder: Path | None) -> str:
    source = wheel.source
    if source is None:
        return f"{_requirement(wheel, folder)} \\\n    --hash={wheel.digest}\n"
    if source.kind in {"git", "directory"}:
        # pip checks no hash of either, and with --require-hashes refuses both.
        at = f"git+{source.url}@{source.commit}" if source.kind == "git" else f"./{source.url}"
        at += f"#subdirectory={source.subdirectory}" if source.subdirectory else ""
        return f"# {wheel.name} is built from {at}, which pip has no hash for: install it with --no-deps.\n"
    of_file = replace(wheel, source=None, digest=source.digest)
    return f"{_requirement(of_file, folder)} \\\n    --hash={source.digest}\n"


def _requirement(wheel: Wheel, folder: Path | None) -> str:
    path = local.relative(wheel.url, folder)
    if path is not None:
        return f"./{path}"  # pip takes `name @ url` for absolute URLs only
    # Where the project has several indexes, a reader must not look for the package on another one.
    if wheel.direct or wheel.index is not None or wheel.url.startswith("file:"):
        return f"{wheel.name} @ {wheel.url}"
    return f"{wheel.name}=={wheel.version}"
