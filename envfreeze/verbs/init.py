"""`init`: a first configuration for a folder, made from what is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.errors import MachineError
from envfreeze.project.template import find_configuration, template

if TYPE_CHECKING:
    from pathlib import Path

FILE = "envfreeze.toml"


def init(root: Path) -> Path | None:
    """Write `envfreeze.toml` into a folder.

    Returns:
        The file; None where the folder has a configuration, which is left as it is.

    Raises:
        UsageError: the folder holds nothing that could be locked.
        MachineError: the folder cannot be written.

    """
    if find_configuration(root) is not None:
        return None
    path = root / FILE
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(template(root))
    except OSError as error:
        raise MachineError(f"{path} cannot be written: {error.strerror}") from error
    return path
