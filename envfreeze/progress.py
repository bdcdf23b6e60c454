"""What long work tells about itself, and nothing about how it is shown.

Work takes a `Progress` and reports to it; the command line shows it as bars on a terminal or as lines in
a log, and libraries that call envfreeze pass `SILENT` or an object of their own. All methods may be
called from several threads.
"""

from __future__ import annotations

from typing import Protocol


class Task(Protocol):
    """One piece of long work, measured in bytes unless its description says otherwise."""

    def advance(self, amount: int) -> None:
        """Report that `amount` more is done."""

    def finish(self) -> None:
        """Report that the work is over, done or not."""


class Progress(Protocol):
    """Where work reports to."""

    def task(self, description: str, total: int | None = None) -> Task:
        """Begin a piece of work of `total` bytes (None: not known)."""

    def note(self, text: str) -> None:
        """Tell one line of what is happening."""

    def detail(self, text: str) -> None:
        """Tell one line of what a program says at length, for a log; a terminal shows its tasks instead."""

    def step(self, text: str) -> None:
        """Tell one line of a step of a program that is over, for a terminal; a log has its details."""

    def warn(self, text: str) -> None:
        """Tell one line that the user should read."""


class _SilentTask:
    def advance(self, amount: int) -> None:
        """Say nothing."""

    def finish(self) -> None:
        """Say nothing."""


class _Silent:
    def task(self, description: str, total: int | None = None) -> Task:  # noqa: ARG002 - the interface
        """Say nothing."""
        return _SilentTask()

    def note(self, text: str) -> None:
        """Say nothing."""

    def detail(self, text: str) -> None:
        """Say nothing."""

    def step(self, text: str) -> None:
        """Say nothing."""

    def warn(self, text: str) -> None:
        """Say nothing."""


SILENT: Progress = _Silent()
