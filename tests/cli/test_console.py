"""stdout carries the result alone; stderr is for people, in bars on a terminal and in lines in a log."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from envfreeze.cli import console as module
from envfreeze.cli.console import Console
from envfreeze.cli.errors import PIPE_CLOSED, Failure, failure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import TextIO

WORK = """
import time
from envfreeze.cli.console import Console
console = Console(quiet={quiet})
task = console.task("torch [cu132]", 2_000_000)
task.advance(1_000_000)
console.note("a note about numpy[dev]")
console.warn("a warning")
time.sleep(0.5)
task.finish()
console.result(["sha256:0"], {{"digest": "sha256:0"}})
"""


def on_a_terminal(script: str, **environment: str) -> tuple[str, str]:
    """Run Python with stderr on a terminal of its own; what went to stdout and what to the terminal."""
    ours, theirs = pty.openpty()
    shown = bytearray()

    def drain() -> None:
        try:
            while chunk := os.read(ours, 4096):
                shown.extend(chunk)
        except OSError:
            return  # the terminal's other side was closed

    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=theirs,
        env=os.environ | {"TERM": "xterm-256color", "COLUMNS": "100"} | environment,
    )
    os.close(theirs)
    reader = threading.Thread(target=drain)
    reader.start()
    stdout, _ = process.communicate(timeout=30)
    reader.join(timeout=30)
    os.close(ours)
    assert process.returncode == 0
    return stdout.decode(), shown.decode()


def test_a_terminal_has_bars_in_colour_and_the_result_stays_apart():
    stdout, shown = on_a_terminal(WORK.format(quiet=False))
    assert stdout == "sha256:0\n"
    assert "torch [cu132]" in shown
    assert "1.0 MB of 2.0 MB" in shown
    assert "a note about numpy[dev]" in shown
    assert "\x1b[33mwarning:\x1b[0m a warning" in shown


def test_no_color_takes_the_colour_away_and_keeps_the_bars():
    _, shown = on_a_terminal(WORK.format(quiet=False), NO_COLOR="1")
    assert "1.0 MB of 2.0 MB" in shown
    assert "warning: a warning" in shown
    assert "\x1b[3" not in shown


def test_a_dumb_terminal_is_a_log():
    _, shown = on_a_terminal(WORK.format(quiet=False), TERM="dumb")
    assert shown.splitlines() == ["a note about numpy[dev]", "warning: a warning"]


def test_quiet_leaves_the_warning():
    stdout, shown = on_a_terminal(WORK.format(quiet=True))
    assert stdout == "sha256:0\n"
    assert shown.splitlines() == ["\x1b[33mwarning:\x1b[0m a warning"]


def test_a_log_has_no_escape_codes_even_for_an_error(capsys):
    Console().fail(Failure("what happened", "do this", ("first", "second"), 3))
    assert capsys.readouterr() == ("", "error: what happened\n  first\n  second\nhint: do this\n")


def test_an_error_is_on_stdout_as_well_with_json(capsys):
    end = Failure("what happened", "do this", ("first",), 3)
    Console(as_json=True).fail(end)
    stdout, stderr = capsys.readouterr()
    assert json.loads(stdout) == end.document()
    assert stderr.startswith("error: what happened\n")


def test_a_log_tells_of_long_work_now_and_then(capsys, monkeypatch):
    monkeypatch.setattr(module, "INTERVAL", 0.0)
    console = Console()
    torch, numpy = console.task("torch", 200), console.task("numpy")
    torch.advance(50)
    numpy.advance(7)
    numpy.finish()
    torch.advance(150)
    torch.finish()
    assert capsys.readouterr().err.splitlines() == ["torch 25 %; numpy", "torch 25 %; numpy", "torch 100 %"]


def test_a_log_does_not_tell_of_short_work(capsys):
    task = Console().task("numpy", 100)
    task.advance(100)
    task.finish()
    assert capsys.readouterr().err == ""


def test_lines_of_many_threads_stay_whole(capsys):
    console = Console()
    threads = [
        threading.Thread(target=lambda name=name: [console.note(name * 50) for _ in range(50)])
        for name in "abcdefgh"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 400
    assert all(line == line[0] * 50 for line in lines)


def test_a_result_that_nobody_reads_ends_quietly():
    script = (
        "import sys; from envfreeze.cli.console import Console;"
        "sys.stdin.read(1); Console().result(['x' * 100] * 10_000, {})"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.close()
    process.stdin.write(b".")
    process.stdin.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(timeout=30) == PIPE_CLOSED


def test_work_goes_on_where_the_log_has_closed():
    script = (
        "import sys; from envfreeze.cli.console import Console; console = Console();"
        "sys.stdin.read(1); [console.note('x' * 100) for _ in range(10_000)]; console.result(['done'], {})"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stderr.close()
    process.stdin.write(b".")
    process.stdin.close()
    assert process.stdout.read() == b"done\n"
    process.stdout.close()
    assert process.wait(timeout=30) == 0


@pytest.mark.parametrize("arguments", [["cache", "verify"], ["--json", "cache", "verify"]])
def test_ctrl_c_is_one_line_and_130(tmp_path: Path, arguments):
    script = (
        "import sys, signal, os;"
        "from envfreeze.cli.main import main; from envfreeze.store.cache import Cache;"
        "Cache.verify = lambda self, progress: os.kill(os.getpid(), signal.SIGINT);"
        "sys.exit(main(sys.argv[1:]))"
    )
    process = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env=os.environ | {"ENVFREEZE_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert process.returncode == 128 + signal.SIGINT
    assert process.stderr == "error: interrupted\n"
    if "--json" in arguments:
        assert json.loads(process.stdout)["error"]["exit_code"] == 130


def test_closed_streams_are_no_reason_to_fail():
    command = f"exec {sys.executable} -m envfreeze --version"
    assert subprocess.run(["sh", "-c", f"{command} 2>&-"], capture_output=True, check=True).stdout
    assert subprocess.run(["sh", "-c", f"{command} >&-"], capture_output=True, check=True).stderr == b""


@pytest.mark.parametrize("moment", ["typer", "envfreeze.cli.console"])
@pytest.mark.parametrize("arguments", [["--version"], ["--version", "--json"]])
def test_ctrl_c_at_the_very_start_is_the_same(moment, arguments):
    script = (
        "import os, runpy, signal, sys\n"
        "class Finger:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {moment!r}: os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finger())\n"
        "runpy.run_module('envfreeze', run_name='__main__', alter_sys=True)\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, timeout=30, check=False
    )
    assert process.returncode == 128 + signal.SIGINT
    assert process.stderr == "error: interrupted\n"
    if "--json" in arguments:
        assert json.loads(process.stdout) == failure(KeyboardInterrupt()).document()


@pytest.fixture
def full(need: Callable[..., None]) -> Iterator[TextIO]:
    need("/dev/full", os.path.exists("/dev/full"), "no /dev/full on this machine")  # noqa: PTH110 - a device
    with open("/dev/full", "w") as device:  # noqa: PTH123 - a device
        yield device


@pytest.mark.parametrize(
    ("arguments", "first"),
    [
        (["--version"], "error: no space left on the disk"),
        (["--version", "--json"], "error: no space left on the disk"),
        (["--help"], "error: no space left on the disk"),
        (["build", "--json"], "error: "),  # its own error, and then that of the document
        (["nope", "--json"], "error: No such command 'nope'."),
    ],
)
def test_a_full_disk_under_the_result_is_exit_code_7(tmp_path: Path, full, arguments, first):
    process = subprocess.run(
        [sys.executable, "-m", "envfreeze", *arguments],
        cwd=tmp_path,
        stdout=full,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert process.returncode == 7
    assert process.stderr.startswith(first)
    assert "error: no space left on the disk\n" in process.stderr
    assert "Traceback" not in process.stderr
    assert "Exception ignored" not in process.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "key"),
    [
        (["nope", "--json"], 2, "error"),
        (["nope"], 2, None),
        ([], 2, None),
        (["init", "--json"], 0, "written"),
        (["cache", "verify", "--json"], 0, "result"),
    ],
)
def test_a_full_disk_under_the_log_changes_nothing(tmp_path: Path, full, arguments, code, key):
    (tmp_path / "envfreeze.toml").touch()  # init then has a note to tell
    process = subprocess.run(
        [sys.executable, "-m", "envfreeze", *arguments],
        cwd=tmp_path,
        env=os.environ | {"ENVFREEZE_CACHE": str(tmp_path / "cache")},
        stdout=subprocess.PIPE,
        stderr=full,
        text=True,
        check=False,
    )
    assert process.returncode == code
    assert list(json.loads(process.stdout))[:1] == [key] if key else process.stdout == ""
