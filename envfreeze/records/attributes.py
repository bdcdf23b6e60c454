"""Telling git how a committed file of records is merged: all lines of both sides, by its driver `union`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.errors import MachineError

if TYPE_CHECKING:
    from pathlib import Path

    from envfreeze.records.git import Repository

_ATTRIBUTES = ".gitattributes"


def merge_by_lines(repository: Repository, file: Path) -> bool:
    """See to it that two branches which both added lines to a file merge without a conflict.

    Args:
        repository: the repository.
        file: in its working tree, absolute.

    Returns:
        Whether `.gitattributes` beside the file had to be changed for that.

    Raises:
        MachineError: it cannot be written.

    """
    path = file.relative_to(repository.toplevel.resolve()).as_posix()
    answer = repository.git.run("check-attr", "-z", "merge", "--", path).split(b"\0")
    if answer[2:3] == [b"union"]:
        return False
    attributes = file.parent / _ATTRIBUTES
    try:
        before = attributes.read_text(encoding="utf-8") if attributes.exists() else ""
        newline = "\n" if before and not before.endswith("\n") else ""
        attributes.write_text(f"{before}{newline}{file.name} merge=union\n", encoding="utf-8")
    except OSError as error:
        raise MachineError(f"{attributes} cannot be written: {error.strerror}") from error
    return True
