"""Programs that engines run end with who runs them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from envfreeze.engines.driven import process
from envfreeze.errors import MachineError


def test_lines_of_both_streams_are_told_and_the_status_is_given():
    lines = []

    status = process.run(["sh", "-c", "echo out; echo err >&2; printf end; exit 3"], lines.append)

    assert status == 3
    assert sorted(lines) == ["end", "err\n", "out\n"]


def test_a_program_that_is_not_there_is_said():
    lines = []

    assert process.run(["no-such-program-at-all"], lines.append) == 127
    assert lines == ["no-such-program-at-all: No such file or directory\n"]
    with pytest.raises(MachineError, match="there is no program no-such-program-at-all"):
        process.ask(["no-such-program-at-all"])


def test_a_program_that_does_not_answer_is_said():
    with pytest.raises(MachineError, match="gave no answer in 0 seconds"):
        process.ask(["sleep", "5"], seconds=0.05)


def test_a_program_ends_where_its_lines_are_refused(tmp_path):
    def stop(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        process.run(["sh", "-c", f"trap 'echo told > {tmp_path}/a; exit' TERM; echo a; sleep 5 & wait"], stop)

    assert (tmp_path / "a").read_text() == "told\n"


@pytest.mark.parametrize(
    "apart", [False, pytest.param(True, marks=pytest.mark.skipif(os.geteuid() != 0, reason="only root"))]
)
def test_a_program_ends_where_its_starter_is_killed(apart):
    text = (
        "import sys; from envfreeze.engines.driven import process\n"
        f"process.run(['sh', '-c', 'echo $$; exec sleep 60'], print, apart={apart})"
    )
    starter = subprocess.Popen([sys.executable, "-u", "-c", text], stdout=subprocess.PIPE, text=True)
    with starter:
        starter.stdout.readline()
        (child,) = children(starter.pid)
        starter.send_signal(signal.SIGKILL)
        starter.wait()

    end = time.monotonic() + 5
    while alive(child) and time.monotonic() < end:
        time.sleep(0.02)
    assert not alive(child)


def children(pid: int) -> list[int]:
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=True
    )
    return [int(line) for line in listed.stdout.split()]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123 - short
        return file.read().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can")
def test_what_is_apart_takes_its_processes_and_mounts_along(tmp_path):
    (tmp_path / "at").mkdir()
    lines = []

    status = process.run(
        [
            "sh",
            "-c",
            f"mount -t tmpfs none {tmp_path}/at && sleep 60 & sleep 0.2; ls /proc | grep -c '^[0-9]'; exit 4",
        ],
        lines.append,
        apart=True,
    )

    assert status == 4
    assert int(lines[0]) < 9
    with open("/proc/self/mounts") as mounts:  # noqa: PTH123 - short
        assert str(tmp_path) not in mounts.read()
