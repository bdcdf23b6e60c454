"""Where the configuration stands: envfreeze.toml, or `[tool.envfreeze]` in pyproject.toml."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from envfreeze.errors import UsageError
from envfreeze.project.toml_file import read_toml
from envfreeze.project.validation import Written

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

OWN = "envfreeze.toml"
PYPROJECT = "pyproject.toml"


def find_configuration(root: Path) -> Path | None:
    """Find the file that holds the project's configuration; None where there is none yet.

    Raises:
        UsageError: pyproject.toml cannot be parsed.
        MachineError: it cannot be read.

    """
    if (root / OWN).exists():
        return root / OWN
    return root / PYPROJECT if _table(read_toml(root, PYPROJECT) or {}) is not None else None


def read_configuration(root: Path, pyproject: Mapping[str, Any]) -> Written | None:
    """Read the configuration; None where there is none.

    Args:
        root: the project's folder.
        pyproject: the content of its pyproject.toml; empty without one.

    Raises:
        UsageError: it cannot be parsed, or stands in both places.
        MachineError: it cannot be read.

    """
    own = read_toml(root, OWN)
    table = _table(pyproject)
    if table is not None and not isinstance(table, dict):
        raise UsageError(
            f"{PYPROJECT}: tool.envfreeze must be a table", hint="for example: [tool.envfreeze.image]"
        )
    if own and table:
        raise UsageError(
            f"the configuration stands in both {OWN} and [tool.envfreeze] of {PYPROJECT}",
            hint="move all of it to one of the two",
        )
    if table or own is None:
        return None if table is None else Written(PYPROJECT, "tool.envfreeze.", table)
    return Written(OWN, "", own)


def _table(pyproject: Mapping[str, Any]) -> Any:  # noqa: ANN401 - whatever the user wrote there
    tool = pyproject.get("tool")
    return tool.get("envfreeze") if isinstance(tool, dict) else None
