"""Progress on a terminal, drawn by rich. Imported only where there is a terminal and something to draw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rich.console import Console as Terminal
from rich.filesize import decimal
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Column
from rich.text import Text

if TYPE_CHECKING:
    from rich.progress import Task as RichTask
    from rich.progress import TaskID

COUNTED: Final = 10_000
"""Work smaller than this is shown as a count, larger work as bytes."""

_ONE_LINE: Final[dict[str, Any]] = {"no_wrap": True, "overflow": "ellipsis"}


class Bars:
    """The bars of all running tasks at the bottom of the terminal, until `close`."""

    def __init__(self, *, colour: bool) -> None:
        self._progress = Progress(
            # One line for each, however narrow the terminal and long the name.
            TextColumn("{task.description}", markup=False, table_column=Column(ratio=1, **_ONE_LINE)),
            BarColumn(bar_width=20),
            _Amount(table_column=Column(justify="right", **_ONE_LINE)),
            TimeElapsedColumn(),
            console=Terminal(stderr=True, no_color=not colour, highlight=False),
            transient=True,
            expand=True,
            refresh_per_second=5,
        )
        self._progress.start()

    def task(self, description: str, total: int | None) -> Bar:
        """Add a bar."""
        return Bar(self._progress, self._progress.add_task(description, total=total))

    def line(self, text: str) -> None:
        """Write a line, which may hold ANSI colours, above the bars."""
        self._progress.console.print(Text.from_ansi(text), soft_wrap=True)

    def close(self) -> None:
        """Take the bars away."""
        self._progress.stop()


class Bar:
    """One task's bar."""

    def __init__(self, progress: Progress, identity: TaskID) -> None:
        self._progress = progress
        self._identity = identity

    def advance(self, amount: int) -> None:
        """Move the bar on."""
        self._progress.advance(self._identity, amount)

    def finish(self) -> None:
        """Take the bar away."""
        if self._identity in self._progress.task_ids:
            self._progress.remove_task(self._identity)


class _Amount(ProgressColumn):
    """How much is done of how much: `12/30` or `412.0 MB of 900.1 MB`."""

    def render(self, task: RichTask) -> Text:
        if task.total is None:
            return Text(decimal(int(task.completed)) if task.completed >= COUNTED else "")
        done, total = min(int(task.completed), int(task.total)), int(task.total)
        return Text(f"{done}/{total}" if total < COUNTED else f"{decimal(done)} of {decimal(total)}")
