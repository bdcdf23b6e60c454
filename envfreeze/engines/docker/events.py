"""What buildx tells of a build in lines of JSON (`--progress=rawjson`), as lines that people read.

A line is a `SolveStatus` of BuildKit's client: vertexes (the steps), their statuses and their logs. The
lines for people are those that buildx itself writes with `--progress=plain`.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from envfreeze.engines.driven import failing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from envfreeze.engines.driven.log import Log
    from envfreeze.progress import Progress, Task

_LAST = 50
"""Lines of a step's own output that are remembered, for the error that ends it."""


@dataclass(slots=True)
class Step:
    """One step of the build.

    Attributes:
        number: in the order in which steps are first told of.
        name: `[2/5] RUN apt-get update`.
        started: seconds since 1970; None: it has not begun.
        ended: whether it is over.
        error: why it failed; empty where it did not.
        said: the last lines of its output.

    """

    number: int
    name: str
    started: float | None = None
    ended: bool = False
    error: str = ""
    said: list[str] = field(default_factory=list)


class Build:
    """A build that is watched.

    Args:
        log: where the lines go.
        progress: told of the steps that run.

    """

    def __init__(self, log: Log, progress: Progress) -> None:
        self._log = log
        self._progress = progress
        self._steps: dict[str, Step] = {}
        self._tasks: dict[str, Task] = {}
        self._unfinished: dict[tuple[str, int], str] = {}
        self._told: set[tuple[str, str]] = set()
        self._failed: Step | None = None
        self._ending: list[str] = []

    def line(self, line: str) -> None:
        """Take in one line of what buildx writes."""
        try:
            event = json.loads(line)
        except ValueError:
            event = None
        if not isinstance(event, dict):
            if line.strip():
                self._ending.append(self._log.clean(line.strip()))
                self._log.line(line)
            return
        for text in self._event(event):
            self._log.line(text)

    def close(self) -> None:
        """Take away what still runs, once buildx has ended."""
        for task in self._tasks.values():
            task.finish()
        self._tasks.clear()

    @property
    def failure(self) -> tuple[str, str, tuple[str, ...]]:
        """The step that failed, why, and what it said before; without a step what buildx said last."""
        if self._failed is not None:
            return self._failed.name, self._failed.error, tuple(self._failed.said)
        reasons = [line.removeprefix("ERROR: ") for line in self._ending]
        return "", reasons[-1] if reasons else "", tuple(reasons[:-1])

    def _event(self, event: Mapping[str, Any]) -> Iterator[str]:
        for vertex in _objects(event, "vertexes"):
            yield from self._vertex(vertex)
        for status in _objects(event, "statuses"):
            yield from self._status(status)
        for log in _objects(event, "logs"):
            yield from self._output(log)
        for warning in _objects(event, "warnings"):
            short = _decoded(warning.get("short"))
            if short:
                yield f"warning: {short}"

    def _vertex(self, vertex: Mapping[str, Any]) -> Iterator[str]:
        digest, name = str(vertex.get("digest", "")), str(vertex.get("name", ""))
        step = self._steps.get(digest)
        started = _seconds(vertex.get("started"))
        if step is None:
            if started is None and not vertex.get("cached"):
                return  # told of ahead; it is numbered when it begins
            step = self._steps[digest] = Step(len(self._steps) + 1, name)
            yield f"#{step.number} {name}"
        if started is not None and step.started is None:
            step.started = started
            self._tasks[digest] = self._progress.task(self._log.clean(name))
        ended = _seconds(vertex.get("completed"))
        if ended is None or step.ended:
            return
        step.ended = True
        if digest in self._tasks:
            self._tasks.pop(digest).finish()
        yield from self._rest(digest, step)
        error = str(vertex.get("error") or "")
        if error:
            step.error = self._log.clean(error)
            if "context canceled" not in error and self._failed is None:
                self._failed = step
            how = f"ERROR: {error}"
        elif vertex.get("cached"):
            how = "CACHED"
        else:
            how = f"DONE {ended - (step.started or ended):.1f}s"
        self._progress.step(self._log.clean(f" => {how.removeprefix('DONE '):>6} {failing.short(step.name)}"))
        yield f"#{step.number} {how}"

    def _status(self, status: Mapping[str, Any]) -> Iterator[str]:
        vertex, name = str(status.get("vertex", "")), str(status.get("id", ""))
        step = self._steps.get(vertex)
        if step is None or not status.get("completed") or (vertex, name) in self._told:
            return
        self._told.add((vertex, name))
        yield f"#{step.number} {name} done"

    def _output(self, log: Mapping[str, Any]) -> Iterator[str]:
        vertex = str(log.get("vertex", ""))
        step = self._steps.get(vertex)
        if step is None:
            return
        stream = int(log.get("stream") or 0)
        text = self._unfinished.pop((vertex, stream), "") + _decoded(log.get("data"))
        *lines, rest = text.replace("\r\n", "\n").split("\n")
        if rest:
            self._unfinished[vertex, stream] = rest
        moment = _seconds(log.get("timestamp"))
        after = 0.0 if moment is None or step.started is None else max(0.0, moment - step.started)
        for line in lines:
            yield self._said(step, line, after)

    def _rest(self, vertex: str, step: Step) -> Iterator[str]:
        """What a step said last, without a line's end."""
        for key in [key for key in self._unfinished if key[0] == vertex]:
            yield self._said(step, self._unfinished.pop(key), 0.0)

    def _said(self, step: Step, line: str, after: float) -> str:
        # A program that draws a bar writes it over and over: what it drew last is what it said.
        shown = line.rstrip("\r").rpartition("\r")[2]
        if shown.strip():
            step.said = [*step.said, self._log.clean(shown)][-_LAST:]
        return f"#{step.number} {after:.3f} {shown}"


def _objects(event: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    listed = event.get(key)
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def _decoded(data: object) -> str:
    """Bytes as Go writes them into JSON: base64."""
    try:
        return base64.b64decode(str(data or ""), validate=True).decode("utf-8", "replace")
    except (ValueError, binascii.Error):
        return ""


def _seconds(moment: object) -> float | None:
    """A moment of Go's, `2026-11-22T08:06:05.276896535Z`, in seconds since 1970."""
    if not isinstance(moment, str):
        return None
    try:
        return datetime.fromisoformat(moment).timestamp()
    except ValueError:
        return None
