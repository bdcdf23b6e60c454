"""The envfreeze.toml that a project starts from: what applies to its folder, as comments to uncomment.

As it is written it changes nothing, except where the folder cannot be read without it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from envfreeze.project.configuration import PYPROJECT, find_configuration
from envfreeze.project.packages import USUAL
from envfreeze.project.toml_file import read_toml

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["find_configuration", "template"]

_HEAD = """\
# What envfreeze freezes. Every key has a default: uncomment what should differ.
# `envfreeze schema` prints all keys.

[image]
# base = "apt:debian/trixie"      # a suite to assemble the base from, or an image of a registry
# python = "3.13"                 # the suite's own without it
# packages = ["git"]              # OS packages
"""

_TAIL = """\

[gpu]
# driver = ">=550.54"             # the oldest NVIDIA driver of the machines that it shall run on
# gpus = ["A100"]                 # and their GPUs

[entropy]
# seed = 0                        # sets PYTHONHASHSEED and the other variables that make runs repeatable
"""

_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_FOUND_BY_NAME = re.compile(r"(?:.*[-_.])?(?:requirements|reqs)(?:[-_.].*)?\.(?:txt|in)")
_NOT_THE_PROJECT = {"setup.py", "conftest.py", "noxfile.py"}


def template(root: Path) -> str:
    """Write an envfreeze.toml for a project's folder.

    Args:
        root: the folder; its requirements files, pyproject.toml and Python files are looked at.

    Raises:
        UsageError: pyproject.toml cannot be parsed.
        MachineError: it, or the folder, cannot be read.

    """
    return _HEAD + _image(root) + "\n[pip]\n" + _pip(root) + _TAIL


def _image(root: Path) -> str:
    scripts = [
        path.name
        for path in sorted(root.glob("*.py"))
        if path.is_file() and _PLAIN.fullmatch(path.name) and path.name not in _NOT_THE_PROJECT
    ]
    folders = ["src/"] if (root / "src").is_dir() else []
    text = f"# include = {_list([*folders, *scripts] or ['train.py'])}   # project files to copy in\n"
    script = "train.py" if "train.py" in scripts or not scripts else scripts[0]
    return text + f'# cmd = ["python", "{script}"]\n'


def _pip(root: Path) -> str:
    pyproject = read_toml(root, PYPROJECT) or {}
    project = pyproject.get("project")
    project = project if isinstance(project, dict) else None
    named = [name for name in _requirements_files(root) if name not in USUAL]
    usual = [name for name in USUAL if (root / name).is_file()]
    if project is not None and "dependencies" in project:
        text = f"# The packages are [project.dependencies] of {PYPROJECT}.\n"
    elif _is_dynamic(project):
        # Without this line the folder cannot be read.
        text = f"requirements = {_list((usual or named)[:1] or ['requirements.txt'])}\n"
    elif usual:
        text = f"# requirements = {_list(usual[:1])}\n"
    elif len(named) == 1:
        text = f"requirements = {_list(named)}\n"
    else:
        text = f"# requirements = {_list(named or ['requirements.txt'])}\n"
    return (
        text
        + _choices(project or {}, pyproject)
        + "# exclude-newer = 2026-01-31      # no file newer than that\n"
    )


def _is_dynamic(project: Mapping[str, Any] | None) -> bool:
    dynamic = (project or {}).get("dynamic")
    return isinstance(dynamic, list) and "dependencies" in dynamic


def _choices(project: Mapping[str, Any], pyproject: Mapping[str, Any]) -> str:
    text = ""
    for key, table in (
        ("extras", project.get("optional-dependencies")),
        ("groups", pyproject.get("dependency-groups")),
    ):
        names = [name for name in table if _PLAIN.fullmatch(name)] if isinstance(table, dict) else []
        if names:
            text += f"# {key} = {_list(names)}\n"
    return text


def _requirements_files(root: Path) -> list[str]:
    here = [path.name for path in root.glob("*") if _FOUND_BY_NAME.fullmatch(path.name)]
    below = [
        f"requirements/{path.name}" for path in root.glob("requirements/*") if path.suffix in {".txt", ".in"}
    ]
    return sorted(
        name
        for name in here + below
        if (root / name).is_file()
        and _PLAIN.fullmatch(name.removeprefix("requirements/"))
        and not name.endswith(".lock.txt")  # written by envfreeze itself
    )


def _list(values: Iterable[str]) -> str:
    return "[" + ", ".join(f'"{value}"' for value in values) + "]"
