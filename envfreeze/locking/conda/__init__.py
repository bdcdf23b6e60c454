"""The conda side: from an environment file's specs to locked packages, and what they provide to Python.

A pipeline: the channels (`channels`), what the target's system is (`virtual`), the solution (`resolution`,
with its errors in `failures`), what lies in the packages (`contents`), the Python distributions among them
(`names`, `provided`), all of it for a target (`target`), and `conda-lock.yml` (`lockfile`, with what
conda-lock itself says of it in `judged`).

The functions are loaded when they are first used: a project without conda packages does not pay for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from envfreeze.locking.conda.channels import authenticate
    from envfreeze.locking.conda.resolution import Wish, python_of, resolve
    from envfreeze.locking.conda.target import Side, check_once, names_python, side

LOCK_NAME: Final = "conda-lock.yml"

_MODULES = {
    "Side": "target",
    "Wish": "resolution",
    "authenticate": "channels",
    "check_once": "target",
    "names_python": "target",
    "python_of": "resolution",
    "resolve": "resolution",
    "side": "target",
}

__all__ = [
    "LOCK_NAME",
    "Side",
    "Wish",
    "authenticate",
    "check_once",
    "names_python",
    "python_of",
    "resolve",
    "side",
]


def __getattr__(name: str) -> object:
    import importlib  # noqa: PLC0415 - only when a function is asked for

    if name not in _MODULES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
