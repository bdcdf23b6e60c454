"""What buildx tells in JSON becomes the lines that people read, whatever it tells."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envfreeze.engines.docker.events import Build
from envfreeze.progress import SILENT

BEGAN = "2026-11-22T08:06:05.000000000Z"
ENDED = "2026-11-22T08:06:07.250000000Z"
STEP = {"digest": "sha256:1", "name": "[2/2] RUN make"}


class Log:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def clean(self, text: str) -> str:
        return text.replace("s3cret", "***")

    def line(self, text: str) -> None:
        self.lines.append(self.clean(text))


class Shown:
    def __init__(self) -> None:
        self.tasks: list[str] = []
        self.steps: list[str] = []
        self.over = 0

    def step(self, text: str) -> None:
        self.steps.append(text)

    def task(self, description: str, total: int | None = None) -> Any:  # noqa: ARG002 - the interface
        self.tasks.append(description)
        return self

    def finish(self) -> None:
        self.over += 1


def said(vertex: str, data: str, stream: int = 1, at: str = ENDED) -> dict[str, Any]:
    encoded = base64.b64encode(data.encode()).decode()
    return {"logs": [{"vertex": vertex, "stream": stream, "data": encoded, "timestamp": at}]}


def vertex(**fields: Any) -> dict[str, Any]:
    return {"vertexes": [STEP | fields]}


def told(*events: dict[str, Any] | str, progress: Any = SILENT) -> tuple[Build, list[str]]:
    log = Log()
    build = Build(log, progress)  # type: ignore[arg-type]
    for event in events:
        build.line(event if isinstance(event, str) else json.dumps(event))
    build.close()
    return build, log.lines


def test_a_step_is_told_as_buildx_tells_it():
    _, lines = told(
        vertex(started=BEGAN),
        said("sha256:1", "compiling\nlin"),
        said("sha256:1", "king\n"),
        vertex(started=BEGAN, completed=ENDED),
    )

    assert lines == ["#1 [2/2] RUN make", "#1 2.250 compiling", "#1 2.250 linking", "#1 DONE 2.2s"]


def test_a_step_that_is_cached_says_so():
    _, lines = told(vertex(started=BEGAN, completed=BEGAN, cached=True))

    assert lines == ["#1 [2/2] RUN make", "#1 CACHED"]


def test_a_step_that_is_told_ahead_is_numbered_when_it_begins():
    other = {"digest": "sha256:2", "name": "[1/2] COPY", "started": BEGAN}
    _, lines = told({"vertexes": [STEP, other]}, vertex(started=BEGAN))

    assert lines == ["#1 [1/2] COPY", "#2 [2/2] RUN make"]


def test_a_bar_that_is_drawn_over_itself_is_told_once():
    _, lines = told(
        vertex(started=BEGAN),
        said("sha256:1", "10 %\r50 %\r100 %\nrest"),
        vertex(started=BEGAN, completed=ENDED),
    )

    assert lines[1:] == ["#1 2.250 100 %", "#1 0.000 rest", "#1 DONE 2.2s"]


def test_of_a_failure_the_step_the_reason_and_the_last_lines_are_known():
    build, lines = told(
        vertex(started=BEGAN),
        said("sha256:1", "s3cret is wrong\n"),
        vertex(started=BEGAN, completed=ENDED, error="exit code: 1"),
        {
            "vertexes": [
                {
                    "digest": "sha256:3",
                    "name": "other",
                    "started": BEGAN,
                    "completed": ENDED,
                    "error": "context canceled",
                }
            ]
        },
        "ERROR: failed to solve: exit code: 1",
    )

    assert build.failure == ("[2/2] RUN make", "exit code: 1", ("*** is wrong",))
    assert "#1 ERROR: exit code: 1" in lines


def test_without_a_step_the_last_words_are_the_reason():
    build, _ = told("some words", "ERROR: no builder")

    assert build.failure == ("", "no builder", ("some words",))
    assert told()[0].failure == ("", "", ())


def test_running_steps_are_tasks_that_end():
    shown = Shown()
    told(vertex(started=BEGAN), progress=shown)

    assert shown.tasks == ["[2/2] RUN make"]
    assert shown.over == 1
    assert shown.steps == []


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({}, " =>   2.2s [2/2] RUN make"),
        ({"cached": True}, " => CACHED [2/2] RUN make"),
        ({"error": "s3cret"}, " => ERROR: *** [2/2] RUN make"),
    ],
)
def test_a_step_that_is_over_is_a_line_on_a_terminal(fields, line):
    shown = Shown()
    told(vertex(started=BEGAN), vertex(started=BEGAN, completed=ENDED, **fields), progress=shown)

    assert shown.steps == [line]


def test_a_status_is_told_once_when_it_is_done():
    status = {"vertex": "sha256:1", "id": "exporting layers", "completed": ENDED}
    _, lines = told(vertex(started=BEGAN), {"statuses": [status, status]}, {"statuses": [status]})

    assert lines[1:] == ["#1 exporting layers done"]


def test_a_warning_is_told():
    short = base64.b64encode(b"FromAsCasing: 'as' and 'FROM' do not match").decode()
    _, lines = told({"warnings": [{"vertex": "sha256:1", "short": short}]})

    assert lines == ["warning: FromAsCasing: 'as' and 'FROM' do not match"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "vertexes",
                    "statuses",
                    "logs",
                    "warnings",
                    "digest",
                    "name",
                    "started",
                    "completed",
                    "vertex",
                    "data",
                    "stream",
                    "timestamp",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.lists(st.text(max_size=20) | JSON.map(json.dumps), max_size=6))
def test_nothing_that_it_writes_is_a_surprise(lines):
    build, _ = told(*lines)
    assert len(build.failure) == 3


@pytest.mark.parametrize("moment", ["", "yesterday", None, 7, "2026-11-22T08:06:07.123456789Z"])
def test_a_moment_is_read_or_none(moment):
    told(vertex(started=BEGAN), vertex(started=BEGAN, completed=moment))
