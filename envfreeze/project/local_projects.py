"""The local projects that requirements name (`-e .`, `./pkg`, `name @ file:///…`), as inputs of the lock."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from envfreeze.errors import UsageError
from envfreeze.project import places
from envfreeze.project.requirements import local, logical_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_PROJECTS = ("pyproject.toml", "setup.py")


def local_projects(root: Path, dependencies: Sequence[str], files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Give what local projects hold, so that a lock is made anew when a file in one changes.

    Args:
        root: the project's folder, resolved.
        dependencies: PEP 508 requirements.
        files: requirements and constraints files by path.

    Returns:
        `<folder PATH>` to the listing of its files (`folders.listing`); PATH is relative to the project.

    Raises:
        UsageError: a folder does not exist, lies outside the project or is no Python project; a file that is
            named does not exist or lies outside.
        MachineError: a file cannot be read.

    """
    found: dict[str, bytes] = {}
    for where, line in _lines(dependencies, files):
        named = local(line)
        if named is None:
            continue

        def blame(problem: str, where: str = where, path: str = named.path) -> UsageError:
            return UsageError(
                f"{where}: {path} {problem}",
                hint="a lock is made of the project's own files: copy it into the project",
            )

        if named.path.endswith(".whl"):
            continue  # a wheel has a hash of its own, and may lie outside
        if "${" in named.path or named.path.startswith("~"):
            raise blame("depends on who reads it")
        path = places.inside(root, Path(os.path.normpath(root / named.path)), blame)
        if not path.is_dir():
            continue  # an sdist
        if not any((path / name).is_file() for name in _PROJECTS):
            raise UsageError(
                f"{where}: {named.path} has neither pyproject.toml nor setup.py: it cannot be built"
            )
        relative = path.relative_to(root).as_posix()
        from envfreeze.project import folders  # noqa: PLC0415 - heavy

        found[f"<folder {relative}>"] = folders.listing(path)
    return found


def _lines(dependencies: Sequence[str], files: Mapping[str, bytes]) -> Iterator[tuple[str, str]]:
    for line in dependencies:
        yield "the project's dependencies", line
    for name, content in files.items():
        for number, line in logical_lines(content.decode("utf-8-sig")):
            if not line.startswith("-") or line.startswith(("-e", "--editable")):
                yield f"{name}, line {number}", line
