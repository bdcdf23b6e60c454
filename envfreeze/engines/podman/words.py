"""What Podman and Buildah say while they build: their steps as tasks, and of a failure what it was."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envfreeze.engines.driven import failing

if TYPE_CHECKING:
    from envfreeze.engines.driven.log import Log
    from envfreeze.progress import Progress, Task

_STEP = re.compile(r"(?P<stage>\[\d+/\d+\] )?STEP (?P<number>\d+/\d+): (?P<text>.*)")
_ERROR = re.compile(r'Error: (?:building at STEP "(?P<step>.*?)": )?(?P<why>.*)')


class Build:
    """A build that is watched.

    Args:
        log: where the lines go.
        progress: told of the step that runs.

    """

    def __init__(self, log: Log, progress: Progress) -> None:
        self._log = log
        self._progress = progress
        self._task: Task | None = None
        self._step = ""
        self._said: list[str] = []
        self._why = ""

    def line(self, line: str) -> None:
        """Take in one line of what the program writes."""
        self._log.line(line)
        text = self._log.clean(line.rstrip())
        step = _STEP.match(text)
        error = _ERROR.match(text)
        if step is not None:
            self.close()
            self._progress.step(f" => {step['stage'] or ''}{step['number']} {failing.short(step['text'])}")
            self._step, self._said = step["text"], []
            self._task = self._progress.task(f"{step['stage'] or ''}{step['number']} {step['text']}")
        elif error is not None:
            self._step, self._why = error["step"] or self._step, error["why"]
        elif text.strip() and not text.startswith("--> "):
            self._said.append(text)

    def close(self) -> None:
        """Take away what still runs."""
        if self._task is not None:
            self._task.finish()
            self._task = None

    @property
    def failure(self) -> tuple[str, str, tuple[str, ...]]:
        """The step that failed, why, and what it said before."""
        return self._step, self._why, tuple(self._said)
