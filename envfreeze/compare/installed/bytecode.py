"""Modules that Python has compiled (PEP 3147)."""

from __future__ import annotations


def is_compiled(path: str) -> bool:
    """Whether a path is where Python puts what it has compiled of a module."""
    return path.endswith(".pyc") and path.rpartition("/")[0].endswith("__pycache__")


def source_of(path: str) -> str:
    """The module that a file in `__pycache__` was compiled from."""
    folder, _, name = path.rpartition("/")
    above = folder.rpartition("/")[0]
    module = name.partition(".")[0]
    return f"{above}/{module}.py" if above else f"{module}.py"
