"""The lock file of another tool that the packages are taken from, instead of being resolved.

It is named by `[pip] lock`, or on the command line by `envfreeze lock --from`, which `envfreeze.lock` then
remembers among its inputs, or it is found where nothing else says which packages are wanted.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envfreeze.errors import MachineError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

ENVIRONMENT = "<environment>"
"""Stands for an environment where a lock file would be named."""

POETRY = "<tool.poetry>"
"""Name of the input that holds `[tool.poetry]`: older poetry.lock files need it."""

USUAL = ("uv.lock", "poetry.lock", "Pipfile.lock", "pixi.lock")
"""Lock files that are found without configuration, in this order."""

_LOCK = "envfreeze.lock"
_REMEMBERED = re.compile(
    rb'^"<from (?P<file>[^"\\\n]+)>" = |^"(?P<environment><environment>)" = ', re.MULTILINE
)
_OWN = re.compile(
    r"(?:envfreeze\.lock|conda-lock\.yml|pylock(?:\.linux-\w+)?\.toml|requirements(?:\.linux-\w+)?\.lock\.txt)"
)


def remembered(root: Path) -> str | None:
    """Give what the last lock was taken from by the command line's wish; None: nothing.

    Raises:
        MachineError: the lock cannot be read.

    """
    try:
        content = (root / _LOCK).read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except OSError as error:
        raise MachineError(f"{root / _LOCK} cannot be read: {error.strerror}") from error
    found = _REMEMBERED.search(content.partition(b"\n[image]\n")[0])
    if found is None:
        return None
    return (found["file"] or found["environment"]).decode("utf-8", "replace")


def note_of(name: str) -> dict[str, bytes]:
    """Give the input by which `envfreeze.lock` remembers what the command line named."""
    return (
        {ENVIRONMENT: b"environment\n"} if name == ENVIRONMENT else {f"<from {name}>": f"{name}\n".encode()}
    )


def check_name(name: str) -> None:
    """Refuse a lock file that stands where envfreeze writes its own.

    Raises:
        UsageError: it does.

    """
    if _OWN.fullmatch(name):
        stem, _, ending = name.partition(".")
        raise UsageError(
            f"{name} is where envfreeze writes its own, so it cannot be what is taken",
            hint=f"give it another name: `mv {name} {stem}.source.{ending}`",
        )
