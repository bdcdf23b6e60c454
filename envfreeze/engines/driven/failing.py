"""A step that failed, in an error of few lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LINES = 12
"""Lines of a step's own output that an error shows, the last ones."""

_LONGEST = 100
_STATED = ("did not complete successfully: ", "while running runtime: ")


def short(step: str) -> str:
    """A step on one line of bearable length; instructions may be long."""
    words = " ".join(step.split())
    return words if len(words) <= _LONGEST else f"{words[: _LONGEST - 1]}…"


def failure(program: str, step: str, why: str, said: Sequence[str], log: Path) -> MachineError:
    """Make the error of a build that failed.

    Args:
        program: what built.
        step: the step that failed; empty: none is to blame.
        why: the reason, as the program gives it.
        said: what the step said.
        log: where all of it is.

    """
    for words in _STATED:
        # Before it the whole instruction is repeated.
        why = why.rpartition(words)[2]
    what = f"{program}: the step {short(step)} failed" if step else f"{program} failed"
    return MachineError(
        f"{what}: {why}" if why else what,
        details=tuple(said[-LINES:]),
        hint=f"the whole log is in {log}",
    )
