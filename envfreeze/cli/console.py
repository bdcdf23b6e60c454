"""Where the command line writes: results to stdout, everything else to stderr.

stdout carries one line that a script can use, or one JSON document with `--json`. stderr carries
progress, prose, warnings and errors: bars on a terminal, and in a log a plain line now and then.
No colour is written to anything but a terminal, nor where NO_COLOR is set (https://no-color.org).
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TextIO

from envfreeze.cli.errors import PIPE_CLOSED, Failure

if TYPE_CHECKING:
    from envfreeze.cli.bars import Bars
    from envfreeze.progress import Task

INTERVAL: Final = 10.0
"""Seconds between two lines of progress in a log."""

_BOLD_RED: Final = "\x1b[1;31m"
_YELLOW: Final = "\x1b[33m"
_CYAN: Final = "\x1b[36m"
_RESET: Final = "\x1b[0m"


class Console:
    """The two streams of a command, and the `envfreeze.progress.Progress` that its work reports to.

    All methods may be called from several threads.
    """

    def __init__(self, *, as_json: bool = False, quiet: bool = False) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self._lock = threading.RLock()
        self._terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._colour = self._terminal and not os.environ.get("NO_COLOR")
        self._bars: Bars | None = None
        self._log = _Log(self)

    # stdout

    @property
    def draws(self) -> bool:
        """Whether stdout is a terminal that shows more than ASCII: lines and arrows."""
        return sys.stdout.isatty() and (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"

    def result(self, lines: Sequence[str], document: Mapping[str, Any]) -> None:
        """Print the result: its lines, or with `--json` its document on one line."""
        self.close()
        try:
            for line in [json.dumps(document)] if self.as_json else lines:
                sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
        except OSError as error:
            _mute(sys.stdout)
            if isinstance(error, BrokenPipeError):
                raise SystemExit(PIPE_CLOSED) from None
            raise

    # stderr

    def note(self, text: str) -> None:
        """Tell one line of what is happening."""
        if not self.quiet:
            self._line(text)

    def detail(self, text: str) -> None:
        """Tell one line of what a program says at length; a terminal shows the tasks of it instead."""
        if not self._terminal:
            self.note(text)

    def step(self, text: str) -> None:
        """Tell one line of a step that is over, where a terminal did not get its details."""
        if self._terminal:
            self.note(text)

    def warn(self, text: str) -> None:
        """Tell one line that the user should read; `--quiet` does not hide it."""
        self._line(f"{self._paint('warning:', _YELLOW)} {text}")

    def hint(self, text: str) -> None:
        """Tell what to do about the warnings before."""
        self._line(f"{self._paint('hint:', _CYAN)} {text}")

    def tell(self, text: str) -> None:
        """Tell what was asked for, or what must be known: `--quiet` does not hide it."""
        self._line(text)

    def fail(self, failure: Failure) -> None:
        """Tell why the command stops: on stderr, and with `--json` as the document on stdout."""
        self._line(f"{self._paint('error:', _BOLD_RED)} {failure.message}")
        for detail in failure.details:
            self._line(f"  {detail}")
        if failure.hint:
            self.hint(failure.hint)
        if self.as_json:
            self.result((), failure.document())

    def task(self, description: str, total: int | None = None) -> Task:
        """Begin a piece of work of `total` bytes."""
        if self.quiet:
            return _Unseen()
        if not self._terminal:
            return self._log.task(description, total)
        from envfreeze.cli.bars import Bars  # noqa: PLC0415 - heavy

        with self._lock:
            try:
                if self._bars is None:
                    self._bars = Bars(colour=self._colour)
                return self._bars.task(description, total)
            except OSError:  # the terminal is gone
                _mute(sys.stderr)
                self._terminal = False
                return self._log.task(description, total)

    def close(self) -> None:
        """Take the bars off the terminal."""
        with self._lock:
            if self._bars is not None:
                with _spared():
                    self._bars.close()
                self._bars = None

    def _line(self, text: str) -> None:
        with self._lock, _spared():
            if self._bars is not None:
                self._bars.line(text)
            else:
                sys.stderr.write(f"{text}\n")
                sys.stderr.flush()

    def _paint(self, text: str, colour: str) -> str:
        return f"{colour}{text}{_RESET}" if self._colour else text


class _Unseen:
    def advance(self, amount: int) -> None:
        """Say nothing."""

    def finish(self) -> None:
        """Say nothing."""


class _Log:
    """Progress in a log: no line for what is soon over, one every `INTERVAL` for what is not."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lock = threading.Lock()
        self._running: dict[_Line, None] = {}
        self._last = time.monotonic()

    def task(self, description: str, total: int | None) -> Task:
        line = _Line(self, description, total)
        with self._lock:
            self._running[line] = None
        return line

    def over(self, line: _Line) -> None:
        with self._lock:
            self._running.pop(line, None)

    def tick(self) -> None:
        now = time.monotonic()
        with self._lock:
            if now - self._last < INTERVAL:
                return
            self._last = now
            text = "; ".join(line.text() for line in self._running)
        self._console.note(text)


class _Line:
    """A task in a log."""

    def __init__(self, log: _Log, description: str, total: int | None) -> None:
        self._log = log
        self._description = description
        self._total = total
        self._done = 0

    def advance(self, amount: int) -> None:
        self._done += amount
        self._log.tick()

    def finish(self) -> None:
        self._log.over(self)

    def text(self) -> str:
        if not self._total:
            return self._description
        return f"{self._description} {min(100, 100 * self._done // self._total)} %"


@contextlib.contextmanager
def _spared() -> Iterator[None]:
    """Go on where stderr takes no more: a log that is full, or that nobody reads, must not stop a build."""
    try:
        yield
    except OSError:
        _mute(sys.stderr)


def _mute(stream: TextIO) -> None:
    """Send nowhere what follows, and what Python would flush at exit."""
    with contextlib.suppress(OSError):  # a stream without a descriptor has nothing to flush
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, stream.fileno())
        finally:
            os.close(nowhere)
