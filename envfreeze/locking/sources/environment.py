"""The environment that a build runs in: an interpreter and the locked wheels of its build requirements."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from envfreeze.errors import MachineError, ResolutionError
from envfreeze.locking import uv

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from envfreeze.digest import Digest
    from envfreeze.locking.model import Wheel
    from envfreeze.locking.sources.interpreter import Interpreter


def install(
    folder: Path, interpreter: Interpreter, wheels: Sequence[Wheel], files: Mapping[Digest, Path]
) -> Path:
    """Make a virtual environment with exactly these wheels; its interpreter.

    Nothing is resolved and nothing fetched: the files are those of the lock, and uv checks each hash again.

    Args:
        folder: does not exist yet.
        interpreter: what the environment runs.
        wheels: what is installed.
        files: digest of each wheel to its file.

    Raises:
        ResolutionError: a wheel does not fit this machine.
        MachineError: uv is missing or the disk refuses.

    """
    common = ["--no-config", "--offline", "--quiet", "--no-progress", "--color", "never", "--no-cache"]
    _run(
        [uv.binary(), "venv", *common, "--no-project", "--python", str(interpreter.path), str(folder)],
        "the build environment cannot be made",
    )
    python = folder / "bin" / "python"
    if wheels:
        # uv wants a wheel's own name; the cache names files by their digest.
        linked = folder / "wheels"
        linked.mkdir()
        lines = []
        for wheel in wheels:
            (linked / wheel.filename).symlink_to(files[wheel.digest])
            lines.append(f"{wheel.name} @ {(linked / wheel.filename).as_uri()} --hash={wheel.digest}\n")
        listed = folder / "requirements.txt"
        listed.write_text("".join(lines), encoding="utf-8")
        _run(
            [
                *(uv.binary(), "pip", "install", *common, "--python", str(python), "--no-deps", "--no-index"),
                *("--link-mode", "copy", "--require-hashes", "-r", str(listed)),
            ],
            "the build requirements cannot be installed",
        )
    return python


def _run(command: Sequence[str], what: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("UV_", "PIP_"))}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, env=environment
        )
    except OSError as error:
        raise MachineError(f"uv cannot be run ({command[0]}): {error.strerror}") from error
    if done.returncode != 0:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise ResolutionError(
            f"{what}: {(lines or ['uv said nothing'])[0].removeprefix('error: ')}", details=tuple(lines[1:4])
        )
